import type { InstanceId } from "../../ecs/arn.ts";
import type { RecordKey, RecordSet } from "../../route53/record-set.ts";
import { isNewer, type Stamp } from "../../sqs/order.ts";
import { compareAll, compareSome } from "./comparing.ts";
import { deleteGuard } from "./delete-guard.ts";
import { following } from "./following.ts";
import { meeting } from "./meeting.ts";
import { ownersOf, type Records, sizeOf, type Word, type ZoneFleetOptions } from "./owners.ts";

/** An owner that was not heard for so long is left as it is: its host repeats its set every 15 minutes. */
const SILENT_MS = 1_200_000;

interface OwnerView {
  readonly owner: InstanceId;
  readonly records: number;
  readonly pending: number;
  /** When its newest set was sent, in Unix ms. */
  readonly sentMs: number;
  /** How many of its records wait for it to say again that they go. */
  readonly held: number;
  readonly refused: readonly { readonly record: RecordSet; readonly message: string }[];
}

export interface ZoneFleet {
  /** The newest word of an owner; older ones are not for here. */
  take(word: Word): void;
  /** The stamp up to which everything of the owner may be deleted from the queue; undefined for nothing. */
  done(owner: InstanceId): Stamp | undefined;
  /** The fence has moved. */
  moved(): void;
  /** Looks after those that fell silent, and after what was stopped. To be called every few seconds. */
  tend(): void;
  /** What a look at the whole zone has found; it began then, in the clock's ms. */
  compare(found: ReadonlyMap<InstanceId, Records>, sinceMs: number): Promise<void>;
  /** Owners of whose records the zone may hold more than is known, and the names where that would be; `compareSome`. */
  unsure(): { readonly owners: ReadonlySet<InstanceId>; readonly names: ReadonlySet<string> };
  settle(
    some: ReadonlySet<InstanceId>,
    found: ReadonlyMap<InstanceId, Records>,
    names: ReadonlySet<string> | "all",
    sinceMs: number,
  ): Promise<void>;
  /** Ends all that is kept. */
  close(): Promise<void>;
  views(): readonly OwnerView[];
  /** How many owners of records in the zone are heard, are left as they are, and are waited for with doubt. */
  counts(): { readonly heard: number; readonly silent: number; readonly doubtful: number };
  isStopped(): boolean;
  size(): number;
}

/**
 * Keeps one zone as its owners ask.
 *
 * Promises:
 * - what is in the zone of an owner that was not heard stays as it is;
 * - a set that may be older than what the zone holds changes nothing;
 * - no owner's trouble holds up another's changes;
 * - most of an owner's records go only when it says so twice, most of the zone's only when an operator says so.
 */
export function zoneFleet(options: ZoneFleetOptions): ZoneFleet {
  const { clock, joint, report, release } = options;
  const owners = ownersOf(options);
  const { known, bases, doubts, landed, unfenced } = owners;
  const ends = new AbortController();
  const guard = deleteGuard({
    clock,
    size: () => sizeOf(owners),
    unwanted: () => [...known.values()].reduce((sum, one) => sum + one.keeper.unwanted(), 0),
    force: options.force,
    stopped(deletes, of) {
      report({ kind: "stopped", deletes, of });
      for (const one of known.values()) one.keeper.wake();
    },
  });
  const follows = following(owners, options, guard, ends.signal, hear);
  const meet = meeting(owners, options, guard, follows);
  const done = (owner: InstanceId): Stamp | undefined => {
    const stamp = landed.get(owner);
    return stamp !== undefined && stamp.sentMs <= joint.horizonMs() ? stamp : undefined;
  };

  const forgetSilent = (): void => {
    const nowMs = clock.now();
    for (const [owner, one] of known) {
      if (nowMs - one.heardAtMs < SILENT_MS) continue;
      const { word, landed: last } = one;
      void follows.leave(owner, one, "silent").then(() => {
        if (last !== word.stamp) giveUp(owner, word);
      });
    }
    for (const [owner, { word, sinceMs }] of doubts) {
      // Had there been a newer one, it would have been sent again by now: nobody speaks for the owner any more.
      if (nowMs - sinceMs < SILENT_MS) continue;
      doubts.delete(owner);
      giveUp(owner, word);
    }
  };
  /** Nothing of it is in the zone, and nobody waits for it: it need not stay in the queue. */
  const giveUp = (owner: InstanceId, { stamp }: Word): void => {
    const last = landed.get(owner);
    if (last !== undefined && isNewer(last, stamp)) return;
    joint.stood(stamp.sentMs, false);
    follows.done(owner, stamp);
  };

  return {
    done,
    take: hear,
    moved() {
      for (const owner of [...unfenced].filter((each) => done(each) !== undefined)) {
        unfenced.delete(owner);
        release(owner);
      }
    },
    tend() {
      for (const [owner, one] of known) follows.letGo(owner, one);
      forgetSilent();
      if (!guard.review()) return;
      report({ kind: "resumed" });
      for (const [owner, one] of known) {
        one.keeper.wake();
        void follows.follow(owner, one);
      }
    },
    compare: (found, sinceMs) => compareAll(owners, options, follows, found, sinceMs),
    unsure: () => ({ owners: new Set(owners.unsure.keys()), names: namesOf() }),
    settle: (some, found, names, sinceMs) => compareSome(owners, some, found, names, sinceMs),
    async close() {
      ends.abort();
      await Promise.all([
        ...[...known.values()].map((one) => one.keeper.close()),
        ...[...owners.leaving.values()].map((one) => one.done),
      ]);
    },
    views: () =>
      [...known].map(([owner, { keeper, word }]) => ({
        owner,
        records: keeper.size(),
        pending: keeper.pending(),
        sentMs: word.stamp.sentMs,
        held: keeper.hold()?.keys.size ?? 0,
        refused: keeper.refused(),
      })),
    counts: () => ({ heard: known.size, silent: bases.size, doubtful: doubts.size }),
    isStopped: guard.isStopped,
    size: () => sizeOf(owners),
  };

  function hear(word: Word): void {
    const { owner } = word;
    const one = known.get(owner);
    const leaving = owners.leaving.get(owner);
    if (leaving !== undefined) {
      leaving.word = { ...word, direct: word.direct || leaving.word?.direct === true };
    } else if (one === undefined) {
      meet(word);
    } else {
      if (word.direct) owners.unsure.set(owner, clock.now());
      follows.apply(owner, one, word);
    }
  }

  /** Where the unsure owners have records, or ask for some. */
  function namesOf(): ReadonlySet<string> {
    const names = new Set<string>();
    for (const owner of owners.unsure.keys()) {
      const one = known.get(owner);
      if (one === undefined) continue;
      for (const key of [...one.keeper.published().keys(), ...one.word.set.records.keys()]) {
        names.add(nameIn(key));
      }
    }
    return names;
  }
}

const nameIn = (key: RecordKey): string => key.slice(0, key.indexOf(" "));
