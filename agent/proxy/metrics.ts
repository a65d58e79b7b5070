import type { Metric } from "../page/metrics.ts";

export const proxyMetrics = {
  ecs_discovery_proxy_hosts: { kind: "gauge", help: "names, paths and ports that are served" },
  ecs_discovery_proxy_containers: {
    kind: "gauge",
    help: "containers with proxy.host or dns.hostname that run",
  },
  ecs_discovery_proxy_unserved_containers: {
    kind: "gauge",
    help: "containers that are not served, for any reason",
  },
  ecs_discovery_proxy_engine_up: {
    kind: "gauge",
    help: "1 while the engine runs and serves what it should",
  },
  ecs_discovery_proxy_loads_total: {
    kind: "counter",
    help: "times the engine read its files, its starts included",
  },
  ecs_discovery_proxy_changes_total: {
    kind: "counter",
    help: "changes that were made by commands, without a reload",
  },
  ecs_discovery_proxy_failures_total: {
    kind: "counter",
    help: "changes that the engine did not take at once",
  },
  ecs_discovery_proxy_served_seconds: {
    kind: "histogram",
    help: "from a container's event to the engine serving it",
    buckets: [0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10, 30],
  },
} as const satisfies Readonly<Record<string, Metric>>;

export type ProxyMetric = keyof typeof proxyMetrics;
