import type { Seen } from "../../../lib/discovery/flow/look.ts";
import { type ContainerId, shortId } from "../../../lib/docker/container.ts";
import { causes as causeTexts } from "../../../lib/kit/failure.ts";
import type { Clock } from "../../../lib/kit/flow/clock.ts";
import type { WriterReport } from "../../../lib/route53/flow/zone-writer.ts";
import type { Group } from "../../../lib/route53/group.ts";
import type { Change } from "../../../lib/route53/plan.ts";
import type { ChangeState } from "../../host/state.ts";
import type { Why } from "../decision-log.ts";
import type { Request } from "./count-requests.ts";
import {
  type About,
  type Host,
  type Memory,
  type Notes,
  newMemory,
  type Parts,
  type Writer,
  type ZoneFacts,
} from "./memory.ts";
import { type Snapshot, shown } from "./view.ts";

const MOST_CHANGES = 50;
const MOST_ERRORS = 20;
/** Ids that were ever heard of; far more than run on a host at once. */
const MOST_IDS = 10_000;

/** What is told of the agent's work, remembered as far as people ask for it: nothing that the work depends on. */
export interface StatusModel {
  found(what: Host | ZoneFacts | Parts | Writer | Notes): void;
  streamOpened(): void;
  heard(id: ContainerId): void;
  listed(ids: readonly ContainerId[]): void;
  seen(id: ContainerId, seen: Seen): void;
  asked(request: Request): void;
  read(group: Group): void;
  /** The changes that were decided by it. */
  wrote(report: WriterReport, why: Why): readonly ChangeState[];
  /** What is known at this moment, and how the writer stands: that is worked out anew each time. */
  snapshot(): Snapshot;
  knows(id: ContainerId): boolean;
  takenToRun(): readonly ContainerId[];
}

export function statusModel({
  clock,
  unixMs,
  ...about
}: About & {
  readonly clock: Clock;
  /** The time of day. */
  readonly unixMs: () => number;
}): StatusModel {
  const memory = newMemory(about, clock.now());
  const { rows, groups, known, stream, requests } = memory;
  const unix = (ms: number): number => (unixMs() - (clock.now() - ms)) / 1000;
  const decided = decisions(memory, () => unix(clock.now()));

  return {
    found: (what) => learn(memory, what),
    streamOpened() {
      stream.open = true;
      stream.sinceMs = clock.now();
    },
    heard(id) {
      stream.events += 1;
      stream.lastMs = clock.now();
      know(known, id);
    },
    listed(ids) {
      memory.first ??= new Set(ids);
      for (const id of ids) know(known, id);
    },
    seen(id, seen) {
      const { desired } = seen;
      if (desired === undefined) return;
      memory.first?.delete(id);
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
      const message = problem === undefined ? undefined : causeTexts(problem);
      if (message !== undefined) suffer(memory, system, message, clock.now());
      if (system !== "Route 53") return;
      requests.total += 1;
      if (result === "throttled") requests.throttled += 1;
      if (result !== "ok" && result !== "refused") requests.failed += 1;
      memory.lastMiss = message;
    },
    read(group) {
      groups.set(group.name, { group, atMs: clock.now() });
      // Before the writer is there, names are read to find out what is ours.
      if (memory.writer !== undefined) forgetOthers(memory, group.name);
    },
    wrote(report, why) {
      if (report.kind === "landed") {
        memory.acceptedMs = clock.now();
        return report.changes.map((change) => decided(change, why));
      }
      if (report.kind !== "refused") return [];
      suffer(memory, "Route 53", report.message, clock.now());
      return [decided(report.change, why, report.message)];
    },
    snapshot: () => ({ memory, standing: memory.writer?.standing(), nowMs: clock.now(), unix }),
    // One that has run for long may have fallen out of the latest.
    knows: (id) => known.has(id) || rows.has(id),
    takenToRun() {
      const { parts } = memory;
      return parts?.desired.ids().filter((id) => !parts.queue.holds(id)) ?? [];
    },
  };
}

function learn(memory: Memory, what: Host | ZoneFacts | Parts | Writer | Notes): void {
  switch (what.kind) {
    case "host":
      memory.host = what;
      return;
    case "zone":
      memory.zone = { id: what.id, name: what.name, recordSets: what.recordSets };
      return;
    case "parts":
      memory.parts = what;
      return;
    case "writer":
      memory.writer = what;
      return;
    case "notes":
      memory.notes = what.notes;
  }
}

function know(known: Set<ContainerId>, id: ContainerId): void {
  known.delete(id);
  known.add(id);
  const [oldest] = known;
  if (known.size > MOST_IDS && oldest !== undefined) known.delete(oldest);
}

function suffer({ troubles }: Memory, from: string, message: string, nowMs: number): void {
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
}

/** Names that were read and that this host has no records of any more. */
function forgetOthers({ groups, writer }: Memory, but: string): void {
  const published = writer?.standing().published.values() ?? [];
  const owned = new Set([...published].map(({ record }) => record.name));
  for (const name of groups.keys()) if (name !== but && !owned.has(name)) groups.delete(name);
}

/** Numbers the decisions and keeps the latest. */
function decisions({ changes }: Memory, now: () => number) {
  let seq = 0;
  return (change: Change, why: Why, message?: string): ChangeState => {
    const cause = why(change);
    seq += 1;
    const row: ChangeState = {
      seq,
      at: now(),
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
}

/** Containers that have ended are nobody's business any more; what became of their records the changes tell. */
const ENDED: ReadonlySet<string> = new Set(["gone", "not-running"]);
