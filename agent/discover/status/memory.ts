import type { Desired } from "../../../lib/discovery/desired.ts";
import type { DesiredTable } from "../../../lib/discovery/flow/desired-table.ts";
import type { Seen } from "../../../lib/discovery/flow/look.ts";
import type { ContainerId } from "../../../lib/docker/container.ts";
import type { WorkQueue } from "../../../lib/kit/flow/work-queue.ts";
import type { ZoneWriter } from "../../../lib/route53/flow/zone-writer.ts";
import type { Group } from "../../../lib/route53/group.ts";
import type { ChangeState, State } from "../../host/state.ts";

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

/** A container that was looked at, and since when it is as it is. */
export interface Row {
  readonly seen: Seen & { readonly desired: Desired };
  readonly why: string;
  readonly sinceMs: number;
  readonly lookedAtMs: number;
}

/** A failure, and how often it came. */
interface Trouble {
  readonly from: string;
  readonly message: string;
  readonly firstMs: number;
  lastMs: number;
  times: number;
}

export type Moment = number | undefined;

/** What is remembered of the agent's work; moments in the clock's ms. */
export interface Memory {
  readonly about: { readonly version: string; readonly dryRun: boolean; readonly workers: number };
  readonly startedMs: number;
  readonly rows: Map<ContainerId, Row>;
  readonly groups: Map<string, { readonly group: Group; readonly atMs: number }>;
  readonly troubles: Map<string, Trouble>;
  /** The newest first. */
  readonly changes: ChangeState[];
  /** Containers that were heard of or listed, of late. */
  readonly known: Set<ContainerId>;
  readonly stream: { open: boolean; sinceMs: number; events: number; lastMs: Moment };
  readonly requests: { total: number; failed: number; throttled: number };
  acceptedMs: Moment;
  host: Host | undefined;
  zone: State["zone"];
  parts: Parts | undefined;
  writer: Writer | undefined;
  notes: () => readonly string[];
  /** What came of the last request to Route 53, where that was no answer. */
  lastMiss: string | undefined;
  /** Of the containers that ran at the start, those that were not looked at yet; undefined before there is a list. */
  first: Set<ContainerId> | undefined;
}

export type About = Memory["about"];

export const newMemory = (about: About, nowMs: number): Memory => ({
  about,
  startedMs: nowMs,
  rows: new Map(),
  groups: new Map(),
  troubles: new Map(),
  changes: [],
  known: new Set(),
  stream: { open: false, sinceMs: nowMs, events: 0, lastMs: undefined },
  requests: { total: 0, failed: 0, throttled: 0 },
  acceptedMs: undefined,
  host: undefined,
  zone: undefined,
  parts: undefined,
  writer: undefined,
  notes: () => [],
  lastMiss: undefined,
  first: undefined,
});
