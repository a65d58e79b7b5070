import { causes, Unavailable } from "../../kit/failure.ts";
import type { Clock, Random } from "../../kit/flow/clock.ts";
import { jittered, nextPauseMs, type Outcome, waitMs } from "../pace.ts";

export interface PollEvents<T> {
  /** Something was read. */
  read(value: T): void;
  /** Nothing could be read; what was read last still counts. Told each time, with the pause until the next attempt. */
  missed(problem: string, error: unknown, pauseMs: number): void;
}

/**
 * Reads again and again until the stop: at once, then with a pause around `meanMs`, longer while it is throttled. An error
 * that is not `Unavailable` ends it as long as nothing was ever read: it is a mistake of the operator's, who is there to
 * see it. Later it is told as any other, and what was read last goes on.
 */
export async function poll<T>({
  read,
  meanMs,
  clock,
  random,
  stop,
  tell,
}: {
  readonly read: () => Promise<T>;
  readonly meanMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly stop: AbortSignal;
  readonly tell: PollEvents<T>;
}): Promise<void> {
  let pauseMs = meanMs;
  let hasRead = false;
  let misses = 0;
  const stopped = new Promise<void>((resolve) => {
    stop.addEventListener("abort", () => resolve(), { once: true });
  });
  while (!stop.aborted) {
    let missed: { readonly error: unknown } | undefined;
    try {
      // The stop does not wait for an answer that nobody needs any more.
      const value = await Promise.race([read(), stopped]);
      if (stop.aborted) return;
      hasRead = true;
      tell.read(value as T);
    } catch (error) {
      if (stop.aborted) return;
      if (!hasRead && !(error instanceof Unavailable)) throw error;
      missed = { error };
    }
    const outcome = missed === undefined ? "read" : outcomeOf(missed.error);
    pauseMs = nextPauseMs(pauseMs, outcome, meanMs);
    misses = missed === undefined ? 0 : misses + 1;
    const aboutMs = waitMs(pauseMs, { outcome, hasRead, misses, askedMs: meanMs });
    const nextMs = jittered(aboutMs, random());
    if (missed !== undefined) tell.missed(causes(missed.error), missed.error, nextMs);
    await clock.sleep(nextMs, stop).catch(() => {});
  }
}

const outcomeOf = (error: unknown): Outcome =>
  error instanceof Unavailable && error.demand === "fewer" ? "throttled" : "failed";
