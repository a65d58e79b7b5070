import { type BatchLimits, cutBatches } from "../core/batches.ts";
import { causes, Unavailable } from "../core/failure.ts";
import { accepted, type Change, type Published, plan, uncertain } from "../core/plan.ts";
import { keyOf, type RecordKey, type RecordSet, sameRecord } from "../core/record-set.ts";
import { readRefusal } from "../core/refusal.ts";
import type { Clock, Random } from "./clock.ts";
import { doorbell } from "./doorbell.ts";
import { patience } from "./patience.ts";
import { outOfPatience } from "./persist.ts";

/** How a batch was received. A refused batch changed nothing at all. */
export type Submission =
  | { readonly kind: "accepted" }
  | { readonly kind: "refused"; readonly message: string };

/** Sends one batch. Throws `Unavailable` when trying again may help, anything else when it can't. */
export type Submit = (batch: readonly Change[]) => Promise<Submission>;

/** The owner's own record sets at a name, as they are now. Throws as `Submit` does. */
type ReadName = (name: string) => Promise<readonly RecordSet[]>;

/** What the writer tells of its work, for the log. */
export type WriterReport =
  | { readonly kind: "landed"; readonly changes: readonly Change[] }
  | {
      readonly kind: "refused";
      readonly change: Change;
      readonly message: string;
      readonly retryMs: number;
    }
  | { readonly kind: "waits"; readonly problem: string; readonly delayMs: number };

export interface ZoneWriterOptions {
  readonly published: readonly RecordSet[];
  readonly desired: () => ReadonlyMap<RecordKey, RecordSet>;
  readonly kept: () => ReadonlySet<RecordKey>;
  readonly submit: Submit;
  readonly readName: ReadName;
  readonly limits: BatchLimits;
  readonly clock: Clock;
  readonly random: Random;
  /** How long Route 53 may stay unavailable before the writer gives up. */
  readonly patienceMs: number;
  /** How long a refused change waits before it is tried again as it was; an outside cause may be gone by then. */
  readonly refusedRetryMs: number;
  readonly report: (report: WriterReport) => void;
}

export interface ZoneWriter {
  /** Something desired may have changed. */
  wake(): void;
  /** The difference between desired and published now. */
  difference(): readonly Change[];
  /** Resolves when there was nothing left to send, or at the stop; what Route 53 refuses does not count. */
  settled(stop: AbortSignal): Promise<void>;
  /**
   * Sends until the stop signal; the request in flight at that moment still lands. Rejects when Route 53 stays
   * unavailable beyond the patience, and with whatever `submit` throws that is not `Unavailable`.
   */
  run(stop: AbortSignal): Promise<void>;
}

/**
 * Moves one zone from `published` to `desired`.
 *
 * Promises:
 * - one request in flight; while it is under way everything else gathers for the next one;
 * - what is sent is the difference at that moment: what came and went in between costs nothing;
 * - a refused change never holds up the rest of its batch, and is reported with Route 53's words;
 * - a lost answer is taken for neither yes nor no: the next plan settles what was in doubt.
 */
