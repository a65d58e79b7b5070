import type { InstanceId } from "../../ecs/arn.ts";
import { backoffMs } from "../../kit/backoff.ts";
import { causes, Unavailable } from "../../kit/failure.ts";
import type { Clock, Random } from "../../kit/flow/clock.ts";
import { quote } from "../../kit/quote.ts";
import { type Message, parseMessage } from "../../sqs/message.ts";
import type { Stamp } from "../../sqs/order.ts";
import { type OwnerTable, ownerTable } from "../../sqs/owner-table.ts";
import { fromWire, type ZoneNames } from "../wire.ts";
import type { Judge } from "./bindings.ts";
import type { Word } from "./owners.ts";
import type { Receipts } from "./receipts.ts";

/** A message as the queue gave it out. */
export interface Given {
  readonly receipt: string;
  readonly body: string;
  readonly senderId: string;
  /** When the queue took it, in Unix ms. */
  readonly sentMs: number;
}

/** Each function throws `Unavailable` when trying again may help, anything else when it can't. */
export interface IntakePorts {
  /** Up to 10; waits a while for the first. Rejects with the signal's reason when it aborts. */
  readonly receive: (stop: AbortSignal) => Promise<readonly Given[]>;
  readonly hide: (receipts: readonly string[], seconds: number) => Promise<void>;
  /** Into the dead-letter queue, with why; undefined where there is none. */
  readonly bury: ((body: string, reason: string) => Promise<void>) | undefined;
}

const poisonKinds = ["malformed", "other zone", "liar", "unknown sender"] as const;
export type PoisonKind = (typeof poisonKinds)[number];

export type IntakeReport =
  | { readonly kind: "received"; readonly messages: number }
  | { readonly kind: "took"; readonly of: "newest" | "part" | "double" | "older" }
  /** Put aside for good. */
  | {
      readonly kind: "buried";
      readonly why: PoisonKind;
      readonly reason: string;
      readonly senderId: string;
    }
  /** ECS can't say who sent it; it is looked at again. */
  | { readonly kind: "unknown"; readonly reason: string; readonly senderId: string }
  | { readonly kind: "waits"; readonly problem: string };

export interface IntakeZone {
  readonly names: ZoneNames;
  readonly take: (word: Word) => void;
  /** The owner's stamp up to which everything is done with. */
  readonly done: (owner: InstanceId) => Stamp | undefined;
}

export interface Intake {
  /** Receives until the stop. */
  run(stop: AbortSignal): Promise<void>;
  /** When the queue last answered, in the clock's ms. */
  answeredAtMs(): number | undefined;
}

/** Of an unknown sender: kept so long, and looked at again each time. */
const UNKNOWN_LIMIT_MS = 900_000;
const UNKNOWN_AGAIN_SECONDS = 60;
const BACKOFF = { baseMs: 200, capMs: 5_000 };
/** SQS itself ends at 120,000 messages that are given out. */
const MOST_IN_HAND = 20_000;
const FULL_PAUSE_MS = 500;

/**
 * Takes messages from the queue, several loops at once, to the fleet of the zone that each is about: what is no message
 * of ours, or of a sender who does not speak for the owner that it names, goes to the dead-letter queue with the reason.
 */
