import type { ContainerId } from "../../lib/core/container.ts";
import type { DockerEngine } from "../../lib/io/docker.ts";
import type { EcsAgent } from "../../lib/io/ecs-agent.ts";
import type { HostedZone } from "../../lib/io/route53.ts";
import type { Surroundings } from "../modes.ts";
import type { DiscoverConfig } from "./config.ts";
import type { Host, Parts, Writer, ZoneFacts } from "./observe.ts";
import type { Tell } from "./tell.ts";

/** Whoever follows the agent's work without a part in it. */
export interface Observer extends Pick<Tell, "seen" | "wrote"> {
  /** The outside systems as they are, each request counted. */
  readonly docker: (engine: DockerEngine) => DockerEngine;
  readonly ecsAgent: (agent: EcsAgent) => EcsAgent;
  readonly zone: (zone: HostedZone) => HostedZone;
  readonly found: (found: Host | ZoneFacts | Parts | Writer) => void;
  readonly streamOpened: () => void;
  /** An event of the container. */
  readonly heard: (id: ContainerId) => void;
  /** The containers that a list told of. */
  readonly listed: (ids: readonly ContainerId[]) => void;
  /** Serves what is known until the stop. Never rejects: the agent's work matters more than its page. */
  readonly serve: (stop: AbortSignal) => Promise<void>;
}

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
  const { status } = await import("./status.ts");
  return status(config.statusAddress, config, surroundings);
}
