import { backoffMs } from "../backoff.ts";
import type { Clock, Random } from "./clock.ts";

const BACKOFF = { baseMs: 200, capMs: 5_000 };

export interface OutageTimer<Key> {
  /**
   * Something did not work yet. Returns the ms to wait before the next try, jittered and growing; undefined once the
   * limit has passed since the first miss in a row. `waiter` is who will try again.
   */
  miss(key: Key, waiter?: unknown): number | undefined;
  /** It works, or no longer matters: the next miss is a first one again. */
  hit(key: Key): void;
  /** This waiter does not wait for the end of anything any more; what nobody waits for is over. */
  gone(waiter: unknown): void;
}

/** How long each of several things may go on not working. */
export function outageTimer<Key>({
  clock,
  random,
  limitMs,
}: {
  readonly clock: Clock;
  readonly random: Random;
  readonly limitMs: number;
}): OutageTimer<Key> {
  const misses = new Map<
    Key,
    { readonly sinceMs: number; count: number; readonly waiters: Set<unknown> }
  >();
  return {
    miss(key, waiter) {
      const nowMs = clock.now();
      const missed = misses.get(key) ?? { sinceMs: nowMs, count: 0, waiters: new Set() };
      misses.set(key, missed);
      if (waiter !== undefined) missed.waiters.add(waiter);
      missed.count += 1;
      const leftMs = missed.sinceMs + limitMs - nowMs;
      // The last try falls on the limit itself, never short of it.
      return leftMs <= 0 ? undefined : Math.min(leftMs, backoffMs(missed.count, BACKOFF, random()));
    },
    hit: (key) => void misses.delete(key),
    gone(waiter) {
      for (const [key, { waiters }] of misses) {
        if (waiters.delete(waiter) && waiters.size === 0) misses.delete(key);
      }
    },
  };
}
