import type { ContainerId } from "../../lib/docker/container.ts";
import type { DockerEngine } from "../../lib/docker/io/engine.ts";
import type { EcsAgent } from "../../lib/ecs/io/introspection.ts";
import type { HostedZone } from "../../lib/route53/io/zone.ts";
import type { DecisionLog } from "./decision-log.ts";
import type { Host, Notes, Parts, Writer, ZoneFacts } from "./status/memory.ts";

/** Whoever follows the agent's work without a part in it. */
export interface Observer extends Pick<DecisionLog, "seen" | "wrote"> {
  /** The outside systems as they are, each request counted. */
  readonly docker: (engine: DockerEngine) => DockerEngine;
  readonly ecsAgent: (agent: EcsAgent) => EcsAgent;
  readonly zone: (zone: HostedZone) => HostedZone;
  readonly found: (found: Host | ZoneFacts | Parts | Writer | Notes) => void;
  readonly streamOpened: () => void;
  /** An event of the container. */
  readonly heard: (id: ContainerId) => void;
  /** The containers that a list told of. */
  readonly listed: (ids: readonly ContainerId[]) => void;
  /** Serves what is known until the stop. Never rejects: the agent's work matters more than its page. */
  readonly serve: (stop: AbortSignal) => Promise<void>;
}
