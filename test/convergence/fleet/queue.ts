import type { Given, IntakePorts } from "../../../lib/fleet/flow/intake.ts";
import type { ReceiptPorts } from "../../../lib/fleet/flow/receipts.ts";
import { Unavailable } from "../../../lib/kit/failure.ts";
import type { Clock, Random } from "../../../lib/kit/flow/clock.ts";
import type { WindowKind } from "./scenario.ts";

/** A standard queue in which everything goes wrong that may. */
export interface FaultyQueue {
  /** As whoever signs as this sender. */
  send(senderId: string, body: string): Promise<void>;
  readonly ports: IntakePorts & ReceiptPorts;
  /** Waiting, given out, or on their way. */
  size(): number;
  buried(): readonly { readonly body: string; readonly reason: string }[];
  /** What it said that it had taken, and lost. */
  lost(): readonly string[];
}

const VISIBILITY_MS = 60_000;
const LONG_POLL_MS = 20_000;
const LATE_MS = 300_000;

export function faultyQueue({
  clock,
  random,
  shuffles,
  befalls,
  unixMs,
  removed,
}: {
  readonly clock: Clock & { at(ms: number, act: () => void): void };
  readonly random: Random;
  readonly shuffles: boolean;
  readonly befalls: (kind: WindowKind) => boolean;
  readonly unixMs: () => number;
  /** A writer has deleted this message. */
  readonly removed: (message: Given) => void;
}): FaultyQueue {
  let ids = 0;
  const messages = new Map<string, { readonly given: Given; visibleAtMs: number }>();
  const lost: string[] = [];
  const buried: { readonly body: string; readonly reason: string }[] = [];

  const trip = async <T>(act: () => T): Promise<T> => {
    await clock.sleep(5 + random() * 10);
    if (befalls("queue: away")) throw new Unavailable("SQS", "is away");
    const answer = act();
    await clock.sleep(5 + random() * 10);
    return answer;
  };
  const put = (senderId: string, body: string, visibleAtMs: number): void => {
    ids += 1;
    const receipt = `m${ids}`;
    // The stamp is of when it was taken, however late it shows.
    const given = { receipt, body, senderId, sentMs: Math.round(unixMs()) };
    messages.set(receipt, { given, visibleAtMs });
    clock.at(visibleAtMs, wake);
  };
  let waiters: (() => void)[] = [];
  const wake = (): void => {
    const all = waiters;
    waiters = [];
    for (const one of all) one();
  };
  const visible = () => [...messages.values()].filter((one) => one.visibleAtMs <= clock.now());

  return {
    size: () => messages.size,
    buried: () => buried,
    lost: () => lost,
    async send(senderId, body) {
      await trip(() => {
        if (befalls("queue: lost")) {
          lost.push(body);
          return;
        }
        const lateMs = befalls("queue: late by minutes") ? random() * LATE_MS : 0;
        put(senderId, body, clock.now() + lateMs);
        if (befalls("queue: doubled")) put(senderId, body, clock.now() + random() * LATE_MS);
      });
      if (befalls("queue: answers to a send lost")) throw new Unavailable("SQS", "is silent");
    },
    ports: {
      async receive(stop) {
        await clock.sleep(5 + random() * 10);
        if (befalls("queue: away")) throw new Unavailable("SQS", "is away");
        const untilMs = clock.now() + LONG_POLL_MS;
        clock.at(untilMs, wake);
        stop.addEventListener("abort", wake, { once: true });
        while (visible().length === 0 && clock.now() < untilMs && !stop.aborted) {
          await new Promise<void>((resolve) => waiters.push(resolve));
        }
        stop.removeEventListener("abort", wake);
        if (stop.aborted) throw stop.reason;
        const all = visible();
        const some = (shuffles ? all.toSorted(() => random() - 0.5) : all).slice(0, 10);
        for (const one of some) one.visibleAtMs = clock.now() + VISIBILITY_MS;
        clock.at(clock.now() + VISIBILITY_MS, wake);
        await clock.sleep(5 + random() * 10);
        if (befalls("queue: given out, and never arrives"))
          throw new Unavailable("SQS", "is silent");
        return some.map(({ given }) => given);
      },
      remove: (receipts) =>
        trip(() => {
          if (befalls("queue: deletes lost")) return [];
          for (const receipt of receipts) {
            const one = messages.get(receipt);
            if (one !== undefined) removed(one.given);
            messages.delete(receipt);
          }
          return [];
        }),
      hide: (receipts, seconds) =>
        trip(() => {
          for (const receipt of receipts) {
            const one = messages.get(receipt);
            if (one === undefined) continue;
            one.visibleAtMs = clock.now() + seconds * 1_000;
            clock.at(one.visibleAtMs, wake);
          }
        }),
      bury: (body, reason) => trip(() => void buried.push({ body, reason })),
    },
  };
}
