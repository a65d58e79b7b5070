import type { Clock } from "../../lib/kit/flow/clock.ts";

/** Time that passes as fast as the work in it allows. */
export interface VirtualClock extends Clock {
  /** Calls `act` once, at that moment. */
  at(ms: number, act: () => void): void;
  /**
   * Lets time pass until `done` holds, looked at between two moments, and no further than `untilMs`. Throws when time
   * stands still: too many turns, or too many looks at the clock, in one moment.
   */
  pass(untilMs: number, done?: () => boolean): Promise<void>;
}

interface Sleeper {
  readonly atMs: number;
  /** Who fell asleep first wakes first, so that a run can be repeated. */
  readonly order: number;
  act: () => void;
}

/** What loops without letting time pass is found by one of these, instead of hanging the test. */
const TURNS_IN_A_MOMENT = 10_000;
const LOOKS_IN_A_TURN = 1_000_000;

const earlier = (a: Sleeper, b: Sleeper): boolean =>
  a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);

/**
 * A fake clock for thousands of sleepers: a heap, and one turn of the event loop for each moment, in which every promise
 * reaction runs. Code under it may wait for this clock and for promises, never for sockets or files.
 */
export function virtualClock(): VirtualClock {
  let nowMs = 0;
  let made = 0;
  let looks = 0;
  const heap: Sleeper[] = [];

  const push = (atMs: number, act: () => void): Sleeper => {
    made += 1;
    const sleeper: Sleeper = { atMs, order: made, act };
    let at = heap.push(sleeper) - 1;
    while (at > 0) {
      const parentAt = (at - 1) >> 1;
      const parent = heap[parentAt];
      if (parent === undefined || earlier(parent, sleeper)) break;
      heap[at] = parent;
      at = parentAt;
    }
    heap[at] = sleeper;
    return sleeper;
  };

  const pop = (): Sleeper | undefined => {
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      const left = heap[2 * at + 1];
      const right = heap[2 * at + 2];
      if (left === undefined) break;
      const isRight = right !== undefined && earlier(right, left);
      const child = isRight ? right : left;
      if (earlier(last, child)) break;
      heap[at] = child;
      at = 2 * at + (isRight ? 2 : 1);
    }
    heap[at] = last;
    return first;
  };

  return {
    now() {
      looks += 1;
      if (looks > LOOKS_IN_A_TURN) throw new Error(`time stands still at ${nowMs} ms`);
      return nowMs;
    },
    at: (ms, act) => void push(Math.max(nowMs, ms), act),
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason);
        const sleeper = push(nowMs + Math.max(0, ms), () => {
          signal?.removeEventListener("abort", abort);
          resolve();
        });
        // It stays in the heap until its moment: taking it out would cost more than waking nobody.
        const abort = () => {
          sleeper.act = () => {};
          reject(signal?.reason);
        };
        signal?.addEventListener("abort", abort, { once: true });
      }),
    async pass(untilMs, done = () => false) {
      let turns = 0;
      await turn();
      while (!done()) {
        const [next] = heap;
        if (next === undefined || next.atMs > untilMs) {
          nowMs = Math.max(nowMs, untilMs);
          return;
        }
        turns = next.atMs > nowMs ? 0 : turns + 1;
        if (turns > TURNS_IN_A_MOMENT) throw new Error(`time stands still at ${nowMs} ms`);
        nowMs = next.atMs;
        looks = 0;
        while (heap[0]?.atMs === nowMs) pop()?.act();
        await turn();
      }
    },
  };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
