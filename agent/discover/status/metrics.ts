import type { Metric } from "../../page/metrics.ts";

/** From the lone change to a throttled fleet of a thousand hosts. */
const EVENT_SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];
const REQUEST_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const BATCH_CHANGES = [1, 2, 5, 10, 25, 50, 100, 250, 500];

/**
 * Every metric of an agent, besides the process's own (`process_*`, `nodejs_heap_used_bytes`). No label's value comes from a container:
 * they are closed sets, so their number is bounded.
 */
export const metricTable = {
  ecs_discovery_info: {
    kind: "gauge",
    help: "1; its labels say which agent this is",
    labels: ["version", "container_instance", "cluster", "zone"],
  },
  ecs_discovery_healthy: { kind: "gauge", help: "1 while /healthz says 200" },
  ecs_discovery_ready: { kind: "gauge", help: "1 from the first sync on" },
  ecs_discovery_stream_open: { kind: "gauge", help: "1 while Docker's event stream is open" },
  ecs_discovery_stream_events_total: { kind: "counter", help: "events of Docker's stream" },
  ecs_discovery_containers: {
    kind: "gauge",
    help: "labelled containers by their life: starting, healthy, unhealthy, paused, stopping or unknown",
    labels: ["state"],
  },
  ecs_discovery_containers_skipped: {
    kind: "gauge",
    help: "running containers without a record, by a reason that somebody should act on",
    labels: ["reason"],
  },
  ecs_discovery_queue_length: { kind: "gauge", help: "containers that wait to be looked at" },
  ecs_discovery_queue_working: { kind: "gauge", help: "containers that are looked at now" },
  ecs_discovery_records_desired: { kind: "gauge", help: "record sets that containers ask for" },
  ecs_discovery_records_published: {
    kind: "gauge",
    help: "record sets of this host in the zone, as far as it knows",
  },
  ecs_discovery_changes_pending: { kind: "gauge", help: "changes that wait to be accepted" },
  ecs_discovery_changes_quarantined: {
    kind: "gauge",
    help: "of these, those that Route 53 refused, and that are sent again after 5 minutes",
  },
  ecs_discovery_changes_overdue_seconds: {
    kind: "gauge",
    help: "for how long changes could have been sent, and none was accepted",
  },
  ecs_discovery_changes_total: {
    kind: "counter",
    help: "changes by action (upsert, delete, replace) and result (accepted, refused)",
    labels: ["action", "result"],
  },
  ecs_discovery_event_to_accepted_seconds: {
    kind: "histogram",
    help: "from a container's event to Route 53's acceptance of what follows from it",
    buckets: EVENT_SECONDS,
  },
  ecs_discovery_batch_changes: {
    kind: "histogram",
    help: "changes in one accepted request",
    buckets: BATCH_CHANGES,
  },
  ecs_discovery_route53_requests_total: {
    kind: "counter",
    help: "requests to Route 53 by operation and result (ok, refused, throttled, busy, unavailable, failed)",
    labels: ["operation", "result"],
  },
  ecs_discovery_route53_request_seconds: {
    kind: "histogram",
    help: "how long they took, the SDK's own repeats included",
    labels: ["operation"],
    buckets: REQUEST_SECONDS,
  },
  ecs_discovery_route53_throttles_total: {
    kind: "counter",
    help: "requests that Route 53 answered with the demand for fewer",
  },
  ecs_discovery_docker_requests_total: {
    kind: "counter",
    help: "requests to Docker by operation and result",
    labels: ["operation", "result"],
  },
  ecs_discovery_introspection_requests_total: {
    kind: "counter",
    help: "requests to the ECS agent by operation and result",
    labels: ["operation", "result"],
  },
  ecs_discovery_last_accepted_timestamp_seconds: {
    kind: "gauge",
    help: "when Route 53 accepted a change last, 0 for never",
  },
  ecs_discovery_last_sync_timestamp_seconds: {
    kind: "gauge",
    help: "when nothing was left to send last, 0 for never",
  },
  ecs_discovery_fullest_name_record_sets: {
    kind: "gauge",
    help: "record sets, of all hosts, of the fullest of this host's names that were read; Route 53 takes 100",
  },
  ecs_discovery_names_nearly_full: {
    kind: "gauge",
    help: "how many of these names hold 80 record sets or more",
  },
} as const satisfies Readonly<Record<`ecs_discovery_${string}`, Metric>>;

export type MetricName = keyof typeof metricTable;
