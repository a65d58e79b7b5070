import type { ServerResponse } from "node:http";
import type { Clock } from "../../kit/flow/clock.ts";
import { type Listeners, listeners } from "../listeners.ts";
import { type EventStream, type EventStreams, eventStreams, type Line } from "./event-streams.ts";
import {
  checkEventFilters,
  eventMatches,
  type FilterableEvent,
  parseFilters,
  RefusedParameter,
} from "./filters.ts";

/** moby `daemon/events/events.go`: one buffer for all types of events, before any filter. */
const replayLimit = 256;

interface Published extends Line {
  readonly nanos: bigint;
}

/** The engine's events: what is said of each, and what is replayed to whom. */
export interface EngineEvents {
  /** Something happened to a container of the engine. */
  publish(event: FilterableEvent): void;
  /** Sends an event as given; of a string every byte is kept. */
  emit(event: unknown): void;
  /**
   * Answers a request for events: the past, when `since` or `until` is given; then what happens, up to `until`. Throws
   * `RefusedParameter`.
   */
  stream(response: ServerResponse, query: URLSearchParams, apiMinor: number): void;
  readonly onEvent: Listeners<[FilterableEvent]>["add"];
  readonly streams: EventStreams;
  /** No past event is replayed any more. */
  forget(): void;
}

export interface EventsOptions {
  readonly clock: Clock;
  /** Milliseconds since the epoch. */
  readonly wallMs: () => number;
  readonly engineMinor: number;
}

export function engineEvents({ clock, wallMs, engineMinor }: EventsOptions): EngineEvents {
  const past: Published[] = [];
  const streams = eventStreams(clock);
  const happened = listeners<[FilterableEvent]>();
  const nextNanos = growingNanos(wallMs);

  const send = (published: Published): void => {
    past.push(published);
    if (past.length > replayLimit) past.shift();
    streams.send(published);
    happened.tell(published.event);
  };

  return {
    publish(event) {
      const nanos = nextNanos();
      send({ event, nanos, line: linesOf(event, nanos) });
    },
    emit(event) {
      const raw: unknown = typeof event === "string" ? JSON.parse(event) : event;
      const json = typeof event === "string" ? event.trim() : JSON.stringify(event);
      const nanos = nanosIn(raw, json) ?? nextNanos();
      send({ event: filterable(raw), nanos, line: () => `${json}\n` });
    },
    stream(response, query, apiMinor) {
      const { since, until, filters } = askedFor(query, engineMinor);
      const stream: EventStream = { response, filters, legacy: apiMinor < 52 };
      // What a client gets that asks for no other type with an Accept header; this stand-in has no other.
      response.writeHead(200, { "Content-Type": "application/json" });
      response.flushHeaders();
      if (since !== undefined || until !== undefined) {
        // Walks back from the newest and stops at the first that is too old, as moby does.
        const older = past.findLastIndex(({ nanos }) => since !== undefined && nanos < since);
        for (const published of past.slice(older + 1)) {
          if (until !== undefined && published.nanos > until) continue;
          if (eventMatches(filters, published.event)) {
            response.write(published.line(stream.legacy));
          }
        }
      }
      const leftMs = until === undefined ? undefined : Number(until / 1_000_000n) - wallMs();
      if (leftMs !== undefined && leftMs < 0) response.end();
      else streams.open(stream, leftMs);
    },
    forget() {
      past.length = 0;
    },
    onEvent: happened.add,
    streams,
  };
}

/** At least a microsecond apart, so that JSON.parse's rounding of `timeNano` keeps them apart. */
function growingNanos(wallMs: () => number): () => bigint {
  let last = 0n;
  return () => {
    const now = BigInt(Math.round(wallMs() * 1000)) * 1000n;
    last = now > last ? now : last + 1000n;
    return last;
  };
}

/** An event's line, and as older APIs write it. `timeNano` exceeds a safe integer, so it is written as digits. */
function linesOf({ Type, Action, Actor }: FilterableEvent, nanos: bigint) {
  const tail = `"scope":"local","time":${nanos / 1_000_000_000n},"timeNano":${nanos}}\n`;
  const line = `${JSON.stringify({ Type, Action, Actor }).slice(0, -1)},${tail}`;
  const before = { status: Action, id: Actor.ID, from: Actor.Attributes["image"] };
  const legacyLine =
    Type === "container" ? `${JSON.stringify(before).slice(0, -1)},${line.slice(1)}` : line;
  return (legacy: boolean): string => (legacy ? legacyLine : line);
}

function nanosIn(raw: unknown, json: string): bigint | undefined {
  const digits = /"timeNano":\s*(\d+)/.exec(json)?.[1];
  return isRecord(raw) && digits !== undefined ? BigInt(digits) : undefined;
}

function askedFor(query: URLSearchParams, engineMinor: number) {
  const since = parseTime(query.get("since"));
  const until = parseTime(query.get("until"));
  if (since !== undefined && until !== undefined && until < since) {
    const asked = `\`since\` time (${query.get("since")})`;
    throw new RefusedParameter(
      400,
      `${asked} cannot be after \`until\` time (${query.get("until")})`,
    );
  }
  const filters = parseFilters(query.get("filters") ?? "", engineMinor);
  checkEventFilters(filters, engineMinor);
  return { since, until, filters };
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const text = (value: unknown): string => (typeof value === "string" ? value : "");

/** What filters can see of something that may not be an event at all. */
const filterable = (raw: unknown): FilterableEvent => {
  const event = isRecord(raw) ? raw : {};
  const actor = isRecord(event["Actor"]) ? event["Actor"] : {};
  const attributes = isRecord(actor["Attributes"]) ? actor["Attributes"] : {};
  return {
    Type: text(event["Type"]),
    Action: text(event["Action"]),
    Actor: {
      ID: text(actor["ID"]),
      Attributes: Object.fromEntries(
        Object.entries(attributes).map(([key, value]) => [key, text(value)]),
      ),
    },
    scope: text(event["scope"]) || "local",
  };
};

/**
 * Seconds, with up to nine digits of a fraction that count: the only form the engine reads. These engines call anything
 * else an error of their own, 500: moby `daemon/internal/timestamp/timestamp.go` at docker-v29.0.0.
 */
const parseTime = (parameter: string | null) => {
  if (parameter === null || parameter === "") return undefined;
  const at = parameter.indexOf(".");
  const seconds = at === -1 ? parameter : parameter.slice(0, at);
  const fraction = at === -1 ? "0" : parameter.slice(at + 1);
  for (const part of [seconds, fraction]) {
    if (/^[+-]?\d+$/.test(part)) continue;
    throw new RefusedParameter(500, `strconv.ParseInt: parsing "${part}": invalid syntax`);
  }
  return BigInt(seconds) * 1_000_000_000n + BigInt(fraction.slice(0, 9).padEnd(9, "0"));
};
