import type { Surroundings } from "../process/surroundings.ts";
import type { DiscoverConfig } from "./config.ts";
import type { Observer } from "./observer.ts";

const unobserved: Observer = {
  docker: (engine) => engine,
  ecsAgent: (agent) => agent,
  zone: (zone) => zone,
  found: () => {},
  streamOpened: () => {},
  heard: () => {},
  listed: () => {},
  seen: () => {},
  wrote: () => {},
  serve: async () => {},
};

/** The status server's; nobody, and none of its code, where it is off. */
export async function observer(
  config: DiscoverConfig,
  surroundings: Pick<Surroundings, "clock" | "log">,
): Promise<Observer> {
  if (config.statusAddress === undefined) return unobserved;
  const { status } = await import("./status/serve.ts");
  return status(config.statusAddress, config, surroundings);
}
