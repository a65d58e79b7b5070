import { poll } from "../../lib/ecs/flow/poll.ts";
import type { Served } from "../../lib/ecs/service-task.ts";
import type { Surroundings } from "../process/surroundings.ts";
import type { Source } from "./source.ts";

/** What is known of the tasks, and how old it is. */
export interface Reading {
  /** Reads again and again until the stop; rejects for what only an operator can mend before anything was read. */
  run(): Promise<void>;
  /** Undefined before the first time. */
  served(): Served | undefined;
  ageSeconds(): number | undefined;
  /** Why the last attempt failed. */
  problem(): string | undefined;
}

export function reading(
  source: Source,
  { clock, random, stop }: Pick<Surroundings, "clock" | "random" | "stop">,
  {
    pollSeconds,
    onRead,
    onMissed,
  }: {
    readonly pollSeconds: number;
    readonly onRead: (served: Served) => void;
    readonly onMissed: (problem: string, pauseMs: number) => void;
  },
): Reading {
  let last: { readonly served: Served; readonly atMs: number } | undefined;
  let problem: string | undefined;
  return {
    run: () =>
      poll({
        read: source.look,
        meanMs: pollSeconds * 1_000,
        clock,
        random,
        stop: stop.signal,
        tell: {
          read(served) {
            last = { served, atMs: clock.now() };
            problem = undefined;
            onRead(served);
          },
          missed(why, _error, pauseMs) {
            problem = why;
            onMissed(why, pauseMs);
          },
        },
      }),
    served: () => last?.served,
    ageSeconds: () => (last === undefined ? undefined : (clock.now() - last.atMs) / 1_000),
    problem: () => problem,
  };
}
