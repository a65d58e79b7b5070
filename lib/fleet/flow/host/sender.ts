import type { InstanceId } from "../../../ecs/arn.ts";
import { backoffMs } from "../../../kit/backoff.ts";
import { causes, Unavailable } from "../../../kit/failure.ts";
import type { Clock, Random } from "../../../kit/flow/clock.ts";
import type { Doorbell } from "../../../kit/flow/doorbell.ts";
import { rest } from "../../../kit/flow/rest.ts";
import type { Standing } from "../../../route53/flow/zone-writer.ts";
import { type Change, type Published, plan } from "../../../route53/plan.ts";
import type { RecordKey, RecordSet } from "../../../route53/record-set.ts";
import { formatMessage } from "../../../sqs/message.ts";
import { CONFIRM_MS, shrinks } from "../../shrink.ts";
import { toWire, type ZoneNames } from "../../wire.ts";

export type SenderReport =
  | {
      readonly kind: "sent";
      readonly changes: readonly Change[];
      readonly records: number;
      readonly messages: number;
      readonly bytes: number;
      readonly why: Why;
    }
  | { readonly kind: "waits"; readonly problem: string; readonly delayMs: number };

/** Why a set is sent: it differs from the last one, it is due again, or the writer is to hear it once more. */
type Why = "changed" | "repeat" | "confirm" | "new writer" | "last";

export interface SenderOptions {
  readonly desired: () => ReadonlyMap<RecordKey, RecordSet>;
  readonly kept: () => ReadonlySet<RecordKey>;
  /** Rung when something desired may have changed. */
  readonly bell: Doorbell;
  /** Resolves once the queue has taken the message; throws `Unavailable` when trying again may help. */
  readonly send: (body: string) => Promise<void>;
  /** `isNamed` false where the agent was not told the zone's name, and its records end in a word of their own. */
  readonly zone: ZoneNames & { readonly isNamed: boolean };
  readonly owner: InstanceId;
  readonly cluster: string;
  /** When the agent started, in Unix ms. */
  readonly epoch: number;
  /** This host has written into the zone by itself before. */
  readonly direct: () => boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly report: (report: SenderReport) => void;
}

export interface Sender {
  /** Sends until the stop. Rejects with whatever the port throws that is not `Unavailable`. */
  run(stop: AbortSignal): Promise<void>;
  /** Outside of a run: says for the last time what is asked for, `drain` when that is nothing. Tries for so long. */
  leave(drain: boolean, limitMs: number): Promise<void>;
  /** The set goes again soon: a writer is there that may not know it. */
  again(): void;
  /** Resolves when nothing was left to send, or at the stop. */
  settled(stop: AbortSignal): Promise<void>;
  /** What is sent counts as published. */
  standing(): Standing;
  sent(): {
    readonly seq: number;
    readonly atMs: number | undefined;
    readonly missingSinceMs: number | undefined;
  };
}

/** Everything that changes within this time goes in one message. */
const GATHER_MS = 100;
/** Queues may lose a message; nothing is lost for longer than this. */
const REPEAT_MS = 900_000;
/**
 * A set that removes most of what there was is said again so much later, and from then on as one that is meant: a writer
 * that hears of it for the first time by then need not wait.
 */
const CONFIRM_AFTER_MS = CONFIRM_MS + 1_000;
/** A thousand hosts that see a new writer don't all speak at once. */
const NEW_WRITER_MS = 20_000;
const BACKOFF = { baseMs: 200, capMs: 5_000 };
const NEVER = Number.POSITIVE_INFINITY;

/**
 * Sends a host's whole desired set to the queue whenever it differs from the one sent last, and again now and then. One
 * message is under way at a time; while the queue does not take it, newer sets take its place, never a backlog.
 */
