import { backoffMs } from "../../kit/backoff.ts";
import { causes, Fatal, Unavailable } from "../../kit/failure.ts";
import type { Clock, Random } from "../../kit/flow/clock.ts";
import { doorbell } from "../../kit/flow/doorbell.ts";
import { rest } from "../../kit/flow/rest.ts";
import type { BatchLimits } from "../../route53/batches.ts";
import type { Submission } from "../../route53/flow/zone-writer.ts";
import type { Change } from "../../route53/plan.ts";
import { type Fence, type FenceMove, fenceName, isFenceRefusal, moveOf } from "../fence.ts";
import { type Entry, jointQueue } from "./joint-queue.ts";

/** Each function throws `Unavailable` when trying again may help, anything else when it can't. */
export interface FencedZone {
  /** Sends the changes and the fence's move as one batch: all of it lands, or none. */
  readonly submit: (batch: readonly Change[], fence: FenceMove) => Promise<Submission>;
  /** The text of the TXT record at the fence's name; undefined where there is none. */
  readonly fence: (name: string) => Promise<string | undefined>;
}

type AskedResult = "ok" | "refused" | "throttled" | "busy" | "unavailable";
export type JointReport =
  | {
      readonly kind: "asked";
      readonly result: AskedResult;
      readonly changes: number;
      readonly seconds: number;
    }
  | { readonly kind: "waits"; readonly problem: string; readonly delayMs?: number };

interface JointStanding {
  /** Owners whose changes wait. */
  readonly waiting: number;
  /** Since when they do, and nothing was accepted; like the next one in the clock's ms. */
  readonly overdueSinceMs: number | undefined;
  readonly acceptedAtMs: number | undefined;
  readonly lastMiss: string | undefined;
}

export interface JointWriter {
  /** Resolves with how the changes were received; several owners' go in one request. */
  submit(changes: readonly Change[], sentMs: number): Promise<Submission>;
  /** A set that was sent then is in the zone without a request: the fence is to say so, soon or when it moves anyway. */
  stood(sentMs: number, soon: boolean): void;
  /** What the zone's fence says for certain; see `Fence`. */
  horizonMs(): number;
  /** Until the stop, and on until nothing waits. Rejects with `Fatal` when another writer has taken over. */
  run(stop: AbortSignal): Promise<void>;
  standing(): JointStanding;
}

export interface JointWriterOptions {
  readonly zone: FencedZone;
  readonly zoneName: string;
  /** As it stands in the zone now, taken by this writer. */
  readonly fence: Fence;
  /** Of the changes in a request, the fence's own left out. */
  readonly limits: BatchLimits;
  readonly clock: Clock;
  readonly random: Random;
  readonly unixMs: () => number;
  readonly report: (report: JointReport) => void;
  /** The fence has moved: what was sent until then, and has landed, may be deleted from the queue. */
  readonly moved: (horizonMs: number) => void;
}

/** Everything that comes within this time goes in one request. */
const GATHER_MS = 100;
/** Half of the 10 requests a second that the account has: the rest is for others. */
const GAP_MS = 200;
/** The fence is written at least this often, so that hosts see that their writer is alive. */
const HEARTBEAT_MS = 60_000;
/** A set that changed nothing, but came out of turn, is remembered in the fence within this time. */
const SOON_MS = 1_000;
const BACKOFF = { baseMs: 100, capMs: 5_000 };
const NEVER = Number.POSITIVE_INFINITY;

/**
 * Writes for many owners with one request at a time.
 *
 * Promises:
 * - each request moves the fence: it changes nothing when another writer has moved it meanwhile, and then this one ends;
 * - a lost answer is looked up in the fence, so that what landed counts as landed;
 * - a refusal reaches the owner it is about; all others' changes go with the next request;
 * - throttling and a busy zone are waited out here, for all owners together.
 */
