import { causes } from "../../lib/kit/failure.ts";
import type { Clock } from "../../lib/kit/flow/clock.ts";

export const verdicts = ["ok", "warn", "fail", "skip"] as const;

/**
 * What one check found: `warn` will hurt somebody some day, with `fail` the agent can't do its work, and `skip` was not
 * tried, because it can't be before another check is well.
 */
export interface Finding {
  readonly check: string;
  readonly verdict: (typeof verdicts)[number];
  readonly what: string;
  /** What to do; an `ok` needs none. */
  readonly todo?: string;
}

export const ok = (check: string, what: string): Finding => ({ check, verdict: "ok", what });

export const warn = (check: string, what: string, todo: string): Finding => ({
  check,
  verdict: "warn",
  what,
  todo,
});

export const fail = (check: string, what: string, todo: string): Finding => ({
  check,
  verdict: "fail",
  what,
  todo,
});

/** It was not tried, and this is what comes first. */
export const skip = (check: string, why: string, todo: string): Finding => ({
  check,
  verdict: "skip",
  what: why,
  todo,
});

/** It can't be tried before another check, which has failed, is well. */
export const notChecked = (check: string, first: string): Finding =>
  skip(check, "not tried", `first "${first}"`);

/** What `act` came to, its failure included, within a time of its own: no check holds up or hides the others. */
export type Outcome<T> =
  | { readonly kind: "done"; readonly value: T }
  | { readonly kind: "failed"; readonly error: unknown; readonly problem: string };

export async function outcomeOf<T>(
  act: () => Promise<T>,
  {
    clock,
    limitMs,
    stop,
  }: { readonly clock: Clock; readonly limitMs: number; readonly stop: AbortSignal },
): Promise<Outcome<T>> {
  const done = new AbortController();
  const limit = clock.sleep(limitMs, AbortSignal.any([done.signal, stop])).then(() => {
    throw new Error(`no answer within ${limitMs / 1000} s`);
  });
  try {
    return { kind: "done", value: await Promise.race([act(), limit]) };
  } catch (error) {
    stop.throwIfAborted();
    return { kind: "failed", error, problem: causes(error) };
  } finally {
    done.abort();
    limit.catch(() => {});
  }
}
