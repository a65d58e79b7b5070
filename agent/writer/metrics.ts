import type { Metric } from "../page/metrics.ts";

/** From the queue's own stamp to Route 53's acceptance. */
const SENT_SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];
const BATCH_CHANGES = [1, 2, 5, 10, 25, 50, 100, 250, 500];

/** Every metric of a writer, besides the process's own. No label's value comes from a message. */
export const metricTable = {
  ecs_discovery_writer_owners: {
    kind: "gauge",
    help: "owners of records: heard, silent (their records stay as they are), or doubtful",
    labels: ["state"],
  },
  ecs_discovery_writer_records: { kind: "gauge", help: "record sets of agents in the zones" },
  ecs_discovery_writer_changes_total: {
    kind: "counter",
    help: "changes by action (upsert, delete, replace) and result (accepted, refused)",
    labels: ["action", "result"],
  },
  ecs_discovery_writer_sent_to_accepted_seconds: {
    kind: "histogram",
    help: "from when SQS took an owner's newest set to Route 53's acceptance of what follows from it",
    buckets: SENT_SECONDS,
  },
  ecs_discovery_writer_batch_changes: {
    kind: "histogram",
    help: "changes in one request",
    buckets: BATCH_CHANGES,
  },
  ecs_discovery_writer_route53_requests_total: {
    kind: "counter",
    help: "requests to change a zone by result (ok, refused, throttled, busy, unavailable)",
    labels: ["result"],
  },
  ecs_discovery_writer_messages_total: {
    kind: "counter",
    help: "messages by what they were: newest, part, double, older, unknown (sender), or put aside as malformed, other zone, liar, unknown sender",
    labels: ["kind"],
  },
  ecs_discovery_writer_messages_in_hand: {
    kind: "gauge",
    help: "messages that were given out and are not deleted yet",
  },
  ecs_discovery_writer_owners_waiting: { kind: "gauge", help: "owners whose changes wait" },
  ecs_discovery_writer_overdue_seconds: {
    kind: "gauge",
    help: "for how long changes have waited, and none was accepted",
  },
  ecs_discovery_writer_deletes_stopped: {
    kind: "gauge",
    help: "1 while no record is deleted, because more than a fifth of the zone's would have gone",
  },
  ecs_discovery_writer_records_held: {
    kind: "gauge",
    help: "record sets that stay until their owner says again that they go",
  },
  ecs_discovery_writer_records_refused: {
    kind: "gauge",
    help: "record sets that Route 53 refused, and that are sent again after 5 minutes",
  },
} as const satisfies Readonly<Record<`ecs_discovery_writer_${string}`, Metric>>;

export type WriterMetric = keyof typeof metricTable;
