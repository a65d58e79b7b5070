import type { InstanceId } from "../../ecs/arn.ts";
import { causes } from "../../kit/failure.ts";
import type { Clock, Random } from "../../kit/flow/clock.ts";
import type { BatchLimits } from "../../route53/batches.ts";
import type { WriterReport } from "../../route53/flow/zone-writer.ts";
import type { Group } from "../../route53/group.ts";
import { type RecordKey, type RecordSet, sameRecord } from "../../route53/record-set.ts";
import { isNewer, isSame, type Stamp } from "../../sqs/order.ts";
import type { OwnerSet } from "../wire.ts";
import { type DeleteGuard, deleteGuard } from "./delete-guard.ts";
import type { JointWriter } from "./joint-writer.ts";
import { type Keeper, keeper } from "./keeper.ts";

/** An owner's newest set, as a message brought it. */
export interface Word {
  readonly owner: InstanceId;
  readonly set: OwnerSet;
  readonly stamp: Stamp;
  /** When its agent started, in SQS's Unix ms. */
  readonly startedMs: number;
  /** Its host has written into the zone by itself before. */
  readonly direct: boolean;
}

export type FleetReport =
  | { readonly kind: "wrote"; readonly owner: InstanceId; readonly report: WriterReport }
  | { readonly kind: "joined" | "left" | "silent"; readonly owner: InstanceId }
  /** A set that would remove most of its owner's records waits to be sent again. */
  | {
      readonly kind: "held";
      readonly owner: InstanceId;
      readonly records: number;
      readonly of: number;
    }
  /** A set of unknown age differs from the zone: a newer one is waited for. */
  | { readonly kind: "doubtful"; readonly owner: InstanceId }
  | { readonly kind: "stopped"; readonly deletes: number; readonly of: number }
  | { readonly kind: "resumed" }
  | {
      readonly kind: "drift";
      readonly owner: InstanceId;
      readonly records: number;
      readonly names: readonly string[];
    }
  | { readonly kind: "waits"; readonly problem: string };

/** What is known of an owner's records without its word: what the zone held then, in Unix ms. */
interface Base {
  readonly records: ReadonlyMap<RecordKey, RecordSet>;
  readonly atMs: number;
  /** Its agent said that it leaves; nobody else has written for it until then. */
  readonly left: boolean;
}

interface Known {
  readonly keeper: Keeper;
  word: Word;
  heardAtMs: number;
  landed: Stamp | undefined;
  isFollowed: boolean;
  /** What this process has changed since the pass over the zone began. */
  readonly touched: Set<RecordKey>;
}

/** An owner that was not heard for so long is left as it is: its host repeats its set every 15 minutes. */
export const SILENT_MS = 1_200_000;
/** What an agent's start says of the time before it is off by no more than this. */
const MARGIN_MS = 60_000;
/** An agent that starts so soon after the one before it has left: nobody has written in between. */
const RESTART_MS = 120_000;
const REFUSED_RETRY_MS = 300_000;
const READ_AGAIN_MS = 2_000;

export interface OwnerView {
  readonly owner: InstanceId;
  readonly records: number;
  readonly pending: number;
  readonly heardAtMs: number;
  readonly sentMs: number;
  readonly held: number;
  readonly refused: readonly { readonly record: RecordSet; readonly message: string }[];
}

export interface ZoneFleet {
  /** The newest word of an owner; older ones are not for here. */
  take(word: Word): void;
  /** The stamp that landed last, and is remembered in the zone: everything up to it may be deleted from the queue. */
  done(owner: InstanceId): Stamp | undefined;
  /** The fence has moved. */
  moved(): void;
  /** Looks after those that fell silent, and after what was stopped. To be called every few seconds. */
  tend(): void;
  /** A pass over the zone begins. */
  passBegins(): void;
  /** What that pass has found of every owner. */
  passEnded(found: ReadonlyMap<InstanceId, ReadonlyMap<RecordKey, RecordSet>>): Promise<void>;
  /** Ends all that is kept. */
  close(): Promise<void>;
  owners(): readonly OwnerView[];
  /** Owners of records in the zone that are left as they are. */
  silent(): number;
  doubtful(): readonly InstanceId[];
  isStopped(): boolean;
  size(): number;
}

