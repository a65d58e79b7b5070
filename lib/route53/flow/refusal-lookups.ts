import { GROUP_LIMIT, type Group, type GroupKey, groupKey } from "../group.ts";
import { type Change, type Published, sameChange } from "../plan.ts";
import { type RecordKey, recordTypes, sameRecord } from "../record-set.ts";
import type { Verdict } from "../refusal.ts";

/** A change whose name must be read before it is known what to do, with what was known of its group's TTL before. */
interface Lookup {
  readonly change: Change;
  readonly verdict: Verdict;
  readonly ttlBefore: number | undefined;
}

/** The refused changes that a read of their name decides: one read a name, however many there are. */
export function lookups({
  published,
  adoptedTtl,
  refuse,
}: {
  readonly published: () => ReadonlyMap<RecordKey, Published>;
  readonly adoptedTtl: (of: GroupKey) => number | undefined;
  readonly refuse: (change: Change, message: string, isFull?: boolean) => void;
}) {
  const waiting = new Map<string, readonly Lookup[]>();
  /** Called full though a read found room: a second time Route 53 is believed. */
  const spared = new Map<RecordKey, Change>();

  const decideFull = ({ change, verdict }: Lookup, room: Map<GroupKey, number>): void => {
    const { key, message } = verdict;
    if (published().has(key)) return;
    const group = groupKey(change.record);
    const left = room.get(group) ?? 0;
    if (left > 0 && !spared.has(key)) {
      spared.set(key, change);
      room.set(group, left - 1);
      return;
    }
    spared.delete(key);
    refuse(change, message, true);
  };

  /** What a read says of one: where it refuses nothing, the change is sent again. */
  const decide = (lookup: Lookup, room: Map<GroupKey, number>): void => {
    const { change, verdict, ttlBefore } = lookup;
    switch (verdict.kind) {
      case "differs": {
        const now = published().get(verdict.key);
        const before = change.action === "REPLACE" ? change.before : change.record;
        if (now !== undefined && sameRecord(now.record, before)) refuse(change, verdict.message);
        return;
      }
      case "other-ttl":
        if (adoptedTtl(groupKey(change.record)) === ttlBefore) refuse(change, verdict.message);
        return;
      case "full":
        decideFull(lookup, room);
        return;
      case "already-gone":
      case "refused":
    }
  };

  return {
    add(change: Change, verdict: Verdict): void {
      const { name } = change.record;
      const ttlBefore = adoptedTtl(groupKey(change.record));
      waiting.set(name, [...(waiting.get(name) ?? []), { change, verdict, ttlBefore }]);
    },
    holds: (change: Change): boolean =>
      (waiting.get(change.record.name) ?? []).some((one) => sameChange(one.change, change)),
    next(): { readonly kind: "name"; readonly name: string } | undefined {
      const [name] = waiting.keys();
      return name === undefined ? undefined : { kind: "name", name };
    },
    saw(group: Group): void {
      const decided = waiting.get(group.name) ?? [];
      waiting.delete(group.name);
      const room = roomIn(group);
      for (const one of decided) decide(one, room);
    },
    keepOnly(isPlanned: (change: Change) => boolean): void {
      for (const [name, all] of waiting) {
        const left = all.filter(({ change }) => isPlanned(change));
        if (left.length > 0) waiting.set(name, left);
        else waiting.delete(name);
      }
      for (const [key, change] of spared) if (!isPlanned(change)) spared.delete(key);
    },
  };
}
/** The groups of a name that have room. */
export const groupsWithRoom = (group: Group): ReadonlySet<GroupKey> =>
  new Set([...roomIn(group)].flatMap(([key, left]) => (left > 0 ? key : [])));

const roomIn = ({ name, types }: Group): Map<GroupKey, number> =>
  new Map(
    recordTypes.map((type) => [
      groupKey({ name, type }),
      GROUP_LIMIT - (types.get(type)?.size ?? 0),
    ]),
  );
