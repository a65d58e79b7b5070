import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { DockerEngine } from "../../lib/docker/io/engine.ts";
import { Fatal } from "../../lib/kit/failure.ts";
import { doorbell } from "../../lib/kit/flow/doorbell.ts";
import { type EngineSettings, INDEX_SOCKET } from "../../lib/web/engine-files.ts";
import { engineKeeper } from "../../lib/web/flow/engine-keeper.ts";
import { hostTable } from "../../lib/web/flow/host-table.ts";
import { askAgent } from "../../lib/web/flow/look.ts";
import { indexPage } from "../../lib/web/index-page.ts";
import type { LabelRules } from "../../lib/web/labels.ts";
import { defaultPort, RESERVED_PORTS } from "../../lib/web/ports.ts";
import { retrying } from "../host/retrying.ts";
import { together } from "../process/supervise.ts";
import type { Surroundings } from "../process/surroundings.ts";
import { certificatesOf } from "./certificates.ts";
import type { ProxyConfig } from "./config.ts";
import { type Containers, containers } from "./containers.ts";
import { dnsOf } from "./dns/own.ts";
import { type Edges, systemEdges } from "./edges.ts";
import { followers } from "./follow.ts";
import { notices } from "./notices.ts";
import { proxyStatus } from "./status.ts";
import { teller } from "./tell.ts";

/** An engine never takes more connections than that; each needs two open files. */
const MOST_CONNECTIONS = 16_384;
const FEWEST_CONNECTIONS = 256;
const MOST_THREADS = 4;
/** Of each second of the drain so much is the engine's. */
const DRAIN_SHARE_MS = 800;

/**
 * Serves this host's labelled containers by name: events and the list of containers mark ids, a look at each says what it
 * asks for, and the engine is kept equal to all of that together. DNS, certificates and notices follow what is served.
 */
export async function proxy(
  config: ProxyConfig,
  surroundings: Surroundings,
  edges: Edges = systemEdges(config, surroundings.env),
): Promise<void> {
  const { stop, clock, log } = surroundings;
  const end = stop.signal;
  const bell = doorbell();
  const noticeBell = doorbell();
  const say = teller(log);
  const { engine, docker, retry } = await foundations(config, surroundings, edges, bell.ring);
  const rules = rulesOf(config);
  const found = containersOf(config, surroundings, { docker, edges, rules, say }, () => {
    table.changed();
    follow();
    bell.ring();
  });
  const table = hostTable(found.claims);
  const page = () => indexPage(table.hosts().hosts);
  const index = await edges.index(join(edges.folder, INDEX_SOCKET), page);
  const certificates = await certificatesOf(config, {
    edges,
    surroundings,
    onChange: bell.ring,
    answer: (token, body) => keeper.challenge(token, body),
    dns: () => dns,
    say: say.changed,
  });
  const keeper = engineKeeper({
    engine: { ...engine, listenProblem: edges.listenProblem },
    desired: table.hosts,
    certificates: certificates.list,
    alwaysOn: [defaultPort(rules.ports)],
    settings: await settingsOf(config, edges),
    bell,
    clock,
    report: (report) => reported(report),
  });
  const dns = await retry(() => dnsOf(config, { edges, surroundings, say: say.changed }));
  const status = proxyStatus(config, surroundings, {
    found,
    hosts: table.hosts,
    engineVersion: engine.version,
    engine: keeper.standing,
    certificates: certificates.standing,
    dns: () => dns?.standing(),
    changes: say.changes,
  });
  const { follow, reported } = followers({
    clock,
    hosts: table.hosts,
    dnsNames: found.dnsNames,
    keeper,
    certificates,
    dns,
    status,
    say,
    noticeBell,
  });

  const serving = status.serve(end);
  await together(stop, [
    found.run(end),
    found.lookedAt(end).then(() => keeper.run(end)),
    certificates.run(end),
    dns?.run(end) ?? Promise.resolve(),
    notices(config, { docker, notifier: edges.notifier(), bell: noticeBell, log, stop: end, say }),
  ]);
  await serving;
  // After a failure somebody starts us again: until then the engine serves on.
  if (stop.wasAsked()) await engine.end(config.drainTimeout * DRAIN_SHARE_MS);
  await index.close();
  log.info("stopped", { containers: found.seen().size });
}

/** What everything else stands on: the engine, whether or not it runs, and Docker. */
async function foundations(
  config: ProxyConfig,
  surroundings: Surroundings,
  edges: Edges,
  onEnd: () => void,
) {
  const { log } = surroundings;
  const retry = retrying(config, surroundings);
  if ((await edges.ownNetworkMode()) === "awsvpc") {
    throw new Fatal(
      "this task has a network of its own (awsvpc), from where no container can be served: run it with networkMode host",
    );
  }
  const engine = await edges.engine(() => {
    log.warn("the engine has ended, and is started again");
    onEnd();
  });
  const docker = edges.docker();
  const { engine: dockerVersion } = await retry(() => docker.version());
  log.info("found the engine and Docker", {
    engine: engine.version,
    isRunning: engine.isRunning(),
    docker: dockerVersion,
    folder: edges.folder,
  });
  return { engine, docker, retry };
}

/** The containers as the flags have them looked at. */
const containersOf = (
  config: ProxyConfig,
  surroundings: Surroundings,
  {
    docker,
    edges,
    rules,
    say,
  }: {
    readonly docker: DockerEngine;
    readonly edges: Edges;
    readonly rules: LabelRules;
    readonly say: ReturnType<typeof teller>;
  },
  onChange: () => void,
): Containers =>
  containers({
    docker,
    taskOf: askAgent(once(async () => (await edges.findEcsAgent()).agent)),
    rules,
    stopGraceMs: config.stopGrace * 1000,
    connects: edges.connects,
    surroundings,
    onChange,
    onEvent: (id) => say.heard(id, surroundings.clock.now()),
    onSeen: say.seen,
  });

/** The flags as rules for labels. */
const rulesOf = (config: ProxyConfig): LabelRules => ({
  domain: config.domain ?? "",
  ports: {
    allowed: config.listenPorts,
    reserved: new Set([
      ...RESERVED_PORTS,
      ...(config.statusAddress ? [config.statusAddress.port] : []),
    ]),
  },
  allowedNames: config.allowedNames,
  redirect: config.redirectShortNames ? "short" : "off",
});

async function settingsOf(
  config: ProxyConfig,
  edges: Pick<Edges, "openFilesLimit">,
): Promise<EngineSettings> {
  const connections = Math.floor(((await edges.openFilesLimit()) - 200) / 2.1);
  return {
    listenAddress: config.listenAddress,
    maxUploadBytes: config.maxUploadSize,
    maxConnections: Math.max(FEWEST_CONNECTIONS, Math.min(MOST_CONNECTIONS, connections)),
    threads: Math.min(MOST_THREADS, availableParallelism()),
  };
}

/** What `ask` gives, kept; asked again only while it fails. */
function once<T>(ask: () => Promise<T>): () => Promise<T> {
  let known: Promise<T> | undefined;
  return () => {
    known ??= ask().catch((error: unknown) => {
      known = undefined;
      throw error;
    });
    return known;
  };
}
