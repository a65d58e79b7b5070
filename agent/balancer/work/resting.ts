import type { Clock } from "../../../lib/kit/flow/clock.ts";

const FIRST_MS = 30_000;
const LONGEST_MS = 600_000;

/**
 * Services that were refused: each is left alone for 30 s, and for twice as long after each refusal in a row, up to ten
 * minutes. Every try costs calls that are refused again, as long as nobody has changed anything.
 */
export function resting(clock: Clock) {
  const resting = new Map<
    string,
    { readonly untilMs: number; readonly times: number; readonly reason: string }
  >();
  return {
    refuse(key: string, reason: string): void {
      const times = (resting.get(key)?.times ?? 0) + 1;
      const forMs = Math.min(LONGEST_MS, FIRST_MS * 2 ** (times - 1));
      resting.set(key, { untilMs: clock.now() + forMs, times, reason });
    },
    succeed: (key: string): void => void resting.delete(key),
    /** Why the service rests; undefined when it does not. */
    reason(key: string): string | undefined {
      const one = resting.get(key);
      return one !== undefined && one.untilMs > clock.now() ? one.reason : undefined;
    },
    /** Forgets all but these. */
    keep(keys: ReadonlySet<string>): void {
      for (const key of resting.keys()) if (!keys.has(key)) resting.delete(key);
    },
  };
}

export type Resting = ReturnType<typeof resting>;
