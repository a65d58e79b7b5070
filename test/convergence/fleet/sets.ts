import { parseMessage } from "../../../lib/sqs/message.ts";

/** A host's set as its agent sent it. */
interface SentSet {
  readonly atMs: number;
  readonly records: ReadonlySet<string>;
  readonly keeps: ReadonlySet<string>;
  hasLanded: boolean;
}

/** Whether what was asked for was in the zone before its message was deleted. */
export interface SentSets {
  sent(owner: string, body: string, nowMs: number): void;
  /** The zone holds these records of the owner now, by what tells them from its others. */
  holds(owner: string, records: ReadonlySet<string>): void;
  /** False when a message goes though neither its set nor a newer one of its owner was ever in the zone. */
  mayGo(owner: string, body: string, nowMs: number): boolean;
}

/** After this a writer gives up a set that it may not apply, and that nobody has said again. */
const GIVEN_UP_MS = 1_200_000;

export function sentSets(): SentSets {
  const all = new Map<string, Map<string, SentSet>>();
  const of = (owner: string): Map<string, SentSet> => {
    const its = all.get(owner) ?? new Map<string, SentSet>();
    all.set(owner, its);
    return its;
  };
  const holding = new Map<string, ReadonlySet<string>>();
  const look = (owner: string): void => {
    const there = holding.get(owner) ?? new Set();
    for (const set of of(owner).values()) {
      set.hasLanded ||=
        [...set.records].every((one) => there.has(one)) &&
        [...there].every((one) => set.records.has(one) || set.keeps.has(one));
    }
  };
  return {
    sent(owner, body, nowMs) {
      const read = parseMessage(body);
      if (!read.ok) return;
      const { records, keeps } = read.message;
      const ids = (list: readonly { readonly h: string }[]) => new Set(list.map(({ h }) => h));
      const set = { atMs: nowMs, records: ids(records), keeps: ids(keeps), hasLanded: false };
      of(owner).set(body, set);
      look(owner);
    },
    holds(owner, records) {
      holding.set(owner, records);
      look(owner);
    },
    mayGo(owner, body, nowMs) {
      const its = of(owner);
      const set = its.get(body);
      if (set === undefined || nowMs - set.atMs > GIVEN_UP_MS) return true;
      const sets = [...its.values()];
      return sets.slice(sets.indexOf(set)).some(({ hasLanded }) => hasLanded);
    },
  };
}
