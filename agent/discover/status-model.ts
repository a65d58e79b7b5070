import type { Desired } from "../../lib/discovery/desired.ts";
import type { DesiredTable } from "../../lib/discovery/flow/desired-table.ts";
import type { Seen } from "../../lib/discovery/flow/look.ts";
import { type ContainerId, shortId } from "../../lib/docker/container.ts";
import { causes as causeTexts } from "../../lib/kit/failure.ts";
import type { Clock } from "../../lib/kit/flow/clock.ts";
import type { WorkQueue } from "../../lib/kit/flow/work-queue.ts";
import type { Standing, WriterReport, ZoneWriter } from "../../lib/route53/flow/zone-writer.ts";
import { GROUP_WARNING, type Group } from "../../lib/route53/group.ts";
import type { Change } from "../../lib/route53/plan.ts";
import {
  keyOf,
  type RecordKey,
  type RecordSet,
  recordTypes,
} from "../../lib/route53/record-set.ts";
import { parseSetIdentifier } from "../../lib/route53/set-identifier.ts";
import {
  type ChangeState,
  type ContainerState,
  type RecordSetState,
  STATE_SCHEMA_VERSION,
  type State,
} from "../host/state.ts";
import type { Request } from "./count-requests.ts";
import { EVERYDAY, type Why } from "./decision-log.ts";

const MOST_CHANGES = 50;
const MOST_ERRORS = 20;
/** Ids that were ever heard of; far more than run on a host at once. */
const MOST_IDS = 10_000;

/** The parts whose own state is asked for, not followed: what they say is true at that moment. */
export interface Parts {
  readonly kind: "parts";
  readonly queue: Pick<WorkQueue<ContainerId>, "size" | "holds">;
  readonly desired: Pick<DesiredTable, "ids" | "records">;
}

export interface Host {
  readonly kind: "host";
  readonly owner: { readonly instance: string; readonly region: string };
  readonly cluster: string;
}

export interface ZoneFacts extends NonNullable<State["zone"]> {
  readonly kind: "zone";
}

/** What a start found in doubt, as sentences while it is. */
export interface Notes {
  readonly kind: "notes";
  readonly notes: () => readonly string[];
}

/** The writer comes last: it begins with what is published, which takes a while to find out. */
export interface Writer extends Pick<ZoneWriter, "standing"> {
  readonly kind: "writer";
}

interface Row {
  readonly seen: Seen & { readonly desired: Desired };
  readonly why: string;
  readonly sinceMs: number;
  readonly lookedAtMs: number;
}

interface Trouble {
  readonly from: string;
  readonly message: string;
  readonly firstMs: number;
  lastMs: number;
  times: number;
}

/** What is told of the agent's work, remembered as far as people ask for it: nothing that the work depends on. */
export interface Observation {
  found(what: Host | ZoneFacts | Parts | Writer | Notes): void;
  streamOpened(): void;
  heard(id: ContainerId): void;
  listed(ids: readonly ContainerId[]): void;
  seen(id: ContainerId, seen: Seen): void;
  asked(request: Request): void;
  read(group: Group): void;
  /** The changes that were decided by it. */
  wrote(report: WriterReport, why: Why): readonly ChangeState[];

  isStreamOpen(): boolean;
  /** What the first sync waits for, as sentences; none once it is done. */
  unready(): readonly string[];
  /** What somebody should know though the agent is well. */
  notes(): readonly string[];
  /** What came of the last request to Route 53, where that was no answer. */
  lastMiss(): string | undefined;
  knows(id: ContainerId): boolean;
  takenToRun(): readonly ContainerId[];
  standing(): Standing | undefined;
  /** Of all hosts, under the names of ours that were read: the most record sets, and how many names come near the limit. */
  fullness(): { readonly fullest: number; readonly nearlyFull: number };
  /** How many containers lead which life. */
  lives(): Readonly<Record<string, number>>;
  /** How many containers are without a record for a reason to act on, by reason. */
  skipped(): Readonly<Record<string, number>>;
  /** The state without its lists. */
  summary(problems: readonly string[]): Summary;
  state(problems: readonly string[]): State;
}

type Summary = Pick<State, "schemaVersion" | "at" | "agent" | "owner" | "zone" | "health" | "flow">;

