import type { Clock } from "../../kit/flow/clock.ts";
import type { Change } from "../plan.ts";

/** A burst is over when nothing new came for this long, */
const QUIET_MS = 100;
/** and nothing in it waits for longer than this, */
const LONGEST_MS = 1_000;
/** nor a record that is to go: clients still find what it names. */
const LONGEST_DELETE_MS = 200;

export interface Gather {
  /** How long what waits is to wait on, in ms; 0 unless it is part of a burst. */
  waitMs(waiting: readonly Change[]): number;
  /** So many changes have landed with one request, just now. */
  landed(changes: number): void;
}

/**
 * Lets a burst of changes gather into few requests. A burst is what follows a request that carried several changes and
 * landed within the last second; whatever comes alone is sent at once, and so is whatever follows it.
 */
export function gather({
  clock,
  changedAtMs = () => Number.POSITIVE_INFINITY,
}: {
  readonly clock: Clock;
  /** When something desired changed last, also while a request was under way. */
  readonly changedAtMs?: (() => number) | undefined;
}): Gather {
  let lastLanded = { changes: 0, atMs: Number.NEGATIVE_INFINITY };
  let waiting = { changes: 0, sinceMs: 0, newestMs: 0 };
  return {
    waitMs(all) {
      const nowMs = clock.now();
      const changes = all.length;
      if (changes === 0) waiting = { changes: 0, sinceMs: nowMs, newestMs: nowMs };
      else if (waiting.changes === 0) waiting = { changes, sinceMs: nowMs, newestMs: nowMs };
      else if (waiting.changes !== changes) waiting = { ...waiting, changes, newestMs: nowMs };
      const isBurst = lastLanded.changes > 1 && nowMs - lastLanded.atMs <= LONGEST_MS;
      if (!isBurst) return 0;
      const isGoing = all.some(({ action }) => action === "DELETE");
      const longestMs = isGoing ? LONGEST_DELETE_MS : LONGEST_MS;
      const newestMs = Math.min(waiting.newestMs, changedAtMs());
      const untilMs = Math.min(waiting.sinceMs + longestMs, newestMs + QUIET_MS);
      return Math.max(0, untilMs - nowMs);
    },
    landed(changes) {
      lastLanded = { changes, atMs: clock.now() };
      waiting = { changes: 0, sinceMs: lastLanded.atMs, newestMs: lastLanded.atMs };
    },
  };
}
