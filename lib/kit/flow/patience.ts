import { backoffMs } from "../backoff.ts";
import type { Clock, Random } from "./clock.ts";

const BACKOFF = { baseMs: 200, capMs: 5_000 };

export interface Patience<Key> {
  /**
   * Something did not work yet. Returns the ms to wait before the next try, jittered and growing; undefined once the
   * limit has passed since the first miss in a row.
   */
  miss(key: Key): number | undefined;
  /** It works, or no longer matters: the next miss is a first one again. */
  hit(key: Key): void;
}

/** How long each of several things may go on not working. */
export function patience<Key>({
  clock,
  random,
  limitMs,
}: {
  readonly clock: Clock;
  readonly random: Random;
  readonly limitMs: number;
}): Patience<Key> {
  const misses = new Map<Key, { readonly sinceMs: number; count: number }>();
  return {
    miss(key) {
      const nowMs = clock.now();
      const missed = misses.get(key) ?? { sinceMs: nowMs, count: 0 };
      misses.set(key, missed);
      missed.count += 1;
      const leftMs = missed.sinceMs + limitMs - nowMs;
      // The last try falls on the limit itself, never short of it.
      return leftMs <= 0 ? undefined : Math.min(leftMs, backoffMs(missed.count, BACKOFF, random()));
    },
    hit: (key) => void misses.delete(key),
  };
}
