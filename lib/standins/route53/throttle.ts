import type { Clock } from "../../kit/flow/clock.ts";

/** A token bucket: `burst` at once, then `perSecond`. */
export type Rate = { readonly perSecond: number; readonly burst: number } | "unlimited";

/** True when taken. A single take above the burst passes on a full bucket and leaves it in debt. */
export const tokenBucket = (rate: Rate, clock: Clock): ((count: number) => boolean) => {
  if (rate === "unlimited") return () => true;
  let tokens = rate.burst;
  let at = clock.now();
  return (count) => {
    const now = clock.now();
    tokens = Math.min(rate.burst, tokens + ((now - at) / 1000) * rate.perSecond);
    at = now;
    if (tokens < Math.min(count, rate.burst)) return false;
    tokens -= count;
    return true;
  };
};
