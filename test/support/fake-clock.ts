import type { Clock } from "../../lib/kit/flow/clock.ts";

export interface FakeClock extends Clock {
  /** Moves time on, waking each sleeper at its moment and letting everything that follows from it happen. */
  advance(ms: number): Promise<void>;
  /** Moves time on to the next sleeper's moment; false when nobody sleeps. */
  next(): Promise<boolean>;
  readonly sleepers: number;
}

/** Everything that is ready to happen has happened: promise reactions, and what they started in turn. */
export const settle = async (): Promise<void> => {
  for (let round = 0; round < 5; round += 1) await new Promise((resolve) => setImmediate(resolve));
};

/** Time that stands still until a test moves it. */
export function fakeClock(startMs = 1_000): FakeClock {
  let nowMs = startMs;
  const sleepers = new Set<{ readonly atMs: number; readonly wake: () => void }>();
  const earliest = () => [...sleepers].toSorted((a, b) => a.atMs - b.atMs)[0];
  const wake = async (): Promise<boolean> => {
    const first = earliest();
    if (first === undefined) return false;
    nowMs = Math.max(nowMs, first.atMs);
    sleepers.delete(first);
    first.wake();
    await settle();
    return true;
  };
  return {
    now: () => nowMs,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason);
        const sleeper = { atMs: nowMs + ms, wake: resolve };
        sleepers.add(sleeper);
        signal?.addEventListener("abort", () => {
          if (sleepers.delete(sleeper)) reject(signal.reason);
        });
      }),
    async advance(ms) {
      const untilMs = nowMs + ms;
      await settle();
      for (let first = earliest(); first && first.atMs <= untilMs; first = earliest()) await wake();
      nowMs = untilMs;
      await settle();
    },
    next: wake,
    get sleepers() {
      return sleepers.size;
    },
  };
}