export interface ZoneFleetOptions {
  /** All records of ours in the zone, by owner, and when they were read, in Unix ms. */
  readonly found: ReadonlyMap<InstanceId, ReadonlyMap<RecordKey, RecordSet>>;
  readonly readAtMs: number;
  /** As the fence said it when this writer took it; see `Fence`. */
  readonly horizonMs: number;
  readonly joint: Pick<JointWriter, "submit" | "stood" | "horizonMs">;
  readonly group: (owner: InstanceId, name: string) => Promise<Group>;
  readonly limits: BatchLimits;
  readonly clock: Clock;
  readonly random: Random;
  readonly unixMs: () => number;
  readonly force: boolean;
  readonly report: (report: FleetReport) => void;
  /** What the owner has said until now may be deleted from the queue; see `done`. */
  readonly release: (owner: InstanceId) => void;
  readonly fail: (error: unknown) => void;
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
  const { clock, random, unixMs, joint, report, release, fail } = options;
  const known = new Map<InstanceId, Known>();
  const bases = new Map<InstanceId, Base>(
    [...options.found].map(([owner, records]) => [
      owner,
      { records, atMs: options.readAtMs, left: false },
    ]),
  );
  /** First words of owners whose names are read. */
  const reading = new Map<InstanceId, Word>();
  const doubts = new Map<InstanceId, { readonly word: Word; readonly sinceMs: number }>();
  /** Of each owner what has landed last, or was given up; and those for whom the fence does not say so yet. */
  const landedOf = new Map<InstanceId, Stamp>();
  const unfenced = new Set<InstanceId>();
  const ends = new AbortController();

  const size = (): number => {
    let sum = 0;
    for (const { records } of bases.values()) sum += records.size;
    for (const one of known.values()) sum += one.keeper.published().size;
    return sum;
  };
  const guard: DeleteGuard = deleteGuard({
    clock,
    size: cached(size, clock),
    unwanted: () => [...known.values()].reduce((sum, one) => sum + one.keeper.unwanted(), 0),
    force: options.force,
    stopped(deletes, of) {
      report({ kind: "stopped", deletes, of });
      for (const one of known.values()) one.keeper.wake();
    },
  });

  const landed = (owner: InstanceId, one: Known, stamp: Stamp): void => {
    one.landed = stamp;
    landedOf.set(owner, stamp);
    if (stamp.sentMs <= joint.horizonMs()) release(owner);
    else unfenced.add(owner);
    if (one.word.stamp === stamp && one.word.set.leaves) void leave(owner, one, true);
  };

  /** Waits until what the owner asks for now is in the zone. */
  const follow = async (owner: InstanceId, one: Known): Promise<void> => {
    if (one.isFollowed) return;
    one.isFollowed = true;
    while (one.landed !== one.word.stamp && known.get(owner) === one) {
      const { stamp } = one.word;
      const isSettled = await one.keeper.settled();
      if (ends.signal.aborted) return;
      if (!isSettled || one.word.stamp !== stamp) continue;
      if (one.keeper.hold() !== undefined) break;
      if (guard.isStopped() && one.keeper.unwanted() > 0) break;
      landed(owner, one, stamp);
    }
    one.isFollowed = false;
  };

  const apply = (owner: InstanceId, one: Known, word: Word): void => {
    const before = one.word;
    const heldBefore = one.keeper.hold();
    one.word = word;
    one.heardAtMs = clock.now();
    one.keeper.put(word.set, word.stamp.sentMs);
    const hold = one.keeper.hold();
    if (hold !== undefined && heldBefore === undefined) {
      const of = one.keeper.published().size;
      report({ kind: "held", owner, records: hold.keys.size, of });
    }
    if (hold === undefined && one.keeper.pending() === 0) {
      const { epoch, seq } = word.stamp;
      const isNext =
        one.landed === before.stamp && before.stamp.epoch === epoch && before.stamp.seq + 1 === seq;
      joint.stood(word.stamp.sentMs, !isNext);
      landed(owner, one, word.stamp);
      return;
    }
    void follow(owner, one);
  };