export function zoneWriter(options: ZoneWriterOptions): ZoneWriter {
  const { submit, clock, report } = options;
  const bell = doorbell();
  const tries = patience<"route53">({ ...options, limitMs: options.patienceMs });
  const refused = new Map<RecordKey, { readonly change: Change; readonly untilMs: number }>();
  let published: ReadonlyMap<RecordKey, Published> = new Map(
    options.published.map((record) => [keyOf(record), { record, certain: true }]),
  );
  let waitingForSettled: (() => void)[] = [];

  const difference = () => plan(published, options.desired(), options.kept());

  const isRefused = (change: Change): boolean => {
    const held = refused.get(keyOf(change.record));
    return (
      held !== undefined &&
      held.change.action === change.action &&
      sameRecord(held.change.record, change.record) &&
      clock.now() < held.untilMs
    );
  };

  const refuse = (change: Change, message: string): void => {
    const retryMs = options.refusedRetryMs;
    refused.set(keyOf(change.record), { change, untilMs: clock.now() + retryMs });
    report({ kind: "refused", change, message, retryMs });
  };

  const send = async (batch: readonly Change[]): Promise<Submission> => {
    try {
      const submission = await submit(batch);
      tries.hit("route53");
      if (submission.kind === "accepted") {
        published = accepted(published, batch);
        report({ kind: "landed", changes: batch });
      }
      return submission;
    } catch (error) {
      if (error instanceof Unavailable && error.mayHaveLanded) {
        published = uncertain(published, batch);
      }
      throw error;
    }
  };

  /** Acts on what a refusal says of each change it names; where it names none, finds the one to blame. */
  const sortOut = async (
    batch: readonly Change[],
    message: string,
    stop: AbortSignal,
  ): Promise<void> => {
    const verdicts = readRefusal(message, batch);
    if (verdicts.length === 0) return isolate(batch, message, stop);
    const changes = new Map(batch.map((change) => [keyOf(change.record), change]));
    for (const verdict of verdicts) {
      const change = changes.get(verdict.key);
      if (change === undefined) continue;
      if (verdict.kind === "already-gone") {
        published = accepted(published, [change]);
      } else if (verdict.kind === "differs") {
        await reread(change, verdict.message);
      } else {
        refuse(change, verdict.message);
      }
    }
  };

  const reread = async (change: Change, message: string) => {
    const records = await options.readName(change.record.name);
    const now = records.find((record) => keyOf(record) === keyOf(change.record));
    if (now === undefined) published = accepted(published, [{ ...change, action: "DELETE" }]);
    else if (sameRecord(now, change.record)) refuse(change, message);
    else published = accepted(published, [{ action: "UPSERT", record: now }]);
  };

  /**
   * Halves a refused batch until one change is to blame: about log2 n requests. Halves that are not tried on the way
   * are still part of the difference, so the next batch carries them.
   */
  const isolate = async (
    batch: readonly Change[],
    message: string,
    stop: AbortSignal,
  ): Promise<void> => {
    let suspects = batch;
    let words = message;
    while (suspects.length > 1) {
      if (stop.aborted) return;
      const half = suspects.slice(0, Math.ceil(suspects.length / 2));
      const submission = await send(half);
      if (submission.kind === "accepted") {
        suspects = suspects.slice(half.length);
      } else {
        suspects = half;
        words = submission.message;
        if (readRefusal(words, suspects).length > 0) return sortOut(suspects, words, stop);
      }
    }
    for (const change of suspects) refuse(change, words);
  };

  /** Sends what is due, if anything is. */
  const step = async (stop: AbortSignal): Promise<"sent" | "nothing due"> => {
    const changes = difference();
    const planned = new Set(changes.map((change) => keyOf(change.record)));
    for (const key of refused.keys()) if (!planned.has(key)) refused.delete(key);
    const due = changes.filter((change) => !isRefused(change));
    const [batch] = cutBatches(due, options.limits);
    if (batch === undefined) return "nothing due";
    const submission = await send(batch);
    if (submission.kind === "refused") await sortOut(batch, submission.message, stop);
    return "sent";
  };

  /** Until something may be due: a wake, the next retry of a refused change, or the stop signal. */
  const rest = async (stop: AbortSignal): Promise<void> => {
    const nextRetryMs = Math.min(...[...refused.values()].map(({ untilMs }) => untilMs));
    const woken = new AbortController();
    if (Number.isFinite(nextRetryMs)) {
      const timer = AbortSignal.any([woken.signal, stop]);
      clock.sleep(nextRetryMs - clock.now(), timer).then(bell.ring, ignoreAbort);
    }
    await bell.rung(stop);
    woken.abort();
  };

  return {
    difference,
    wake: () => bell.ring(),
    settled(stop) {
      const { promise, resolve } = Promise.withResolvers<void>();
      waitingForSettled.push(resolve);
      if (stop.aborted) resolve();
      stop.addEventListener("abort", () => resolve(), { once: true });
      bell.ring();
      return promise;
    },
    async run(stop) {
      while (!stop.aborted) {
        try {
          if ((await step(stop)) === "sent") continue;
          for (const resolve of waitingForSettled) resolve();
          waitingForSettled = [];
          await rest(stop);
        } catch (error) {
          if (!(error instanceof Unavailable)) throw error;
          const delayMs = tries.miss("route53");
          if (delayMs === undefined) throw outOfPatience(error, options.patienceMs);
          report({ kind: "waits", problem: causes(error), delayMs });
          await clock.sleep(delayMs, stop).catch(ignoreAbort);
        }
      }
    },
  };
}

/** A sleep rejects only when it is cut short, and whoever cut it short knows. */
const ignoreAbort = () => {};
