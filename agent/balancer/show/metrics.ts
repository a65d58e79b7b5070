import type { Metric } from "../../page/metrics.ts";

/** All metrics of the mode; the names are an interface. */
export const metricTable = {
  balancer_requests_total: {
    kind: "counter",
    help: "requests to AWS, by operation and result: ok, refused, or failed for want of an answer",
    labels: ["operation", "result"],
  },
  balancer_cycles_total: {
    kind: "counter",
    help: "cycles, by their result: ok, or failed where a look was not answered",
    labels: ["result"],
  },
  balancer_cycle_age_seconds: {
    kind: "gauge",
    help: "seconds since a cycle was last ok, -1 before the first one",
  },
  balancer_services: {
    kind: "gauge",
    help: "services of the file, by how they fare: good, wait or bad",
    labels: ["standing"],
  },
  balancer_moves_total: {
    kind: "counter",
    help: "listeners that were to be made anew, by outcome: moved, untouched, restored or open",
    labels: ["outcome"],
  },
  balancer_moves_open: {
    kind: "gauge",
    help: "moves that the journal holds: begun, and not at their end",
  },
  balancer_forward_open_connections: {
    kind: "gauge",
    help: "connections that are open through the fixed ports",
  },
} as const satisfies Readonly<Record<string, Metric>>;
