import type { ContainerId } from "../../../lib/docker/container.ts";
import type { Standing } from "../../../lib/route53/flow/zone-writer.ts";
import { GROUP_WARNING } from "../../../lib/route53/group.ts";
import {
  keyOf,
  type RecordKey,
  type RecordSet,
  recordTypes,
} from "../../../lib/route53/record-set.ts";
import { parseSetIdentifier } from "../../../lib/route53/set-identifier.ts";
import {
  type ContainerState,
  type RecordSetState,
  STATE_SCHEMA_VERSION,
  type State,
} from "../../host/state.ts";
import { EVERYDAY } from "../decision-log.ts";
import type { Memory, Moment, Row } from "./memory.ts";

/** The memory at one moment, with how the writer stands: asking it is dear, so it is asked once. */
export interface Snapshot {
  readonly memory: Memory;
  readonly standing: Standing | undefined;
  readonly nowMs: number;
  /** A moment of the clock as Unix seconds. */
  readonly unix: (ms: number) => number;
}

/** The state without its lists. */
export type Summary = Pick<
  State,
  "schemaVersion" | "at" | "agent" | "owner" | "zone" | "health" | "flow"
>;

/** What the first sync waits for, as sentences; none once it is done. */
export function unreadyOf(
  { host, zone, first }: Memory,
  standing: Standing | undefined,
): readonly string[] {
  if (standing?.settledAtMs !== undefined) return [];
  const waitsFor = (what: string) => [`the first sync is not done yet: it waits for ${what}`];
  if (host === undefined)
    return waitsFor("Docker, and for the ECS agent to say which host this is");
  if (zone === undefined) return waitsFor("Route 53 to say which zone this is");
  if (first === undefined) return waitsFor("Docker's list of containers");
  if (first.size > 0) return waitsFor(`${first.size} of the listed containers to be looked at`);
  if (standing === undefined) return waitsFor("the records that this host has already");
  const { length } = standing.waiting;
  return waitsFor(`${length} ${length === 1 ? "change" : "changes"} to be accepted by Route 53`);
}

export function summaryOf(
  { memory, standing, nowMs, unix }: Snapshot,
  problems: readonly string[],
): Summary {
  const { about, startedMs, host, zone, parts, stream, requests, acceptedMs } = memory;
  const unready = unreadyOf(memory, standing);
  const notes = [...memory.notes()];
  const waiting = standing?.waiting ?? [];
  return {
    schemaVersion: STATE_SCHEMA_VERSION,
    at: unix(nowMs),
    agent: { version: about.version, startedAt: unix(startedMs), dryRun: about.dryRun },
    owner: host && {
      instance: host.owner.instance,
      region: host.owner.region,
      cluster: host.cluster,
    },
    zone,
    health: {
      ok: problems.length === 0,
      ready: unready.length === 0,
      problems: [...problems, ...unready],
      ...(notes.length > 0 && { notes }),
    },
    flow: {
      stream: {
        open: stream.open,
        since: unix(stream.sinceMs),
        events: stream.events,
        lastEventAt: unixOr(unix, stream.lastMs),
      },
      queue: {
        ...(parts?.queue.size() ?? { waiting: 0, working: 0, later: 0 }),
        workers: about.workers,
      },
      records: {
        desired: parts?.desired.records().size ?? 0,
        published: standing?.published.size ?? 0,
        pending: waiting.length,
        refused: waiting.filter(({ refused }) => refused !== undefined).length,
      },
      requests: { ...requests, lastAcceptedAt: unixOr(unix, acceptedMs) },
      lastSyncAt: unixOr(unix, standing?.settledAtMs),
    },
  };
}

/** Everything. */
export function stateOf(snapshot: Snapshot, problems: readonly string[]): State {
  const { memory, standing, unix } = snapshot;
  const desired = memory.parts?.desired.records() ?? NO_RECORDS;
  const how = standingOf(standing, desired);
  return {
    ...summaryOf(snapshot, problems),
    containers: [...memory.rows]
      .map(([id, row]) => containerState(id, row, how, unix))
      .toSorted((a, b) => compare(a.name ?? "", b.name ?? "") || compare(a.id, b.id)),
    desired: [...desired.values()].map(shown),
    published: [...(standing?.published.values() ?? [])].map(({ record, certain }) => ({
      ...shown(record),
      certain,
    })),
    pending: (standing?.waiting ?? []).map(({ change, refused }) => ({
      action: change.action,
      record: shown(change.record),
      refused: refused && { message: refused.message, retryAt: unix(refused.untilMs) },
    })),
    names: namesOf(snapshot),
    skipped: skippedOf(memory.rows),
    errors: [...memory.troubles.values()].toReversed().map(({ firstMs, lastMs, ...rest }) => ({
      ...rest,
      firstAt: unix(firstMs),
      lastAt: unix(lastMs),
    })),
    changes: [...memory.changes],
  };
}

