import { hadNoEffect } from "../../kit/failure.ts";
import type { Clock, Random } from "../../kit/flow/clock.ts";
import { doorbell } from "../../kit/flow/doorbell.ts";
import type { BatchLimits } from "../../route53/batches.ts";
import {
  type WriterPorts,
  type WriterReport,
  type ZoneWriter,
  zoneWriter,
} from "../../route53/flow/zone-writer.ts";
import type { Change, Published } from "../../route53/plan.ts";
import { keyOf, type RecordKey, type RecordSet } from "../../route53/record-set.ts";
import { type Hold, holdOf } from "../shrink.ts";
import type { OwnerSet } from "../wire.ts";
import type { DeleteGuard } from "./delete-guard.ts";
import type { JointWriter } from "./joint-writer.ts";

type Records = ReadonlyMap<RecordKey, RecordSet>;
/** What the zone was found to hold under these keys; undefined for nothing. */
export type Found = ReadonlyMap<RecordKey, RecordSet | undefined>;

/** Keeps one owner's records as its newest set asks. */
export interface Keeper {
  put(set: OwnerSet, sentMs: number): void;
  /** What of the newest set waits to be said again. */
  hold(): Hold | undefined;
  /** How many changes are still to be made, what is refused included. */
  pending(): number;
  /** A request is under way: what it adds or removes is not in `published` yet. */
  isSending(): boolean;
  /** Of the owner's records, those under way included, the ones that the newest set does not hold. */
  unwanted(): number;
  published(): ReadonlyMap<RecordKey, RecordSet>;
  /** How many they are. */
  size(): number;
  /** What Route 53 would not have, with its words. */
  refused(): readonly { readonly record: RecordSet; readonly message: string }[];
  /** Resolves with true when there was nothing left to send; with false when that could not be waited for. */
  settled(): Promise<boolean>;
  /** Looks again: whether records may be deleted has changed. */
  wake(): void;
  /**
   * Begins anew from what the zone was found to hold under some keys: a record, or nothing. Asks for them only once no
   * request is under way, so that nothing of what is published is about to change.
   */
  correct(find: (published: Records) => Found): Promise<void>;
  /** Ends; a request under way still lands. */
  close(): Promise<void>;
}

export interface KeeperOptions {
  readonly published: Iterable<RecordSet>;
  /** What the owner asks for; `put` follows when it asks for something else. */
  readonly set: OwnerSet;
  readonly sentMs: number;
  readonly joint: Pick<JointWriter, "submit">;
  readonly group: WriterPorts<never>["group"];
  /** Whether these may be deleted now; see `DeleteGuard`. */
  readonly admit: DeleteGuard["admit"];
  /** No record may be deleted at the moment. */
  readonly isKept: () => boolean;
  readonly limits: BatchLimits;
  readonly clock: Clock;
  readonly random: Random;
  readonly refusedRetryMs: number;
  readonly report: (report: WriterReport) => void;
  /** It failed, for good. */
  readonly fail: (error: unknown) => void;
}

/** Every key at once. */
const EVERYTHING: ReadonlySet<RecordKey> = Object.assign(new Set<RecordKey>(), { has: () => true });

/**
 * The zone writer that every host has for itself, at work for one host of many: its requests are joined with the others',
 * so it never waits for its turn, never gives up, and looks at nothing by itself.
 */
export function keeper(options: KeeperOptions): Keeper {
  const { clock, random, joint, admit, isKept } = options;
  const bell = doorbell();
  let { set, sentMs } = options;
  let hold = holdOf({
    published: [...options.published].map(keyOf),
    set,
    sentMs,
    before: undefined,
  });

  const kept = (): ReadonlySet<RecordKey> => {
    if (isKept()) return EVERYTHING;
    return hold === undefined ? set.keeps : new Set([...set.keeps, ...hold.keys]);
  };
  const begin = (published: Iterable<RecordSet>) => {
    const end = new AbortController();
    const writer: ZoneWriter = zoneWriter<never>({
      published: new Map(
        [...published].map((record): [RecordKey, Published] => [
          keyOf(record),
          { record, certain: true },
        ]),
      ),
      desired: () => set.records,
      kept,
      bell,
      zone: {
        async submit(batch) {
          const takeBack = admit(deletesOf(batch));
          try {
            const submission = await joint.submit(batch, sentMs);
            if (submission.kind === "refused" && submission.mayHaveLanded !== true) takeBack();
            return submission;
          } catch (error) {
            if (hadNoEffect(error)) takeBack();
            throw error;
          }
        },
        group: options.group,
        page: async () => ({ own: [], instances: [] }),
        remember: async () => {},
      },
      limits: options.limits,
      clock,
      random,
      patienceMs: Number.POSITIVE_INFINITY,
      refusedRetryMs: options.refusedRetryMs,
      auditMs: 0,
      hosts: 1,
      report: options.report,
    });
    return { writer, end, ended: writer.run(end.signal).catch(options.fail) };
  };
  let life = begin(options.published);

  const published = (): Records =>
    new Map([...life.writer.standing().published].map(([key, { record }]) => [key, record]));
  /** What the zone holds once the request under way has landed. */
  const expected = (): ReadonlySet<RecordKey> => {
    const { published: table, underWay } = life.writer.standing();
    const keys = new Set(table.keys());
    for (const { action, record } of underWay) {
      if (action === "DELETE") keys.delete(keyOf(record));
      else keys.add(keyOf(record));
    }
    return keys;
  };

  let isClosed = false;
  let beginning = Promise.resolve();
  const beginAgain = async (find: (published: Records) => Found) => {
    life.end.abort();
    await life.ended;
    if (isClosed) return;
    const before = published();
    life = begin(corrected(before, find(before)).values());
    bell.ring();
  };

  return {
    put(next, at) {
      hold = holdOf({ published: expected(), set: next, sentMs: at, before: hold });
      set = next;
      sentMs = at;
      bell.ring();
    },
    hold: () => hold,
    pending: () => life.writer.difference().length,
    isSending: () => life.writer.standing().underWay.length > 0,
    unwanted: () =>
      [...expected()].filter((key) => !set.records.has(key) && !set.keeps.has(key)).length,
    published,
    size: () => life.writer.standing().published.size,
    refused: () =>
      life.writer
        .standing()
        .waiting.flatMap(({ change, refused }) =>
          refused === undefined ? [] : [{ record: change.record, message: refused.message }],
        ),
    async settled() {
      await beginning;
      const { writer, end } = life;
      await writer.settled(end.signal);
      return !end.signal.aborted;
    },
    wake: bell.ring,
    correct(find) {
      beginning = beginning.then(() => beginAgain(find));
      return beginning;
    },
    async close() {
      isClosed = true;
      life.end.abort();
      await beginning;
      await life.ended;
    },
  };
}

/** The records with what was found in their place. */
export function corrected(records: Records, found: Found): Records {
  const after = new Map(records);
  for (const [key, record] of found) {
    if (record === undefined) after.delete(key);
    else after.set(key, record);
  }
  return after;
}

const deletesOf = (batch: readonly Change[]): readonly RecordKey[] =>
  batch.flatMap(({ action, record }) => (action === "DELETE" ? [keyOf(record)] : []));
