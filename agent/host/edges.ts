import { isReadLabel } from "../../lib/discovery/labels.ts";
import { type DockerEngine, dockerEngine } from "../../lib/docker/io/engine.ts";
import { hostAddresses } from "../../lib/ecs/io/instance-metadata.ts";
import { type FoundEcsAgent, findEcsAgent } from "../../lib/ecs/io/introspection.ts";
import type { Addresses } from "../../lib/net/address.ts";
import type { JournalStore } from "../../lib/route53/flow/journal.ts";
import { journalStore, namesIn, readBootId } from "../../lib/route53/io/journal-file.ts";
import type { HostedZone, OpenZone } from "../../lib/route53/io/zone.ts";
import type { Surroundings } from "../process/surroundings.ts";
import type { HostConfig } from "./host-flags.ts";
import { introspectionUrls } from "./introspection-urls.ts";

/** All that lies outside of the process of a mode that works for this host. Tests put others in their place. */
export interface Edges {
  /** Throws `Fatal` when DOCKER_HOST leads nowhere. */
  readonly docker: () => DockerEngine;
  readonly findEcsAgent: () => Promise<FoundEcsAgent>;
  /** The hosted zone of the flags; the region is the ECS agent's, where the environment names none. */
  readonly hostedZone: (host: { readonly region: string }) => HostedZone | Promise<HostedZone>;
  readonly hostAddresses: () => Promise<Addresses>;
  readonly bootId: () => Promise<string | undefined>;
  readonly journal: (name: string) => JournalStore;
  /** Of all files beside it. */
  readonly journalNames: () => Promise<readonly string[]>;
}

/** The real ones; they can do more than the agent itself needs. */
export interface SystemEdges extends Edges {
  readonly hostedZone: (host: { readonly region: string }) => Promise<OpenZone>;
}

export const systemEdges = (
  config: Pick<HostConfig, "hostedZoneId" | "introspectionUrl" | "stateDir">,
  env: Surroundings["env"],
): SystemEdges => ({
  docker: () => dockerEngine({ keepsLabel: isReadLabel }),
  findEcsAgent: async () => findEcsAgent(await introspectionUrls(config)),
  // The largest library of all is loaded when it is needed, which is after the event stream is open.
  async hostedZone({ region }) {
    const { hostedZone } = await import("../../lib/route53/io/zone.ts");
    return hostedZone({ zoneId: config.hostedZoneId, region: env["AWS_REGION"] || region });
  },
  hostAddresses: () => hostAddresses(env),
  bootId: readBootId,
  journal: (name) => journalStore(config.stateDir, name),
  journalNames: () => namesIn(config.stateDir),
});
