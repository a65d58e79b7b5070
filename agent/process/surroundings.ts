import type { Clock, Random } from "../../lib/kit/flow/clock.ts";
import type { Log } from "./log.ts";
import type { Stop } from "./supervise.ts";

/** What the process hands to the mode it runs. */
export interface Surroundings {
  readonly stop: Stop;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly env: Environment;
}

export type Environment = Readonly<Record<string, string | undefined>>;
