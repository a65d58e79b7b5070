import type { Metric } from "../page/metrics.ts";

export const metricTable = {
  ecs_discovery_kube_leader: { kind: "gauge", help: "1 while this process leads, else 0" },
  ecs_discovery_kube_objects: {
    kind: "gauge",
    help: "objects known, by kind",
    labels: ["kind"],
  },
  ecs_discovery_kube_deployments: {
    kind: "gauge",
    help: "ECSDeployments by how they stand: ready, progressing, refused, failed",
    labels: ["state"],
  },
  ecs_discovery_kube_queue: {
    kind: "gauge",
    help: "ECSDeployments that wait, are worked on, or are looked at again later",
    labels: ["state"],
  },
  ecs_discovery_kube_writes_total: {
    kind: "counter",
    help: "changes made to children, by verb",
    labels: ["verb"],
  },
  ecs_discovery_kube_requests_total: {
    kind: "counter",
    help: "answers of the API server by method and code; 0 for none",
    labels: ["method", "code"],
  },
  ecs_discovery_kube_retries_total: {
    kind: "counter",
    help: "looks that the API server kept from ending, and that are taken again",
  },
  ecs_discovery_kube_reconcile_seconds: {
    kind: "histogram",
    help: "how long one look at an ECSDeployment takes, writes included",
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  },
} as const satisfies Readonly<Record<string, Metric>>;
