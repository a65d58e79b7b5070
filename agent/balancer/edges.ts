import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { type DockerEngine, dockerEngine } from "../../lib/docker/io/engine.ts";
import { type EcsControl, ecsControl } from "../../lib/ecs/io/control.ts";
import { hostAddresses, hostInstanceId } from "../../lib/ecs/io/instance-metadata.ts";
import { type FoundEcsAgent, findEcsAgent } from "../../lib/ecs/io/introspection.ts";
import { findRegion } from "../../lib/ecs/io/region.ts";
import { type EcsService, ecsService } from "../../lib/ecs/io/service.ts";
import { type Location, locationText } from "../../lib/elb/files/location.ts";
import type { JournalStore } from "../../lib/elb/flow/journal.ts";
import { classicApi } from "../../lib/elb/io/classic.ts";
import { targetsApi } from "../../lib/elb/io/targets.ts";
import { textAt } from "../../lib/elb/io/text-at.ts";
import { localPortRange, type PortRange } from "../../lib/elb/listen-ports.ts";
import type { ClassicApi, TargetsApi } from "../../lib/elb/ports.ts";
import { durableFile } from "../../lib/kit/io/durable-file.ts";
import { introspectionUrls } from "../host/introspection-urls.ts";
import type { Surroundings } from "../process/surroundings.ts";
import type { BalancerConfig } from "./config.ts";
import type { OneFile } from "./files.ts";

type Closing<T> = T & { close(): void };

/** All that lies outside of the process. Tests put others in their place. */
export interface Edges {
  region(): Promise<string | undefined>;
  file(location: Location, region: string): Closing<OneFile>;
  findEcsAgent(): Promise<FoundEcsAgent>;
  /** Of EC2's metadata. */
  instanceId(): Promise<string | undefined>;
  hostAddress(): Promise<string | undefined>;
  control(region: string): EcsControl;
  tasks(region: string): EcsService;
  classic(region: string): Closing<ClassicApi>;
  targets(region: string): Closing<TargetsApi>;
  /** Undefined where no engine is in reach: then there are no events, and looks come by time alone. */
  docker(): DockerEngine | undefined;
  journal(): JournalStore & { readonly path: string };
  /** The kernel's range of random ports. */
  localPorts(): Promise<PortRange | undefined>;
}

const DOCKER_SOCKET = "/var/run/docker.sock";

export const systemEdges = (config: BalancerConfig, env: Surroundings["env"]): Edges => ({
  region: () => findRegion(env),
  file(location, region) {
    const source = textAt(location, region, env);
    return { where: locationText(location), source, close: () => source.close() };
  },
  findEcsAgent: async () => findEcsAgent(await introspectionUrls(config)),
  instanceId: () => hostInstanceId(env),
  hostAddress: async () => (await hostAddresses(env)).ipv4,
  control: (region) => ecsControl({ region }),
  tasks: (region) => ecsService({ region }),
  classic: (region) => classicApi({ region }),
  targets: (region) => targetsApi({ region }),
  docker: () => (env["DOCKER_HOST"] || existsSync(DOCKER_SOCKET) ? dockerEngine() : undefined),
  journal: () => durableFile(config.stateDir, "balancer.journal"),
  localPorts: () =>
    readFile("/proc/sys/net/ipv4/ip_local_port_range", "utf8").then(
      localPortRange,
      () => undefined,
    ),
});