export function observation({
  clock,
  unixMs,
  version,
  dryRun,
  workers,
}: {
  readonly clock: Clock;
  /** The time of day. */
  readonly unixMs: () => number;
  readonly version: string;
  readonly dryRun: boolean;
  readonly workers: number;
}): Observation {
  const startedMs = clock.now();
  const rows = new Map<ContainerId, Row>();
  const known = new Set<ContainerId>();
  const groups = new Map<string, { readonly group: Group; readonly atMs: number }>();
  const troubles = new Map<string, Trouble>();
  const changes: ChangeState[] = [];
  const stream = { open: false, sinceMs: startedMs, events: 0, lastMs: undefined as Moment };
  const requests = { total: 0, failed: 0, throttled: 0 };
  let acceptedMs: Moment;
  let lastMiss: string | undefined;
  let seq = 0;
  let host: Host | undefined;
  let zone: State["zone"];
  let parts: Parts | undefined;
  let writer: Writer | undefined;
  let notes: () => readonly string[] = () => [];
  /** Of the containers that ran at the start, those that were not looked at yet; undefined before there is a list. */
  let first: Set<ContainerId> | undefined;

  const unix = (ms: number): number => (unixMs() - (clock.now() - ms)) / 1000;
  const unixOr = (ms: Moment) => (ms === undefined ? undefined : unix(ms));

  const remember = (id: ContainerId): void => {
    known.delete(id);
    known.add(id);
    const [oldest] = known;
    if (known.size > MOST_IDS && oldest !== undefined) known.delete(oldest);
  };
  const trouble = (from: string, message: string): void => {
    const nowMs = clock.now();
    const before = troubles.get(message);
    troubles.delete(message);
    troubles.set(message, {
      from,
      message,
      firstMs: before?.firstMs ?? nowMs,
      lastMs: nowMs,
      times: (before?.times ?? 0) + 1,
    });
    const [oldest] = troubles.keys();
    if (troubles.size > MOST_ERRORS && oldest !== undefined) troubles.delete(oldest);
  };
  const decided = (change: Change, why: Why, message?: string): ChangeState => {
    const cause = why(change);
    seq += 1;
    const row: ChangeState = {
      seq,
      at: unix(clock.now()),
      action: change.action,
      record: shown(change.record),
      result: message === undefined ? "accepted" : "refused",
      message,
      container: cause && shortId(cause.container),
      containerName: cause?.name,
      reason: cause?.reason,
      seconds: cause?.seconds,
    };
    changes.unshift(row);
    changes.splice(MOST_CHANGES);
    return row;
  };

  const standingOf = (
    standing: Standing | undefined,
    desired: ReadonlyMap<RecordKey, RecordSet>,
  ) => {
    const waiting = new Map(
      standing?.waiting.map((one) => [keyOf(one.change.record), one] as const),
    );
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
  };
  const containerState = (
    id: ContainerId,
    { seen, sinceMs, lookedAtMs }: Row,
    standing: ReturnType<typeof standingOf>,
  ): ContainerState => {
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
      againAt: unixOr(againInMs === undefined ? undefined : lookedAtMs + againInMs),
    };
  };
  const names = (standing: Standing | undefined): State["names"] => {
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
  };

  const unready = (): readonly string[] => {
    const standing = writer?.standing();
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
  };
  const skipped = () => countEach([...rows.values()].flatMap(({ seen }) => skipReason(seen)));
  const summary = (problems: readonly string[]): Summary => {
    const standing = writer?.standing();
    const waiting = standing?.waiting ?? [];
    return {
      schemaVersion: STATE_SCHEMA_VERSION,
      at: unix(clock.now()),
      agent: { version, startedAt: unix(startedMs), dryRun },
      owner: host && {
        instance: host.owner.instance,
        region: host.owner.region,
        cluster: host.cluster,
      },
      zone,
      health: {
        ok: problems.length === 0,
        ready: unready().length === 0,
        problems: [...problems, ...unready()],
        notes: [...notes()],
      },
      flow: {
        stream: {
          open: stream.open,
          since: unix(stream.sinceMs),
          events: stream.events,
          lastEventAt: unixOr(stream.lastMs),
        },
        queue: { ...(parts?.queue.size() ?? { waiting: 0, working: 0, later: 0 }), workers },
        records: {
          desired: parts?.desired.records().size ?? 0,
          published: standing?.published.size ?? 0,
          pending: waiting.length,
          refused: waiting.filter(({ refused }) => refused !== undefined).length,
        },
        requests: { ...requests, lastAcceptedAt: unixOr(acceptedMs) },
        lastSyncAt: unixOr(standing?.settledAtMs),
      },
    };
  };

  return {
    found(what) {
      switch (what.kind) {
        case "host":
          host = what;
          return;
        case "zone":
          zone = { id: what.id, name: what.name, recordSets: what.recordSets };
          return;
        case "parts":
          parts = what;
          return;
        case "writer":
          writer = what;
          return;
        case "notes":
          notes = what.notes;
      }
    },
    streamOpened() {
      stream.open = true;
      stream.sinceMs = clock.now();
    },
    heard(id) {
      stream.events += 1;
      stream.lastMs = clock.now();
      remember(id);
    },
    listed(ids) {
      first ??= new Set(ids);
      for (const id of ids) remember(id);
    },
    seen(id, seen) {
      const { desired } = seen;
      if (desired === undefined) return;
      first?.delete(id);
      if (desired.kind === "absent" && ENDED.has(desired.reason)) {
        rows.delete(id);
        return;
      }
      const before = rows.get(id);
      const why = `${desired.kind} ${desired.kind === "serve" ? seen.life : desired.reason}`;
      const lookedAtMs = clock.now();
      const sinceMs = before?.why === why ? before.sinceMs : lookedAtMs;
      rows.set(id, { seen: { ...seen, desired }, why, sinceMs, lookedAtMs });
    },
    asked({ system, result, problem }) {
      if (problem !== undefined) trouble(system, causeTexts(problem));
      if (system !== "Route 53") return;
      requests.total += 1;
      if (result === "throttled") requests.throttled += 1;
      if (result !== "ok" && result !== "refused") requests.failed += 1;
      lastMiss = problem === undefined ? undefined : causeTexts(problem);
    },
    read(group) {
      groups.set(group.name, { group, atMs: clock.now() });
      // Before the writer is there, names are read to find out what is ours.
      if (writer === undefined) return;
      const owned = new Set(
        [...writer.standing().published.values()].map(({ record }) => record.name),
      );
      for (const name of groups.keys()) {
        if (name !== group.name && !owned.has(name)) groups.delete(name);
      }
    },
    wrote(report, why) {
      if (report.kind === "landed") {
        acceptedMs = clock.now();
        return report.changes.map((change) => decided(change, why));
      }
      if (report.kind !== "refused") return [];
      trouble("Route 53", report.message);
      return [decided(report.change, why, report.message)];
    },

    isStreamOpen: () => stream.open,
    unready,
    notes: () => notes(),
    lastMiss: () => lastMiss,
    // One that has run for long may have fallen out of the latest.
    knows: (id) => known.has(id) || rows.has(id),
    takenToRun: () => parts?.desired.ids().filter((id) => parts?.queue.holds(id) === false) ?? [],
    standing: () => writer?.standing(),
    fullness() {
      const sizes = [...groups.values()].flatMap(({ group }) =>
        recordTypes.map((type) => group.types.get(type)?.size ?? 0),
      );
      return {
        fullest: Math.max(0, ...sizes),
        nearlyFull: sizes.filter((size) => size >= GROUP_WARNING).length,
      };
    },
    lives: () => countEach([...rows.values()].map(({ seen }) => seen.life ?? "unknown")),
    skipped,
    summary,
    state(problems) {
      const standing = writer?.standing();
      const desired = parts?.desired.records() ?? NO_RECORDS;
      const how = standingOf(standing, desired);
      return {
        ...summary(problems),
        containers: [...rows]
          .map(([id, row]) => containerState(id, row, how))
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
        names: names(standing),
        skipped: skipped(),
        errors: [...troubles.values()].toReversed().map(({ firstMs, lastMs, ...rest }) => ({
          ...rest,
          firstAt: unix(firstMs),
          lastAt: unix(lastMs),
        })),
        changes: [...changes],
      };
    },
  };
}

type Moment = number | undefined;

/** Containers that have ended are nobody's business any more; what became of their records the changes tell. */
const ENDED: ReadonlySet<string> = new Set(["gone", "not-running"]);

/** Why the container is without a record and somebody should do something about it. */
function skipReason({ desired, againInMs }: Row["seen"]): readonly string[] {
  if (desired.kind === "serve" || againInMs !== undefined) return [];
  return EVERYDAY.has(desired.reason) ? [] : [desired.reason];
}

function shown(record: RecordSet): RecordSetState {
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
