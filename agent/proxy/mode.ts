import { availableParallelism } from "node:os";
import { join } from "node:path";
import { causes, Fatal } from "../../lib/kit/failure.ts";
import { doorbell } from "../../lib/kit/flow/doorbell.ts";
import { INDEX_SOCKET } from "../../lib/web/engine-files.ts";
import { type EngineReport, engineKeeper } from "../../lib/web/flow/engine-keeper.ts";
import { askAgent } from "../../lib/web/flow/look.ts";
import { indexPage } from "../../lib/web/index-page.ts";
import { defaultPort, RESERVED_PORTS } from "../../lib/web/ports.ts";
import { type Hosts, virtualHosts } from "../../lib/web/virtual-hosts.ts";
import { insistOn } from "../host/insist.ts";
import { modeStatus } from "../page/mode-status.ts";
import { together } from "../process/supervise.ts";
import type { Surroundings } from "../process/surroundings.ts";
import { certificatesOf } from "./certificates.ts";
import type { ProxyConfig } from "./config.ts";
import { containers } from "./containers.ts";
import { type Edges, systemEdges } from "./edges.ts";
import { proxyMetrics } from "./metrics.ts";
import { notices } from "./notices.ts";
import { dnsOf } from "./own.ts";
import { teller } from "./tell.ts";
import { viewOf } from "./view.ts";

/** An engine never takes more connections than that; each needs two open files. */
const MOST_CONNECTIONS = 16_384;
const MOST_THREADS = 4;

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
  const insist = insistOn(config, surroundings);
  if ((await edges.ownNetworkMode()) === "awsvpc") {
    throw new Fatal(
      "this task has a network of its own (awsvpc), from where no container can be served: run it with networkMode host",
    );
  }
  const bell = doorbell();
  const noticeBell = doorbell();
  const say = teller(log);
  let hosts: Hosts = virtualHosts([]);
  let isStale = true;
  const current = (): Hosts => {
    if (isStale) hosts = virtualHosts(found.claims());
    isStale = false;
    return hosts;
  };

  const engine = await edges.engine(() => {
    log.warn("the engine has ended, and is started again");
    bell.ring();
  });
  const index = await edges.index(join(edges.folder, INDEX_SOCKET), () =>
    indexPage(current().hosts),
  );
  const docker = edges.docker();
  const version = await insist(() => docker.version());
  const ports = {
    allowed: config.listenPorts,
    reserved: new Set([
      ...RESERVED_PORTS,
      ...(config.statusAddress ? [config.statusAddress.port] : []),
    ]),
  };
  log.info("found the engine and Docker", {
    engine: engine.version,
    isRunning: engine.isRunning(),
    docker: version.engine,
    folder: edges.folder,
  });

  const agent = askAgent(once(async () => (await edges.findEcsAgent()).agent));
  const found = containers({
    docker,
    taskOf: agent,
    rules: {
      domain: config.domain,
      ports,
      allowedNames: config.allowedNames,
      redirect: config.redirectShortNames ? "short" : "off",
    },
    stopGraceMs: config.stopGrace * 1000,
    connects: edges.connects,
    surroundings,
    onChange() {
      isStale = true;
      follow();
      bell.ring();
    },
    onEvent: (id) => say.heard(id, clock.now()),
    onSeen: say.seen,
  });

  const certificates = await certificatesOf(config, {
    edges,
    surroundings,
    onChange: () => bell.ring(),
    answer: (token, body) => keeper.challenge(token, body),
    dns: () => dns,
    say: say.changed,
  });
  const threads = Math.min(MOST_THREADS, availableParallelism());
  const files = await edges.openFilesLimit();
  const keeper = engineKeeper({
    engine: { ...engine, listenProblem: (port) => edges.listenProblem(config.listenAddress, port) },
    desired: current,
    certificates: certificates.list,
    alwaysOn: [defaultPort(ports)],
    settings: {
      listenAddress: config.listenAddress,
      maxUploadBytes: config.maxUploadSize,
      maxConnections: Math.max(256, Math.min(MOST_CONNECTIONS, Math.floor((files - 200) / 2.1))),
      threads,
    },
    bell,
    clock,
    report,
  });
  const dns = config.route53
    ? await insist(() => dnsOf(config, { edges, surroundings, say: say.changed }))
    : undefined;
  const status = modeStatus({
    mode: "proxy",
    address: config.statusAddress,
    clock,
    log,
    metrics: proxyMetrics,
    view: () =>
      viewOf({
        hosts: current(),
        seen: found.seen(),
        silent: found.silent(),
        engine: keeper.standing(),
        engineVersion: engine.version,
        certificates: certificates.standing(),
        dns: dns?.standing(),
        dockerProblem: found.problem(),
        isLookedAt,
        changes: say.changes(),
      }),
    gauges(metrics) {
      const { isRunning, problem } = keeper.standing();
      metrics.set("ecs_discovery_proxy_hosts", current().hosts.length);
      metrics.set("ecs_discovery_proxy_containers", found.seen().size);
      metrics.set(
        "ecs_discovery_proxy_unserved_containers",
        [...found.seen().values()].filter(({ claims }) => claims.length === 0).length,
      );
      metrics.set("ecs_discovery_proxy_engine_up", isRunning && problem === undefined ? 1 : 0);
    },
  });
  let isLookedAt = false;
  let told = "";

  /** What follows from the table: names in DNS and certificates. Nothing is removed before all was looked at. */
  function follow(): void {
    status.changed();
    if (!isLookedAt || keeper.standing().loads === 0) return;
    const { layout } = keeper.standing();
    const served = current().hosts.filter(
      ({ key, servers }) =>
        layout.slots.has(key) && servers.some(({ state }) => state === "serving"),
    );
    dns?.want(new Set([...served.map(({ name }) => name), ...found.dnsNames()]));
    certificates.look(current().hosts);
  }

  function report(report: EngineReport): void {
    say.engine(report);
    switch (report.kind) {
      case "loaded":
        status.count((metrics) => metrics.count("ecs_discovery_proxy_loads_total"));
        break;
      case "applied":
        status.count((metrics) => metrics.count("ecs_discovery_proxy_changes_total"));
        break;
      case "failed":
        status.count((metrics) => metrics.count("ecs_discovery_proxy_failures_total"));
        break;
      case "port":
    }
    if (report.kind !== "loaded" && report.kind !== "applied") return status.changed();
    const { seconds, signature } = say.served(current(), clock.now());
    for (const value of seconds)
      status.count((metrics) => metrics.observe("ecs_discovery_proxy_served_seconds", value));
    if (signature !== told) noticeBell.ring();
    told = signature;
    follow();
  }

  const serve = async (): Promise<void> => {
    await found.lookedAt(end);
    if (end.aborted) return;
    isLookedAt = true;
    await keeper.run(end);
  };
  const serving = status.serve(end);
  await together(stop, [
    found.run(end),
    serve(),
    certificates.run(end),
    dns?.run(end) ?? Promise.resolve(),
    notices({
      docker,
      notifier: edges.notifier(),
      bell: noticeBell,
      isAllowed: config.notify,
      log,
      stop: end,
      onTold: say.changed,
    }),
  ]);
  await serving;
  // After a failure somebody starts us again: until then the engine serves on.
  if (stop.wasAsked()) await engine.end(config.drainTimeout * 800);
  await index.close().catch((error: unknown) => log.debug(causes(error)));
  log.info("stopped", { containers: found.seen().size });
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
