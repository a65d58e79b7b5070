import { retry } from "../../lib/kit/flow/retry.ts";
import type { Surroundings } from "../process/surroundings.ts";

/** Tries again what an outside system did not answer, for at most `patience` seconds, and says so; see `retry`. */
export const retrying =
  (
    { patience }: { readonly patience: number },
    { stop, clock, random, log }: Pick<Surroundings, "stop" | "clock" | "random" | "log">,
  ) =>
  <T>(act: () => Promise<T>): Promise<T> =>
    retry(act, {
      clock,
      random,
      limitMs: patience * 1000,
      stop: stop.signal,
      onMiss: (problem) => log.warn(`${problem}; tries again`),
    });
