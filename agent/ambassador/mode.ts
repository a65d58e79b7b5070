import { forwards } from "../../lib/net/flow/forwards.ts";
import { probe } from "../../lib/net/flow/probe.ts";
import { translatedNow } from "../../lib/net/io/kernel-facts.ts";
import { modeStatus } from "../page/mode-status.ts";
import { together } from "../process/supervise.ts";
import type { Surroundings } from "../process/surroundings.ts";
import type { AmbassadorConfig } from "./config.ts";
import { gauges, metricTable } from "./metrics.ts";
import { planeOf } from "./plane.ts";
import { reading } from "./reading.ts";
import { sourceOf } from "./sources.ts";
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
  const tasks = reading(source, surroundings, {
    pollSeconds: config.poll,
    onRead(served) {
      ports.set(served.ports);
      tell.served(served);
      status.changed();
      status.count((metrics) => metrics.count("ambassador_reads_total", { result: "read" }));
    },
    onMissed(problem, pauseMs) {
      tell.missed(problem, pauseMs);
      status.count((metrics) => metrics.count("ambassador_reads_total", { result: "missed" }));
    },
  });
  const known = async (): Promise<Known> => ({
    source: source.name,
    plane: plane.why,
    served: tasks.served(),
    ageSeconds: tasks.ageSeconds(),
    readProblem: tasks.problem(),
    kernelProblem: kernel?.problem(),
    ports: await ports.ports(),
    changes: tell.changes(),
  });
  const status = statusOf(config, surroundings, known);
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
  stop.signal.addEventListener("abort", ports.refuse, { once: true });
  await together(stop, [
    status.serve(stop.signal),
    tasks.run(),
    ports.run(stop.signal),
    ...(kernel === undefined ? [] : [kernel.run(stop.signal)]),
    ...(isProbed ? [check.run(stop.signal)] : []),
  ]);

  const cut = await ports.close(config.drainTimeout * 1_000 - CUT_BEFORE_MS);
  if (cut > 0)
    log.warn("connections were still open after --drainTimeout: cut", { connections: cut });
}

function statusOf(
  { statusAddress }: AmbassadorConfig,
  { clock, log }: Surroundings,
  known: () => Promise<Known>,
) {
  const scrape = gauges();
  return modeStatus({
    mode: "ambassador",
    address: statusAddress,
    clock,
    log,
    view: async () => viewOf(await known()),
    metrics: metricTable,
    gauges: async (metrics) => scrape(metrics, await known()),
  });
}
