import { persist } from "../../lib/kit/flow/persist.ts";
import type { Surroundings } from "../process/surroundings.ts";

/** Tries again what an outside system did not answer, for at most `patience` seconds, and says so; see `persist`. */
export const insistOn =
  (
    { patience }: { readonly patience: number },
    { stop, clock, random, log }: Pick<Surroundings, "stop" | "clock" | "random" | "log">,
  ) =>
  <T>(act: () => Promise<T>): Promise<T> =>
    persist(act, {
      clock,
      random,
      limitMs: patience * 1000,
      stop: stop.signal,
      onMiss: (problem) => log.warn(`${problem}; tries again`),
    });
