/** How a poll ended. */
export type Outcome = "read" | "throttled" | "failed";

/** By so many times the pause that was asked for a poller gives way when it is throttled. */
const WAY = 4;
/** What is left of the pause after each poll that was not. */
const BACK = 0.97;
const SLOWEST_MS = 3_600_000;
/** An API that is away is asked again within this, and so is one by whoever has no state to serve yet. */
const SLOWEST_AFTER_FAILURE_MS = 30_000;
const SLOWEST_UNREAD_MS = 20_000;
/** Nobody is served before the first answer: the first attempts follow each other quickly. */
const FIRST_MS = [500, 1_000, 2_000, 4_000];

/**
 * The mean pause between two polls, in ms, from the last one's. All pollers of an account share one bucket of requests (ECS
 * Developer Guide, request throttling: 20 a second) and know nothing of each other. Throttled, one adds a fixed step to
 * its pause; read, it takes a share of it away, down to the pause that it was asked to keep. Steps up and shares down
 * bring all of them to the same pause, whatever each had before: a thousand ask every 100 s each, as if in turns, and
 * some three requests in a hundred are throttled (`test/bench/scenarios/ambassador-fleet.ts`).
 */
export function nextPauseMs(pauseMs: number, outcome: Outcome, askedMs: number): number {
  switch (outcome) {
    case "read":
      return Math.max(askedMs, pauseMs * BACK);
    case "throttled":
      return Math.min(SLOWEST_MS, pauseMs + WAY * askedMs);
    case "failed":
      return pauseMs;
  }
}

/** How long to wait for the next poll, in ms, before jitter. `misses` in a row came before it, this one included. */
export function waitMs(
  pauseMs: number,
  {
    outcome,
    hasRead,
    misses,
    askedMs,
  }: {
    readonly outcome: Outcome;
    /** Whether anything was ever read. */
    readonly hasRead: boolean;
    readonly misses: number;
    readonly askedMs: number;
  },
): number {
  if (outcome === "failed") {
    const soonMs = hasRead ? undefined : FIRST_MS[misses - 1];
    return Math.min(pauseMs, soonMs ?? Math.max(askedMs, SLOWEST_AFTER_FAILURE_MS));
  }
  return hasRead ? pauseMs : Math.min(pauseMs, Math.max(askedMs, SLOWEST_UNREAD_MS));
}

/** A pause around the mean, from 5/7 to 9/7 of it; `chance` is in [0, 1). Replicas that start together drift apart. */
export const jittered = (meanMs: number, chance: number): number =>
  meanMs * (5 / 7 + (4 / 7) * chance);
