/** How a poll ended. */
export type Outcome = "read" | "throttled" | "failed";

/** An API that is away is asked again within this, whatever came before. */
const SLOWEST_AFTER_FAILURE_MS = 30_000;
/** A thousand pollers of one account share 20 requests a second: two calls each take 100 s. */
const SLOWEST_MS = 600_000;
const FASTER_MS = 1_500;

/**
 * The mean pause until the next poll, in ms, from the last one's. All pollers of an account share one bucket of requests
 * (ECS Developer Guide, request throttling: 20 a second) and know nothing of each other, so each gives way as TCP does:
 * throttled, it doubles its pause; read, it comes back by a fixed step, down to the pause that it was asked to keep.
 */
export function nextPauseMs(pauseMs: number, outcome: Outcome, askedMs: number): number {
  switch (outcome) {
    case "read":
      return Math.max(askedMs, pauseMs - FASTER_MS);
    case "throttled":
      return Math.max(askedMs, Math.min(SLOWEST_MS, pauseMs * 2));
    case "failed":
      return Math.max(askedMs, Math.min(SLOWEST_AFTER_FAILURE_MS, pauseMs));
  }
}

/** A pause around the mean, from 5/7 to 9/7 of it; `chance` is in [0, 1). Replicas that start together drift apart. */
export const jittered = (meanMs: number, chance: number): number =>
  meanMs * (5 / 7 + (4 / 7) * chance);
