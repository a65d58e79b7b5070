import type { Given, IntakePorts } from "../../../lib/fleet/flow/intake.ts";
import type { ReceiptPorts } from "../../../lib/fleet/flow/receipts.ts";
import type { Clock } from "../../../lib/kit/flow/clock.ts";

/** One standard queue in memory and in the clock's time: it keeps the order, and loses nothing. */
export interface VirtualQueue {
  /** Resolves when the queue has taken it. */
  send(senderId: string, body: string): Promise<void>;
  readonly ports: IntakePorts & ReceiptPorts;
  readonly counts: Record<"send" | "receive" | "empty receive" | "delete" | "hide", number> & {
    bytes: number;
    /** Requests of 64 KiB, as SQS bills them. */
    billed: number;
  };
  waiting(): number;
}

const BILLED_BYTES = 65_536;
const LONG_POLL_MS = 20_000;
const VISIBILITY_MS = 60_000;
const AT_ONCE = 10;

export function virtualQueue({
  clock,
  unixMs,
  latencyMs,
}: {
  readonly clock: Clock & { at(ms: number, act: () => void): void };
  readonly unixMs: () => number;
  /** There and back. */
  readonly latencyMs: number;
}): VirtualQueue {
  const messages: Given[] = [];
  const given = new Map<string, { readonly message: Given; untilMs: number }>();
  const counts = {
    send: 0,
    receive: 0,
    "empty receive": 0,
    delete: 0,
    hide: 0,
    bytes: 0,
    billed: 0,
  };
  let waiters: (() => void)[] = [];
  let ids = 0;

  const wake = (): void => {
    const all = waiters;
    waiters = [];
    for (const one of all) one();
  };
  const comeBack = (): void => {
    for (const [receipt, { message, untilMs }] of given) {
      if (clock.now() < untilMs) continue;
      given.delete(receipt);
      messages.push(message);
    }
  };
  const trip = async <T>(act: () => T): Promise<T> => {
    await clock.sleep(latencyMs / 2);
    const answer = act();
    await clock.sleep(latencyMs / 2);
    return answer;
  };

  return {
    counts,
    waiting: () => messages.length + given.size,
    send: (senderId, body) =>
      trip(() => {
        ids += 1;
        counts.send += 1;
        counts.bytes += body.length;
        counts.billed += Math.ceil(body.length / BILLED_BYTES);
        messages.push({ receipt: `m${ids}`, body, senderId, sentMs: Math.round(unixMs()) });
        wake();
      }),
    ports: {
      async receive(stop) {
        await clock.sleep(latencyMs / 2);
        const untilMs = clock.now() + LONG_POLL_MS;
        comeBack();
        while (messages.length === 0 && clock.now() < untilMs) {
          if (stop.aborted) throw stop.reason;
          const heard = Promise.withResolvers<void>();
          waiters.push(heard.resolve);
          const timer = new AbortController();
          const stopped = () => heard.resolve();
          stop.addEventListener("abort", stopped);
          clock.sleep(untilMs - clock.now(), timer.signal).then(heard.resolve, () => {});
          await heard.promise;
          stop.removeEventListener("abort", stopped);
          timer.abort();
          comeBack();
        }
        const all = messages.splice(0, AT_ONCE);
        counts[all.length === 0 ? "empty receive" : "receive"] += 1;
        for (const message of all) {
          given.set(message.receipt, { message, untilMs: clock.now() + VISIBILITY_MS });
        }
        await clock.sleep(latencyMs / 2);
        return all;
      },
      remove: (receipts) =>
        trip(() => {
          counts.delete += 1;
          for (const receipt of receipts) given.delete(receipt);
          return [];
        }),
      hide: (receipts, seconds) =>
        trip(() => {
          counts.hide += 1;
          for (const receipt of receipts) {
            const one = given.get(receipt);
            if (one !== undefined) one.untilMs = clock.now() + seconds * 1_000;
          }
          if (seconds === 0) wake();
        }),
      bury: undefined,
    },
  };
}