export function jointWriter(options: JointWriterOptions): JointWriter {
  const { zone, clock, random, unixMs, report, moved } = options;
  const name = fenceName(options.zoneName);
  const bell = doorbell();
  const queue = jointQueue(options.limits);
  let fence = options.fence;
  /** Of requests whose answer was lost: the fence as it is should they land after all. */
  const lost = new Map<string, Fence>();
  let stood = { untilMs: 0, byMs: NEVER };
  let sentAtMs = Number.NEGATIVE_INFINITY;
  let writtenAtMs = clock.now();
  let acceptedAtMs: number | undefined;
  let overdueSinceMs: number | undefined;
  let lastMiss: string | undefined;
  let misses = 0;

  const landed = (after: Fence): Submission => {
    fence = after;
    lost.clear();
    writtenAtMs = clock.now();
    acceptedAtMs = writtenAtMs;
    if (stood.untilMs <= after.horizonMs) stood = { untilMs: 0, byMs: NEVER };
    moved(after.horizonMs);
    return { kind: "accepted" };
  };

  const send = async (changes: readonly Change[], move: FenceMove): Promise<Submission> => {
    sentAtMs = clock.now();
    const tell = (result: AskedResult): void =>
      report({
        kind: "asked",
        result,
        changes: changes.length,
        seconds: (clock.now() - sentAtMs) / 1000,
      });
    try {
      const submission = await zone.submit(changes, move);
      tell(submission.kind === "accepted" ? "ok" : "refused");
      return submission;
    } catch (error) {
      if (error instanceof Unavailable) tell(resultOf(error));
      throw error;
    }
  };

  /** One request. Comes back with its answer, having looked up one that was lost. */
  const ask = async (batch: readonly Entry[]): Promise<Submission> => {
    const after: Fence = {
      writer: options.fence.writer,
      count: fence.count + 1,
      horizonMs: Math.max(fence.horizonMs, stood.untilMs, ...batch.map(({ sentMs }) => sentMs)),
      atMs: Math.round(unixMs()),
    };
    const changes = batch.flatMap((entry) => entry.changes);
    const move = moveOf(name, fence, after);
    try {
      const submission = await send(changes, move);
      if (submission.kind === "accepted") return landed(after);
      if (!isFenceRefusal(submission.message, name)) return submission;
    } catch (error) {
      if (!(error instanceof Unavailable) || !error.mayHaveLanded) throw error;
      lost.set(move.after, after);
      if ((await zone.fence(name)) === move.after) return landed(after);
      // It may still be on its way: then the next request is refused, and the fence says why.
      throw error;
    }
    const found = await zone.fence(name);
    const late = found === undefined ? undefined : lost.get(found);
    if (late === undefined) throw takenOver(name, move.before, found);
    landed(late);
    throw new Unavailable("Route 53", "took an earlier request late", {
      mayHaveLanded: false,
      demand: "later",
    });
  };

  const step = async (): Promise<void> => {
    const batch = queue.next();
    try {
      const submission = await ask(batch);
      if (submission.kind === "refused" && batch.length === 0) {
        throw new Fatal(`Route 53 refuses the record ${name}: ${submission.message}`);
      }
      queue.answered(batch, submission);
      misses = 0;
      lastMiss = undefined;
      overdueSinceMs = undefined;
    } catch (error) {
      if (!(error instanceof Unavailable)) {
        for (const entry of batch) entry.fail(error);
        throw error;
      }
      if (error.mayHaveLanded) for (const entry of batch) entry.fail(error);
      else queue.putBack(batch);
      misses += 1;
      lastMiss = causes(error);
      const delayMs = Math.max(GAP_MS, backoffMs(misses, BACKOFF, random()));
      report({ kind: "waits", problem: lastMiss, delayMs });
      await clock.sleep(delayMs);
    }
    watch();
  };
  const watch = (): void => {
    if (queue.size() === 0) overdueSinceMs = undefined;
    else overdueSinceMs ??= clock.now();
  };

  /** When the next request is due, in the clock's ms. */
  const dueAtMs = (): number => {
    const sinceMs = queue.sinceMs();
    const changesMs = sinceMs === undefined ? NEVER : sinceMs + (queue.isUrgent() ? 0 : GATHER_MS);
    return Math.max(sentAtMs + GAP_MS, Math.min(changesMs, stood.byMs, writtenAtMs + HEARTBEAT_MS));
  };

  return {
    submit(changes, sentMs) {
      const { promise, resolve: settle, reject: fail } = Promise.withResolvers<Submission>();
      queue.add({ changes, sentMs, atMs: clock.now(), settle, fail });
      watch();
      bell.ring();
      return promise;
    },
    stood(sentMs, soon) {
      if (sentMs <= fence.horizonMs) return;
      stood = {
        untilMs: Math.max(stood.untilMs, sentMs),
        byMs: soon ? Math.min(stood.byMs, clock.now() + SOON_MS) : stood.byMs,
      };
      bell.ring();
    },
    horizonMs: () => fence.horizonMs,
    async run(stop) {
      try {
        while (!stop.aborted || queue.size() > 0) {
          const atMs = dueAtMs();
          if (stop.aborted || atMs <= clock.now()) await step();
          else await rest({ clock, bell }, atMs, stop);
        }
      } catch (error) {
        queue.close(error);
        throw error;
      }
    },
    standing: () => ({ waiting: queue.size(), overdueSinceMs, acceptedAtMs, lastMiss }),
  };
}

function resultOf({ demand }: Unavailable): AskedResult {
  if (demand === "fewer") return "throttled";
  return demand === "later" ? "busy" : "unavailable";
}

const takenOver = (name: string, expected: string | undefined, found: string | undefined): Fatal =>
  new Fatal(
    `another writer has taken over the zone, and this one ends: ${name} holds ${found === undefined ? "nothing" : `"${found}"`}, expected "${expected}"`,
  );
