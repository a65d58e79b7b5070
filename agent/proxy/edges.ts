import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type DockerEngine, dockerEngine } from "../../lib/docker/io/engine.ts";
import { type Notifier, notifier } from "../../lib/docker/io/notify.ts";
import { instanceFact } from "../../lib/ecs/io/instance-fact.ts";
import { type FoundEcsAgent, findEcsAgent } from "../../lib/ecs/io/introspection.ts";
import { get } from "../../lib/kit/io/http-json.ts";
import { type JournalFile, journalFile, readBootId } from "../../lib/route53/io/journal-file.ts";
import { hostedZone } from "../../lib/route53/io/zone.ts";
import { hostedZones } from "../../lib/route53/io/zones.ts";
import { type Haproxy, haproxy } from "../../lib/web/io/haproxy.ts";
import { indexServer } from "../../lib/web/io/index-server.ts";
import { connects, listenProblem } from "../../lib/web/io/listen.ts";
import { introspectionUrls } from "../host/introspection-urls.ts";
import type { Environment } from "../process/surroundings.ts";
import type { ProxyConfig } from "./config.ts";
import type { DnsEdges } from "./dns/zones.ts";

/** All that lies outside of the process. */
export interface Edges {
  readonly docker: () => DockerEngine;
  readonly notifier: () => Notifier;
  readonly findEcsAgent: () => Promise<FoundEcsAgent>;
  readonly instance: (
    what: "public-ipv4" | "local-ipv4" | "instance-id" | "region",
  ) => Promise<string | undefined>;
  /** The network mode of the task that this process belongs to; undefined outside of ECS. */
  readonly ownNetworkMode: () => Promise<string | undefined>;
  readonly engine: (onEnd: () => void) => Promise<Haproxy>;
  readonly index: (socket: string, page: () => string) => Promise<{ close(): Promise<void> }>;
  readonly connects: typeof connects;
  /** Why nobody can listen there, on the flags' address. */
  readonly listenProblem: (port: number) => Promise<string | undefined>;
  readonly folder: string;
  readonly file: (name: string) => JournalFile;
  readonly dns: (region: string) => DnsEdges;
  /** How many files this process may open. */
  readonly openFilesLimit: () => Promise<number>;
}

/** The engine's own folder, below the one that all modes share. */
const FOLDER = "proxy";

export function systemEdges(
  config: Pick<ProxyConfig, "stateDir" | "introspectionUrl" | "listenAddress">,
  env: Environment,
): Edges {
  const folder = join(config.stateDir, FOLDER);
  const file = (name: string) => journalFile(folder, name);
  return {
    docker: () => dockerEngine(),
    notifier: () => notifier(),
    findEcsAgent: async () => findEcsAgent(await introspectionUrls(config)),
    instance: (what) => instanceFact(what, env),
    async ownNetworkMode() {
      const url = env["ECS_CONTAINER_METADATA_URI_V4"];
      if (!url) return undefined;
      const answer = await get(url, 2_000).catch(() => undefined);
      const [, mode] = /"NetworkMode":\s*"([a-z]+)"/.exec(answer?.body ?? "") ?? [];
      return mode;
    },
    engine: (onEnd) => haproxy({ folder, onEnd }),
    index: indexServer,
    connects,
    listenProblem: (port) => listenProblem(config.listenAddress, port),
    folder,
    file,
    dns: (region) => ({
      zones: () => hostedZones({ region }),
      zone: (zoneId) => hostedZone({ zoneId, region }),
      journal: file,
      journals: () => readdir(folder).catch(() => []),
      bootId: readBootId,
    }),
    async openFilesLimit() {
      const text = await readFile("/proc/self/limits", "utf8").catch(() => "");
      const [, hard = ""] = /^Max open files\s+\S+\s+(\S+)/m.exec(text) ?? [];
      return hard === "unlimited" ? Number.POSITIVE_INFINITY : Number(hard) || 4_096;
    },
  };
}