function standingOf(standing: Standing | undefined, desired: ReadonlyMap<RecordKey, RecordSet>) {
  const waiting = new Map(standing?.waiting.map((one) => [keyOf(one.change.record), one] as const));
  return (record: RecordSet): ContainerState["records"][number]["standing"] => {
    const key = keyOf(record);
    const waits = waiting.get(key);
    if (waits?.refused !== undefined) return "refused";
    const published = standing?.published.get(key);
    if (published?.certain === false) return "uncertain";
    if (waits !== undefined) return "pending";
    if (published !== undefined) return "published";
    return desired.has(key) ? "pending" : "withheld";
  };
}

function containerState(
  id: ContainerId,
  { seen, sinceMs, lookedAtMs }: Row,
  standing: ReturnType<typeof standingOf>,
  unix: Snapshot["unix"],
): ContainerState {
  const { container, desired, life, againInMs } = seen;
  const serves = desired.kind === "serve";
  return {
    id,
    name: container?.name,
    life,
    outcome: desired.kind,
    ...(!serves && { reason: desired.reason, detail: desired.detail }),
    ...(serves && { source: desired.source }),
    problems: serves ? [...desired.problems] : [],
    records: serves
      ? desired.records.map((record) => ({ ...shown(record), standing: standing(record) }))
      : [],
    since: unix(sinceMs),
    lookedAt: unix(lookedAtMs),
    againAt: unixOr(unix, againInMs === undefined ? undefined : lookedAtMs + againInMs),
  };
}

function namesOf({ memory: { groups }, standing, unix }: Snapshot): State["names"] {
  const published = [...(standing?.published.values() ?? [])].map(({ record }) => record);
  return [...Map.groupBy(published, ({ name, type }) => `${type} ${name}`).values()].flatMap(
    (own) => {
      const [first] = own;
      if (first === undefined) return [];
      const { name, type } = first;
      const read = groups.get(name);
      const found = read?.group.types.get(type);
      return {
        name,
        type,
        own: own.length,
        ownWeight:
          first.weight === undefined ? undefined : sum(own.map(({ weight = 0 }) => weight)),
        zone:
          read === undefined
            ? undefined
            : { size: found?.size ?? 0, weight: found?.weight, at: unix(read.atMs) },
      };
    },
  );
}

const unixOr = (unix: Snapshot["unix"], ms: Moment) => (ms === undefined ? undefined : unix(ms));

/** How many containers lead which life. */
export const livesOf = (rows: Memory["rows"]): Readonly<Record<string, number>> =>
  countEach([...rows.values()].map(({ seen }) => seen.life ?? "unknown"));

/** Of all hosts, under the names of ours that were read: the most record sets, and how many names come near the limit. */
export function fullnessOf(groups: Memory["groups"]): {
  readonly fullest: number;
  readonly nearlyFull: number;
} {
  const sizes = [...groups.values()].flatMap(({ group }) =>
    recordTypes.map((type) => group.types.get(type)?.size ?? 0),
  );
  return {
    fullest: Math.max(0, ...sizes),
    nearlyFull: sizes.filter((size) => size >= GROUP_WARNING).length,
  };
}

/** How many containers are without a record for a reason to act on, by reason. */
export const skippedOf = (rows: Memory["rows"]): Readonly<Record<string, number>> =>
  countEach([...rows.values()].flatMap(({ seen }) => skipReason(seen)));

/** Why the container is without a record and somebody should do something about it. */
function skipReason({ desired, againInMs }: Row["seen"]): readonly string[] {
  if (desired.kind === "serve" || againInMs !== undefined) return [];
  return EVERYDAY.has(desired.reason) ? [] : [desired.reason];
}

export function shown(record: RecordSet): RecordSetState {
  const { name, type, setIdentifier, ttlSeconds, weight, values } = record;
  const task = parseSetIdentifier(setIdentifier)?.task;
  return { name, type, setIdentifier, task, ttlSeconds, weight, values: [...values] };
}

const NO_RECORDS: ReadonlyMap<RecordKey, RecordSet> = new Map();

const countEach = (words: readonly string[]): Readonly<Record<string, number>> =>
  Object.fromEntries(
    [...Map.groupBy(words, (word) => word)].map(([word, all]) => [word, all.length]),
  );
const sum = (values: readonly number[]): number => values.reduce((total, one) => total + one, 0);
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
