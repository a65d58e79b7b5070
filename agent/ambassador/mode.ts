import { poll } from "../../lib/ecs/flow/poll.ts";
import type { Served } from "../../lib/ecs/service-task.ts";
import { forwards } from "../../lib/net/flow/forwards.ts";
import { probe } from "../../lib/net/flow/probe.ts";
import { translatedNow } from "../../lib/net/io/kernel-facts.ts";
import { modeStatus } from "../page/mode-status.ts";
import { together } from "../process/supervise.ts";
import type { Surroundings } from "../process/surroundings.ts";
import type { AmbassadorConfig } from "./config.ts";
import { gauges, metricTable } from "./metrics.ts";
import { planeOf } from "./plane.ts";
import { sourceOf } from "./source.ts";
import { tell as telling } from "./tell.ts";
import { type Known, viewOf } from "./view.ts";

/** What is still open is cut a moment before the process's own limit is over: that one would make the end a failure. */
const CUT_BEFORE_MS = 400;

/**
 * Listens on the ports of a service's container and hands each connection on to one of its tasks, until it is stopped. A
 * look at the tasks that fails changes nothing: whoever was read last is served.
 */
export async function ambassador(
  config: AmbassadorConfig,
  surroundings: Surroundings,
): Promise<void> {
  const { stop, clock, random, log } = surroundings;
  const [source, plane] = await Promise.all([
    sourceOf(config, surroundings),
    planeOf(config, surroundings),
  ]);
  const { kernel } = plane;
  log.info(`${plane.why[0]?.toUpperCase()}${plane.why.slice(1)}`, { source: source.name });

  let served: Served | undefined;
  let readAtMs: number | undefined;
  let readProblem: string | undefined;
  const tell = telling({
    log,
    clock,
    stop: stop.signal,
    nowSeconds: () => Date.now() / 1_000,
    onChange: () => status.changed(),
  });
  const ports = forwards({
    ...(config.bind !== undefined && { host: config.bind }),
    policy: config.balance ?? "p2c",
    connectTimeoutMs: config.connectTimeout,
    ...(config.idleTimeout > 0 && { idleTimeoutMs: config.idleTimeout * 1_000 }),
    proxyProtocol: config.proxyProtocol,
    clock,
    random,
    ...(kernel !== undefined && { kernel, translated: translatedNow }),
    tell,
  });
  const known = (): Known => ({
    source: source.name,
    plane: plane.why,
    served,
    ageSeconds: readAtMs === undefined ? undefined : (clock.now() - readAtMs) / 1_000,
    readProblem,
    kernelProblem: kernel?.problem(),
    ports: ports.ports(),
    changes: tell.changes(),
  });
  const scrape = gauges();
  const status = modeStatus({
    mode: "ambassador",
    address: config.statusAddress,
    clock,
    log,
    view: () => viewOf(known()),
    metrics: metricTable,
    gauges: (metrics) => scrape(metrics, known()),
  });
  const reading = poll({
    read: source.look,
    meanMs: config.poll * 1_000,
    clock,
    random,
    stop: stop.signal,
    tell: {
      read(now) {
        served = now;
        readAtMs = clock.now();
        readProblem = undefined;
        ports.set(now.ports);
        tell.served(now);
        status.changed();
        status.count((metrics) => metrics.count("ambassador_reads_total", { result: "read" }));
      },
      missed(problem, _error, pauseMs) {
        readProblem = problem;
        tell.missed(problem, pauseMs);
        status.count((metrics) => metrics.count("ambassador_reads_total", { result: "missed" }));
      },
    },
  });
  // In the kernel nobody else sees that a task is silent.
  const isProbed = config.health === "tcp" || (config.health === "ecs" && kernel !== undefined);
  const check = probe({
    targets: ports.targets,
    clock,
    random,
    onChange() {
      ports.checked(check.down);
      status.changed();
    },
  });
  await together(stop, [
    status.serve(stop.signal),
    reading,
    ports.run(stop.signal),
    ...(kernel === undefined ? [] : [kernel.run(stop.signal)]),
    ...(isProbed ? [check.run(stop.signal)] : []),
  ]);

  const cut = await ports.close(config.drainTimeout * 1_000 - CUT_BEFORE_MS);
  if (cut > 0)
    log.warn("connections were still open after --drainTimeout: cut", { connections: cut });
}