export function intake({
  ports,
  zones,
  judge,
  receipts,
  loops,
  clock,
  random,
  unixMs,
  report,
}: {
  readonly ports: IntakePorts;
  /** By id. */
  readonly zones: ReadonlyMap<string, IntakeZone>;
  readonly judge: Judge;
  readonly receipts: Receipts;
  readonly loops: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly unixMs: () => number;
  readonly report: (report: IntakeReport) => void;
}): Intake {
  const tables = new Map<string, OwnerTable<string>>(
    [...zones.keys()].map((id) => [id, ownerTable<string>()]),
  );
  let answeredAtMs: number | undefined;
  const waits = (error: unknown): void => report({ kind: "waits", problem: causes(error) });

  /** For as long as it takes, or until the stop; false then. */
  const insist = async (act: () => Promise<void>, stop: AbortSignal): Promise<boolean> => {
    for (let tries = 1; !stop.aborted; tries += 1) {
      try {
        await act();
        return true;
      } catch (error) {
        if (stop.aborted) return false;
        if (!(error instanceof Unavailable)) throw error;
        waits(error);
        await clock.sleep(backoffMs(tries, BACKOFF, random()), stop).catch(() => {});
      }
    }
    return false;
  };

  const bury = async (given: Given, why: PoisonKind, reason: string, stop: AbortSignal) => {
    const { bury: put } = ports;
    if (put !== undefined && !(await insist(() => put(given.body, reason), stop))) return;
    receipts.drop(given.receipt);
    report({ kind: "buried", why, reason, senderId: given.senderId });
  };

  const lookAgainLater = async (given: Given, reason: string, stop: AbortSignal) => {
    if (unixMs() - given.sentMs > UNKNOWN_LIMIT_MS) {
      await bury(given, "unknown sender", reason, stop);
      return;
    }
    report({ kind: "unknown", reason, senderId: given.senderId });
    receipts.forget(given.receipt);
    await ports.hide([given.receipt], UNKNOWN_AGAIN_SECONDS).catch(waits);
  };

  const take = async (given: Given, message: Message, stop: AbortSignal): Promise<void> => {
    const zone = zones.get(message.zone);
    const table = tables.get(message.zone);
    if (zone === undefined || table === undefined) {
      const reason = `expected one of the zones ${[...zones.keys()].join(", ")}, got ${quote(message.zone)}`;
      await bury(given, "other zone", reason, stop);
      return;
    }
    const { epoch, seq, upMs } = message;
    const stamp: Stamp = { epoch, seq, sentMs: given.sentMs, startedMs: given.sentMs - upMs };
    const reading = table.read(message.owner, message, stamp);
    if (reading.kind === "torn") {
      await bury(given, "malformed", reading.problem, stop);
      return;
    }
    if (reading.kind === "newest") {
      const read = fromWire(reading.set, zone.names);
      if (!read.ok) {
        await bury(given, "malformed", read.problem, stop);
        return;
      }
      receipts.hold(holderOf(message), given.receipt, stamp);
      zone.take({ owner: read.owner, set: read.set, stamp, direct: message.direct });
    } else {
      receipts.hold(holderOf(message), given.receipt, stamp);
      const landed = zone.done(message.owner as InstanceId);
      if (landed !== undefined) receipts.release(holderOf(message), landed);
    }
    report({ kind: "took", of: reading.kind });
  };

  const handle = async (given: Given, stop: AbortSignal): Promise<void> => {
    receipts.keep(given.receipt);
    const read = parseMessage(given.body);
    if (!read.ok) {
      await bury(given, "malformed", read.problem, stop);
      return;
    }
    const { message } = read;
    let verdict = await judged();
    for (let tries = 1; verdict === undefined; tries += 1) {
      await clock.sleep(backoffMs(tries, BACKOFF, random()), stop).catch(() => {});
      if (stop.aborted) return;
      verdict = await judged();
    }
    switch (verdict.kind) {
      case "owner":
        return take(given, message, stop);
      case "liar":
        return bury(given, "liar", verdict.problem, stop);
      case "unknown":
        return lookAgainLater(given, verdict.problem, stop);
    }

    async function judged() {
      try {
        return await judge(given.senderId, message.owner as InstanceId, message.cluster);
      } catch (error) {
        if (!(error instanceof Unavailable)) throw error;
        waits(error);
        return undefined;
      }
    }
  };

  const loop = async (stop: AbortSignal, under: Set<Promise<void>>, fail: (e: unknown) => void) => {
    let misses = 0;
    while (!stop.aborted) {
      if (receipts.held() > MOST_IN_HAND) {
        await clock.sleep(FULL_PAUSE_MS, stop).catch(() => {});
        continue;
      }
      try {
        const all = await ports.receive(stop);
        answeredAtMs = clock.now();
        misses = 0;
        if (all.length > 0) report({ kind: "received", messages: all.length });
        for (const given of all) {
          const work: Promise<void> = handle(given, stop)
            .catch(fail)
            .finally(() => under.delete(work));
          under.add(work);
        }
      } catch (error) {
        if (stop.aborted) return;
        if (!(error instanceof Unavailable)) throw error;
        misses += 1;
        waits(error);
        await clock.sleep(backoffMs(misses, BACKOFF, random()), stop).catch(() => {});
      }
    }
  };

  return {
    answeredAtMs: () => answeredAtMs,
    async run(stop) {
      const failed = Promise.withResolvers<never>();
      failed.promise.catch(() => {});
      const under = new Set<Promise<void>>();
      await Promise.race([
        failed.promise,
        Promise.all(Array.from({ length: loops }, () => loop(stop, under, failed.reject))),
      ]);
      await Promise.all(under);
    },
  };
}

/** Whose a message is, over all zones. */
export const holderOf = ({ zone, owner }: { readonly zone: string; readonly owner: string }) =>
  `${zone} ${owner}`;
