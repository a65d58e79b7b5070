import type { Clock } from "../../../lib/kit/flow/clock.ts";

/** After an event: ECS hears of it a moment later than Docker, so one look is not enough. */
const AFTER_EVENT_MS = [1_000, 2_000, 4_000];
const SOON_MS = 1_000;
/** A task that is still on its way after this long is no reason to hurry any more. */
const HURRY_MS = 120_000;
/** Events come by the dozen. */
const LEAST_MS = 250;

/** How long to wait until the next cycle; never longer than the configured sleep. */
export function pacing(clock: Clock) {
  let left: readonly number[] = [];
  let hurrySinceMs: number | undefined;
  return {
    /** Docker has told something. */
    event(): void {
      left = AFTER_EVENT_MS;
    },
    nextMs(
      sleepMs: number,
      { again, isUnsettled }: { readonly again: boolean; readonly isUnsettled: boolean },
    ): number {
      const [soon, ...rest] = left;
      left = rest;
      const isUnderWay = again || isUnsettled;
      hurrySinceMs = isUnderWay ? (hurrySinceMs ?? clock.now()) : undefined;
      const hurries = hurrySinceMs !== undefined && clock.now() - hurrySinceMs < HURRY_MS;
      return Math.min(sleepMs, soon ?? sleepMs, hurries ? SOON_MS : sleepMs);
    },
    leastMs: LEAST_MS,
  };
}
