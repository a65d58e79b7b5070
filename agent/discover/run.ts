import { retry, throttleWaits } from "../../lib/kit/flow/retry.ts";
import { summed } from "../../lib/kit/flow/summed.ts";
import type { Edges } from "../host/edges.ts";
import type { Surroundings } from "../process/surroundings.ts";
import type { DiscoverConfig } from "./config.ts";
import { type SumUp, times } from "./decision-log.ts";
import type { Observer } from "./observer.ts";

/** The same failure again is told once in this time. */
const SUMMED_MS = 60_000;

/** What every part of one run of discover is given. */
export interface Run extends Surroundings {
  readonly config: DiscoverConfig;
  readonly edges: Edges;
  /** Ends every part: at the stop, or when all is done (`--once`). */
  readonly end: AbortSignal;
  readonly observed: Observer;
  readonly sumUp: SumUp;
  /** Tries again while an outside system is unavailable, for as long as the patience; given up when `until` aborts. */
  readonly retry: <T>(act: () => Promise<T>, until?: AbortSignal) => Promise<T>;
}

export function runOf(
  parts: Pick<Run, keyof Surroundings | "config" | "edges" | "end" | "observed">,
): Run {
  const { clock, random, log, stop, config } = parts;
  const sumUp = summed<string>({ clock, windowMs: SUMMED_MS, stop: stop.signal });
  const throttled = throttleWaits({ random });
  return {
    ...parts,
    sumUp,
    retry: (act, until = stop.signal) =>
      retry(act, {
        clock,
        random,
        limitMs: config.patience * 1000,
        stop: until,
        throttled,
        onMiss: (problem) =>
          sumUp(problem, (again) => log.warn(`${problem}; tries again${times(again)}`)),
      }),
  };
}
