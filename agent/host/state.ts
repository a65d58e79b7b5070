import * as z from "zod";
import { recordTypes } from "../../lib/route53/record-set.ts";

/**
 * What a running agent tells of itself: GET /v1/state, and the event `state` of GET /v1/events.
 * Times are Unix seconds, durations seconds, both with fractions. Texts come from labels, container names and Route 53:
 * whoever shows them must show them as text. A reader takes fields that it does not know for good: within a schema
 * version fields are only added.
 */
export const STATE_SCHEMA_VERSION = 1;

const Time = z.number();
const Seconds = z.number();
const Count = z.int().min(0);

const RecordSetState = z.object({
  name: z.string(),
  type: z.enum(recordTypes),
  setIdentifier: z.string(),
  /** The task that the set identifier names. */
  task: z.string().optional(),
  ttlSeconds: Seconds,
  /** Undefined for a multivalue answer. */
  weight: z.number().optional(),
  values: z.array(z.string()),
});
export type RecordSetState = z.infer<typeof RecordSetState>;

/**
 * How a record that a container asks for fares.
 * - published: the zone holds it as desired.
 * - pending: it waits for the next request, or is in it.
 * - uncertain: an answer was lost; the zone may hold it or not, and the next request settles that.
 * - refused: Route 53 would not have it; see `pending` for its words.
 * - withheld: nobody sends it, because of other containers of its name (`--allUnhealthy`).
 */
const recordStandings = ["published", "pending", "uncertain", "refused", "withheld"] as const;

const ContainerState = z.object({
  /** Docker's 64 hex digits. */
  id: z.string(),
  name: z.string().optional(),
  /** dead, stopping, paused, starting, unhealthy or healthy; a container without a health check that runs is healthy. */
  life: z.string().optional(),
  /** What it comes to: it asks for records, it has none for a reason, or that can't be said yet. */
  outcome: z.enum(["serve", "absent", "unsure"]),
  /** Why it has no record, or none yet: `bad-name`, `stopping`, `address-pending`, … */
  reason: z.string().optional(),
  /** The same as a sentence. */
  detail: z.string().optional(),
  /** Whose address it serves at: `ecs` is its task's, `host` this host's, `docker` its own. */
  source: z.string().optional(),
  /** Why further names that its labels ask for are left out. */
  problems: z.array(z.string()),
  records: z.array(RecordSetState.extend({ standing: z.enum(recordStandings) })),
  /** Since when it has been so. */
  since: Time,
  lookedAt: Time,
  /** When it is looked at again by itself; undefined when only an event is a reason to. */
  againAt: Time.optional(),
});
export type ContainerState = z.infer<typeof ContainerState>;

const ChangeState = z.object({
  /** Grows by one with each change of this process. */
  seq: Count,
  at: Time,
  /** REPLACE deletes a record set and creates it with the other routing policy, in one request. */
  action: z.enum(["UPSERT", "DELETE", "REPLACE"]),
  record: RecordSetState,
  result: z.enum(["accepted", "refused"]),
  /** Route 53's words, where it refused. */
  message: z.string().optional(),
  /** The container whose event led to it, where one did: short id, name and why (`healthy`, `stopping`, …). */
  container: z.string().optional(),
  containerName: z.string().optional(),
  reason: z.string().optional(),
  /** From that event to Route 53's answer. */
  seconds: Seconds.optional(),
});
export type ChangeState = z.infer<typeof ChangeState>;

const PendingState = z.object({
  action: z.enum(["UPSERT", "DELETE", "REPLACE"]),
  record: RecordSetState,
  /** It was refused as it is: in these words, and it is sent again then. */
  refused: z.object({ message: z.string(), retryAt: Time }).optional(),
});

export const State = z.object({
  schemaVersion: z.literal(STATE_SCHEMA_VERSION),
  at: Time,
  agent: z.object({ version: z.string(), startedAt: Time, dryRun: z.boolean() }),
  /** Undefined until the ECS agent was found. */
  owner: z.object({ instance: z.string(), region: z.string(), cluster: z.string() }).optional(),
  /** Undefined until Route 53 has answered; `recordSets` is the zone's size at the start. */
  zone: z.object({ id: z.string(), name: z.string(), recordSets: Count }).optional(),
  health: z.object({
    /** As /healthz says it. */
    ok: z.boolean(),
    /** As /readyz says it: every container was looked at and the first difference is sent. */
    ready: z.boolean(),
    /** Why /healthz or /readyz is red, as sentences. */
    problems: z.array(z.string()),
    /** What somebody should know though the agent is well, such as records that are kept because they are in doubt. */
    notes: z.array(z.string()).optional(),
  }),
  /** The way of the data, from left to right. */
  flow: z.object({
    stream: z.object({
      open: z.boolean(),
      /** Since when it is open, or closed. */
      since: Time,
      events: Count,
      lastEventAt: Time.optional(),
    }),
    queue: z.object({ waiting: Count, working: Count, later: Count, workers: Count }),
    records: z.object({ desired: Count, published: Count, pending: Count, refused: Count }),
    requests: z.object({
      total: Count,
      failed: Count,
      /** Answered with the demand for fewer requests. */
      throttled: Count,
      lastAcceptedAt: Time.optional(),
    }),
    /** When nothing was left to send last. */
    lastSyncAt: Time.optional(),
  }),
  /** By name, then id. Ended containers are left out. */
  containers: z.array(ContainerState),
  desired: z.array(RecordSetState),
  /** `certain` is false where an answer was lost. */
  published: z.array(RecordSetState.extend({ certain: z.boolean() })),
  pending: z.array(PendingState),
  /** Names that this host has records of, with what the last look at the zone found there, others' records included. */
  names: z.array(
    z.object({
      name: z.string(),
      type: z.enum(recordTypes),
      /** This host's record sets, and the sum of their weights; undefined for multivalue answers. */
      own: Count,
      ownWeight: z.number().optional(),
      /** All hosts' together, of at most 100; undefined while the name was not read. */
      zone: z.object({ size: Count, weight: z.number().optional(), at: Time }).optional(),
    }),
  ),
  /** Containers that are left without a record for a reason that somebody should act on, now, by reason. */
  skipped: z.record(z.string(), Count),
  /** The last failures, the newest first; the same one again only counts up. */
  errors: z.array(
    z.object({ firstAt: Time, lastAt: Time, times: Count, from: z.string(), message: z.string() }),
  ),
  /** The last 50, the newest first. */
  changes: z.array(ChangeState),
  /** Other modes that serve their status on this host, at their default ports. */
  neighbours: z.array(z.object({ mode: z.string(), url: z.string(), ok: z.boolean() })).optional(),
});
export type State = z.infer<typeof State>;

/** The server-sent events of GET /v1/events: their names, and what their `data` holds as JSON. */
export const stateEvents = {
  /** The whole state: at once, and at most twice a second when something has changed. It replaces the one before. */
  state: State,
  /** One change as it lands or is refused; the next `state` holds it, too. The event's id is its `seq`. */
  change: ChangeState,
} as const;
