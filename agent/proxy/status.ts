import type { Hosts } from "../../lib/web/virtual-hosts.ts";
import { type ModeStatus, modeStatus } from "../page/mode-status.ts";
import type { Surroundings } from "../process/surroundings.ts";
import type { ProxyConfig } from "./config.ts";
import type { Containers } from "./containers.ts";
import { type ProxyMetric, proxyMetrics } from "./metrics.ts";
import { type Picture, viewOf } from "./view.ts";

/** The parts that are asked how they are, at the moment when somebody wants to know. */
export interface Parts {
  readonly found: Containers;
  readonly hosts: () => Hosts;
  readonly engineVersion: string;
  readonly engine: () => Picture["engine"];
  readonly certificates: () => Picture["certificates"];
  readonly dns: () => Picture["dns"];
  readonly changes: () => Picture["changes"];
}

/** The page, health and metrics of the mode. */
export const proxyStatus = (
  { statusAddress }: Pick<ProxyConfig, "statusAddress">,
  { clock, log }: Pick<Surroundings, "clock" | "log">,
  { found, ...parts }: Parts,
): ModeStatus<ProxyMetric> =>
  modeStatus({
    mode: "proxy",
    address: statusAddress,
    clock,
    log,
    metrics: proxyMetrics,
    view: () =>
      viewOf({
        hosts: parts.hosts(),
        seen: found.seen(),
        silent: found.silent(),
        engine: parts.engine(),
        engineVersion: parts.engineVersion,
        certificates: parts.certificates(),
        dns: parts.dns(),
        dockerProblem: found.problem(),
        changes: parts.changes(),
      }),
    gauges(metrics) {
      const { isRunning, problem } = parts.engine();
      const seen = [...found.seen().values()];
      const unserved = seen.filter(({ claims }) => claims.length === 0).length;
      metrics.set("ecs_discovery_proxy_hosts", parts.hosts().hosts.length);
      metrics.set("ecs_discovery_proxy_containers", seen.length);
      metrics.set("ecs_discovery_proxy_unserved_containers", unserved);
      metrics.set("ecs_discovery_proxy_engine_up", isRunning && problem === undefined ? 1 : 0);
    },
  });
