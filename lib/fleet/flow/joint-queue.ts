import { type BatchLimits, costOf } from "../../route53/batches.ts";
import type { Submission } from "../../route53/flow/zone-writer.ts";
import type { Change } from "../../route53/plan.ts";
import { keyOf } from "../../route53/record-set.ts";
import { readRefusal } from "../../route53/refusal.ts";

/** What one owner's writer hands over: all of it lands with one request, or none. */
export interface Entry {
  readonly changes: readonly Change[];
  /** Of the newest set behind it: when it was sent, in SQS's Unix ms. */
  readonly sentMs: number;
  /** When it was handed over, in the clock's ms. */
  readonly atMs: number;
  readonly settle: (submission: Submission) => void;
  readonly fail: (error: unknown) => void;
}

export interface JointQueue {
  add(entry: Entry): void;
  /** The entries of the next request; none while nothing waits. */
  next(): readonly Entry[];
  /** Back to the front: their request had no effect. */
  putBack(batch: readonly Entry[]): void;
  /** Settles what the answer settles, and lines up again what it does not. */
  answered(batch: readonly Entry[], submission: Submission): void;
  /** Since when the first one waits; undefined for none. */
  sinceMs(): number | undefined;
  /** There is more than one request's worth, or something that has been in one before. */
  isUrgent(): boolean;
  size(): number;
  /** Nothing is sent any more: everybody who waits hears why, and so does whoever comes later. */
  close(error: unknown): void;
}

/**
 * Lines up what several owners want for requests that each hold as much as fits, in the order in which it came.
 *
 * Of a refused request with several owners' changes nobody is told. Those that the refusal names go alone from then on,
 * and only then hear of it: what one owner's change is refused for may be another's in the same request. Where it names
 * none, each half goes by itself. Such retries take turns with what came meanwhile, so that it is not held up.
 */
export function jointQueue(limits: BatchLimits): JointQueue {
  let waiting: Entry[] = [];
  const retries: (readonly Entry[])[] = [];
  let isRetrysTurn = true;
  let hasReturned = false;
  let closed: { readonly error: unknown } | undefined;

  const fitting = (): number => {
    let { records, characters } = limits;
    const full = waiting.findIndex(({ changes }) => {
      for (const change of changes) {
        const cost = costOf(change);
        records -= cost.records;
        characters -= cost.characters;
      }
      return records < 0 || characters < 0;
    });
    return full === -1 ? waiting.length : Math.max(1, full);
  };

  return {
    add(entry) {
      if (closed === undefined) waiting.push(entry);
      else entry.fail(closed.error);
    },
    next() {
      const retry = isRetrysTurn || waiting.length === 0 ? retries.shift() : undefined;
      isRetrysTurn = !isRetrysTurn;
      if (retry !== undefined) return retry;
      const batch = waiting.slice(0, fitting());
      waiting = waiting.slice(batch.length);
      hasReturned = false;
      return batch;
    },
    putBack(batch) {
      if (batch.length === 0) return;
      waiting = [...batch, ...waiting];
      hasReturned = true;
    },
    answered(batch, submission) {
      if (submission.kind === "accepted" || batch.length === 1) {
        for (const entry of batch) entry.settle(submission);
        return;
      }
      const verdicts = readRefusal(
        submission.message,
        batch.flatMap(({ changes }) => changes),
      );
      const named = new Set(verdicts.map(({ key }) => key));
      const isNamed = ({ changes }: Entry) =>
        changes.some(({ record }) => named.has(keyOf(record)));
      if (named.size === 0) {
        const half = Math.ceil(batch.length / 2);
        retries.push(batch.slice(0, half), batch.slice(half));
        return;
      }
      retries.push(...batch.filter(isNamed).map((entry) => [entry]));
      this.putBack(batch.filter((entry) => !isNamed(entry)));
    },
    sinceMs: () => retries[0]?.[0]?.atMs ?? waiting[0]?.atMs,
    isUrgent: () => retries.length > 0 || hasReturned || fitting() < waiting.length,
    close(error) {
      closed = { error };
      for (const entry of [...waiting, ...retries.flat()]) entry.fail(error);
      waiting = [];
      retries.length = 0;
    },
    size: () => waiting.length + retries.reduce((sum, batch) => sum + batch.length, 0),
  };
}
