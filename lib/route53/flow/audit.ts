import type { Clock, Random } from "../../kit/flow/clock.ts";

/** A name's first look comes no sooner: the first minute of a thousand restarted hosts belongs to their changes. */
const GRACE_MS = 60_000;

export interface Audit {
  /** The name to look at next, and when; undefined when there is none. */
  next(names: Iterable<string>): { readonly name: string; readonly atMs: number } | undefined;
  /** The name has just been looked at. */
  seen(name: string): void;
}

/**
 * When to look at what the zone really holds under each of our names: each once within `intervalMs`, at a moment of its
 * own in the interval's second half, so that the looks of many names and many hosts spread.
 */
export function audit({
  clock,
  random,
  intervalMs,
}: {
  readonly clock: Clock;
  readonly random: Random;
  /** 0 for never. */
  readonly intervalMs: number;
}): Audit {
  const dueMs = new Map<string, number>();
  const plan = (name: string): number => {
    const inMs = intervalMs * (0.5 + random() / 2);
    const atMs =
      clock.now() + (dueMs.has(name) ? inMs : Math.max(inMs, Math.min(GRACE_MS, intervalMs)));
    dueMs.set(name, atMs);
    return atMs;
  };
  return {
    next(names) {
      if (intervalMs === 0) return undefined;
      const all = new Set(names);
      for (const name of dueMs.keys()) if (!all.has(name)) dueMs.delete(name);
      let first: { name: string; atMs: number } | undefined;
      for (const name of all) {
        const atMs = dueMs.get(name) ?? plan(name);
        if (first === undefined || atMs < first.atMs) first = { name, atMs };
      }
      return first;
    },
    seen: (name) => void plan(name),
  };
}
