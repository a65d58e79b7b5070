import { causes, Unavailable } from "../failure.ts";
import type { Clock, Random } from "./clock.ts";
import { patience } from "./patience.ts";

export interface Persistence {
  readonly clock: Clock;
  readonly random: Random;
  readonly limitMs: number;
  readonly stop: AbortSignal;
  /** Told of each try that failed and will be repeated. */
  readonly onMiss?: (problem: string) => void;
}

/**
 * What `act` returns, tried again while it throws `Unavailable`, for at most `limitMs` from the first failure.
 * Throws the last `Unavailable` after that, any other error at once, and the stop signal's reason when it aborts.
 */
export async function persist<T>(act: () => Promise<T>, options: Persistence): Promise<T> {
  const tries = patience<"act">(options);
  for (;;) {
    options.stop.throwIfAborted();
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      const delayMs = tries.miss("act");
      if (delayMs === undefined) throw outOfPatience(error, options.limitMs);
      options.onMiss?.(causes(error));
      await options.clock.sleep(delayMs, options.stop);
    }
  }
}

/** The error that ends the process when `error` has gone on for longer than the patience. */
export const outOfPatience = (error: Unavailable, limitMs: number): Error =>
  new Error(`gave up after ${limitMs / 1000} s (--patience)`, { cause: error });