  const open = (word: Word, published: Iterable<RecordSet>): void => {
    const { owner } = word;
    bases.delete(owner);
    const touched = new Set<RecordKey>();
    const one: Known = {
      keeper: keeper({
        ...options,
        published,
        group: (name) => options.group(owner, name),
        admit: guard.admit,
        isKept: guard.isStopped,
        refusedRetryMs: REFUSED_RETRY_MS,
        report(told) {
          if (told.kind === "landed")
            for (const { record } of told.changes) touched.add(key(record));
          report({ kind: "wrote", owner, report: told });
        },
        fail,
      }),
      word,
      heardAtMs: clock.now(),
      landed: undefined,
      isFollowed: false,
      touched,
    };
    known.set(owner, one);
    report({ kind: "joined", owner });
    apply(owner, one, word);
  };

  /** From here on its records are left as they are. */
  const leave = async (owner: InstanceId, one: Known, left: boolean): Promise<void> => {
    known.delete(owner);
    const records = one.keeper.published();
    bases.set(owner, { records, atMs: unixMs(), left });
    report({ kind: left ? "left" : "silent", owner });
    await one.keeper.close();
  };

  /** Reads what the zone holds of the owner under the names that it has or asks for. */
  const readNames = async (word: Word): Promise<void> => {
    const { owner } = word;
    reading.set(owner, word);
    const names = new Set(
      [...(bases.get(owner)?.records.values() ?? []), ...word.set.records.values()].map(
        ({ name }) => name,
      ),
    );
    const records: RecordSet[] = [];
    for (const name of names) {
      for (;;) {
        if (ends.signal.aborted) return;
        try {
          records.push(...(await options.group(owner, name)).own);
          break;
        } catch (error) {
          report({ kind: "waits", problem: causes(error) });
          await clock.sleep(READ_AGAIN_MS * (0.5 + random()), ends.signal).catch(() => {});
        }
      }
    }
    const newest = reading.get(owner) ?? word;
    reading.delete(owner);
    open(newest, records);
  };

  /** An owner that is not known, or was silent. */
  const meet = (word: Word): void => {
    const { owner, stamp, startedMs, direct } = word;
    const base = bases.get(owner);
    const before = landedOf.get(owner);
    const mayBeOld =
      before === undefined && stamp.sentMs <= options.horizonMs && !holds(base, word.set);
    if (mayBeOld) {
      doubts.set(owner, { word, sinceMs: clock.now() });
      report({ kind: "doubtful", owner });
      return;
    }
    doubts.delete(owner);
    const atMs = base?.atMs ?? options.readAtMs;
    const wasThere = startedMs < atMs - MARGIN_MS;
    const cameBack = base?.left === true && startedMs < atMs + RESTART_MS;
    if (!direct && (wasThere || cameBack)) open(word, base?.records.values() ?? []);
    else readNames(word).catch(fail);
  };

