import type { Served } from "../../lib/ecs/service-task.ts";

/** Where it is known from who serves. */
export interface Source {
  /** For people: `the service shop in the cluster prod (eu-west-1)`. */
  readonly name: string;
  /** Throws `Unavailable` when trying again may help, and `Fatal` when only an operator can. */
  look(): Promise<Served>;
}