export function sender(options: SenderOptions): Sender {
  const { clock, random, bell, report } = options;
  const startedMs = clock.now();
  let published: ReadonlyMap<RecordKey, Published> = new Map();
  let keptThen: ReadonlySet<RecordKey> = new Set();
  let seq = 0;
  let sentAtMs: number | undefined;
  let due: { readonly atMs: number; readonly why: Why } = { atMs: startedMs, why: "changed" };
  let confirmAtMs = NEVER;
  let missingSinceMs: number | undefined;
  let settledAtMs: number | undefined;
  let waitingForSettled: (() => void)[] = [];

  const difference = (): readonly Change[] => plan(published, options.desired(), options.kept());
  const differs = (): boolean => difference().length > 0 || !sameKeys(keptThen, options.kept());

  /** Whether going from what was sent last to this looks like a mistake to the writer; of the first set nobody knows. */
  const removesMost = (
    records: ReadonlyMap<RecordKey, RecordSet>,
    keeps: ReadonlySet<RecordKey>,
  ) => {
    const before = new Set([...published.keys(), ...keptThen]);
    const gone = [...before].filter((key) => !records.has(key) && !keeps.has(key));
    return sentAtMs === undefined || shrinks(before.size, gone.length);
  };

  const post = async (why: Why, more: { drain: boolean; leaves: boolean }): Promise<void> => {
    // All of it at one moment: what changes while the message is under way goes with the next one.
    const records = options.desired();
    const kept = new Set(options.kept());
    const changes = difference();
    const isSudden = removesMost(records, kept);
    const isMeant = why === "confirm" || (confirmAtMs === NEVER && !isSudden);
    seq += 1;
    const head = {
      zone: options.zone.id,
      ...(options.zone.isNamed && { zoneName: options.zone.name }),
      owner: options.owner,
      cluster: options.cluster,
      epoch: options.epoch,
      seq,
      upMs: Math.round(clock.now() - startedMs),
      direct: options.direct(),
      leaves: more.leaves,
      drain: more.drain || isMeant,
    };
    const keeps = [...kept].filter((key) => !records.has(key));
    const bodies = formatMessage(toWire(head, options.zone.name, records.values(), keeps));
    for (const body of bodies) await options.send(body);
    if (isSudden) confirmAtMs = clock.now() + CONFIRM_AFTER_MS;
    else if (why === "confirm") confirmAtMs = NEVER;
    published = new Map(
      [...records].map(([key, record]) => [key, { record, certain: true }] as const),
    );
    keptThen = kept;
    sentAtMs = clock.now();
    missingSinceMs = undefined;
    due = { atMs: sentAtMs + REPEAT_MS * (0.9 + random() / 10), why: "repeat" };
    const bytes = bodies.reduce((sum, { length }) => sum + length, 0);
    report({ kind: "sent", changes, records: records.size, messages: bodies.length, bytes, why });
  };

  const step = async (stop: AbortSignal): Promise<number> => {
    const nowMs = clock.now();
    const isChanged = sentAtMs === undefined || differs();
    if (isChanged) {
      await clock.sleep(GATHER_MS, stop).catch(() => {});
      await post("changed", STAYS);
      return clock.now();
    }
    settledAtMs = nowMs;
    for (const resolve of waitingForSettled) resolve();
    waitingForSettled = [];
    if (confirmAtMs <= nowMs) {
      await post("confirm", STAYS);
      return clock.now();
    }
    if (due.atMs <= nowMs) {
      await post(due.why, STAYS);
      return clock.now();
    }
    return Math.min(due.atMs, confirmAtMs);
  };

  const missed = (error: unknown, misses: number): number => {
    if (!(error instanceof Unavailable)) throw error;
    missingSinceMs ??= clock.now();
    const delayMs = backoffMs(misses, BACKOFF, random());
    report({ kind: "waits", problem: causes(error), delayMs });
    return delayMs;
  };

  return {
    async run(stop) {
      let misses = 0;
      while (!stop.aborted) {
        try {
          const nextMs = await step(stop);
          misses = 0;
          if (nextMs > clock.now()) await rest({ clock, bell }, nextMs, stop);
        } catch (error) {
          misses += 1;
          await clock.sleep(missed(error, misses), stop).catch(() => {});
        }
      }
    },
    async leave(drain, limitMs) {
      const untilMs = clock.now() + limitMs;
      for (let misses = 1; ; misses += 1) {
        try {
          await post("last", { drain, leaves: true });
          return;
        } catch (error) {
          const delayMs = missed(error, misses);
          if (clock.now() + delayMs >= untilMs) return;
          await clock.sleep(delayMs);
        }
      }
    },
    again() {
      const atMs = clock.now() + random() * NEW_WRITER_MS;
      if (atMs < due.atMs) due = { atMs, why: "new writer" };
      bell.ring();
    },
    settled(stop) {
      const { promise, resolve } = Promise.withResolvers<void>();
      waitingForSettled.push(resolve);
      if (stop.aborted) resolve();
      stop.addEventListener("abort", () => resolve(), { once: true });
      bell.ring();
      return promise;
    },
    standing: () => ({
      published,
      waiting: difference().map((change) => ({ change })),
      underWay: [],
      settledAtMs,
      overdueSinceMs: missingSinceMs,
      turnedAwaySinceMs: undefined,
    }),
    sent: () => ({ seq, atMs: sentAtMs, missingSinceMs }),
  };
}

const STAYS = { drain: false, leaves: false };

const sameKeys = (one: ReadonlySet<RecordKey>, other: ReadonlySet<RecordKey>): boolean =>
  one.size === other.size && [...one].every((key) => other.has(key));