  return {
    take(word) {
      const { owner } = word;
      const one = known.get(owner);
      if (one !== undefined) apply(owner, one, word);
      else if (reading.has(owner)) reading.set(owner, word);
      else meet(word);
    },
    done(owner) {
      const stamp = landedOf.get(owner);
      return stamp !== undefined && stamp.sentMs <= joint.horizonMs() ? stamp : undefined;
    },
    moved() {
      for (const owner of unfenced) {
        if (this.done(owner) === undefined) continue;
        unfenced.delete(owner);
        release(owner);
      }
    },
    tend() {
      for (const [owner, one] of known) {
        if (clock.now() - one.heardAtMs >= SILENT_MS) void leave(owner, one, false);
      }
      for (const [owner, { word, sinceMs }] of doubts) {
        // Had there been a newer one, it would have been sent again by now: nobody speaks for the owner any more.
        if (clock.now() - sinceMs < SILENT_MS) continue;
        doubts.delete(owner);
        landedOf.set(owner, word.stamp);
        release(owner);
      }
      if (!guard.review()) return;
      report({ kind: "resumed" });
      for (const [owner, one] of known) {
        one.keeper.wake();
        void follow(owner, one);
      }
    },
    passBegins() {
      for (const { touched } of known.values()) touched.clear();
    },
    async passEnded(found) {
      for (const owner of new Set([...bases.keys(), ...found.keys()])) {
        if (known.has(owner) || reading.has(owner)) continue;
        const base = bases.get(owner);
        const records = found.get(owner);
        if (records === undefined) bases.delete(owner);
        else
          bases.set(owner, {
            records,
            atMs: base?.atMs ?? options.readAtMs,
            left: base?.left ?? false,
          });
      }
      for (const [owner, one] of [...known]) {
        await compare(owner, one, found.get(owner) ?? new Map());
      }
    },
    async close() {
      ends.abort();
      await Promise.all([...known.values()].map((one) => one.keeper.close()));
    },
    owners: () =>
      [...known].map(([owner, one]) => ({
        owner,
        records: one.keeper.published().size,
        pending: one.keeper.pending(),
        heardAtMs: one.heardAtMs,
        sentMs: one.word.stamp.sentMs,
        held: one.keeper.hold()?.keys.size ?? 0,
        refused: one.keeper.refused(),
      })),
    silent: () => bases.size,
    doubtful: () => [...doubts.keys()],
    isStopped: guard.isStopped,
    size,
  };

  /** Repairs what the zone holds otherwise than this process has left it. */
  async function compare(
    owner: InstanceId,
    one: Known,
    found: ReadonlyMap<RecordKey, RecordSet>,
  ): Promise<void> {
    const published = one.keeper.published();
    const differs = new Map<RecordKey, RecordSet | undefined>();
    for (const [at, record] of found) {
      const ours = published.get(at);
      if (!one.touched.has(at) && (ours === undefined || !sameRecord(ours, record))) {
        differs.set(at, record);
      }
    }
    for (const at of published.keys()) {
      if (!one.touched.has(at) && !found.has(at)) differs.set(at, undefined);
    }
    if (differs.size === 0 || known.get(owner) !== one) return;
    const names = [...new Set([...differs.keys()].map((at) => at.split(" ")[0] ?? ""))];
    report({ kind: "drift", owner, records: differs.size, names });
    const isStrange = [...differs].some(
      ([at, record]) => record !== undefined && !published.has(at),
    );
    // Somebody writes in the owner's name: the host itself, most likely. Its next word settles it.
    if (isStrange) {
      await leave(owner, one, false);
      const base = bases.get(owner);
      if (base !== undefined) bases.set(owner, { ...base, records: found, atMs: 0 });
    } else await one.keeper.correct(differs);
  }
}

const key = (record: RecordSet): RecordKey =>
  `${record.name} ${record.type} ${record.setIdentifier}` as RecordKey;

/** True when the zone already is as the set asks. */
function holds(base: Base | undefined, { records, keeps }: OwnerSet): boolean {
  const published = base?.records ?? new Map<RecordKey, RecordSet>();
  for (const [at, record] of records) {
    const there = published.get(at);
    if (there === undefined || !sameRecord(there, record)) return false;
  }
  return [...published.keys()].every((at) => records.has(at) || keeps.has(at));
}

/** Looked up again after a while only: it is asked for with each delete. */
function cached(look: () => number, clock: Clock): () => number {
  let value = 0;
  let atMs = Number.NEGATIVE_INFINITY;
  return () => {
    if (clock.now() - atMs >= 5_000) {
      value = look();
      atMs = clock.now();
    }
    return value;
  };
}

/** True when a message of this stamp has nothing to say beyond what has landed. */
export const isCovered = (stamp: Stamp, landed: Stamp | undefined): boolean =>
  landed !== undefined && (isSame(stamp, landed) || isNewer(landed, stamp));
