import { causes, Unavailable } from "../failure.ts";
import type { Clock, Random } from "./clock.ts";
import { outageTimer } from "./outage-timer.ts";

export interface RetryOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly limitMs: number;
  readonly stop: AbortSignal;
  /** Told of each try that failed and will be repeated. */
  readonly onMiss?: (problem: string) => void;
  /** With it, a demand for fewer requests is no outage, and has no limit; see `throttleWaits`. */
  readonly throttled?: ThrottleWaits;
}

/**
 * How long to wait after each throttled try, at most: a fleet that was updated at once shares the requests of one account,
 * and the fewer of them come back at the same time the sooner all have had theirs. Of 1,000 hosts at 10 requests a
 * second, all have theirs within some minutes and three tries each.
 */
const THROTTLED_MS = [10_000, 90_000, 240_000] as const;

export interface ThrottleWaits {
  /** It was throttled once more. How long to wait, in ms. */
  next(): number;
  /** It was answered: others have had theirs. */
  answered(): void;
}

/** The waits of one process for a service that it shares with a fleet; they grow from one request to the next. */
export function throttleWaits({ random }: { readonly random: Random }): ThrottleWaits {
  let inARow = 0;
  return {
    next() {
      const most = THROTTLED_MS[Math.min(inARow, THROTTLED_MS.length - 1)] ?? 0;
      inARow += 1;
      return most * (0.05 + 0.95 * random());
    },
    answered() {
      inARow = Math.max(0, inARow - 1);
    },
  };
}

/**
 * What `act` returns, tried again while it throws `Unavailable`, for at most `limitMs` from the first failure.
 * Throws the last `Unavailable` after that, any other error at once, and the stop signal's reason when it aborts.
 */
export async function retry<T>(act: () => Promise<T>, options: RetryOptions): Promise<T> {
  const tries = outageTimer<"act">(options);
  for (;;) {
    options.stop.throwIfAborted();
    try {
      const result = await act();
      options.throttled?.answered();
      return result;
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      const isThrottled = error.demand === "fewer" && options.throttled !== undefined;
      if (isThrottled) tries.hit("act");
      const delayMs = isThrottled ? options.throttled?.next() : tries.miss("act");
      if (delayMs === undefined) throw outOfPatience(error, options.limitMs);
      options.onMiss?.(causes(error));
      await options.clock.sleep(delayMs, options.stop);
    }
  }
}

/** The error that ends the process when `error` has gone on for longer than the patience. */
export const outOfPatience = (error: Unavailable, limitMs: number): Error =>
  new Error(`gave up after ${limitMs / 1000} s (--patience)`, { cause: error });
