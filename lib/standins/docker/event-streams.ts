import type { ServerResponse } from "node:http";
import type { Clock } from "../../kit/flow/clock.ts";
import { type Listeners, listeners } from "../listeners.ts";
import { eventMatches, type FilterableEvent, type Filters } from "./filters.ts";

export interface EventStream {
  readonly response: ServerResponse;
  readonly filters: Filters;
  /** Written as APIs before 1.52 do. */
  readonly legacy: boolean;
}

export interface Line {
  readonly event: FilterableEvent;
  line(legacy: boolean): string;
}

/** The event streams that clients have open. */
export interface EventStreams {
  /** Ends by itself after `leftMs`, or with its client. */
  open(stream: EventStream, leftMs: number | undefined): void;
  /** Writes an event to each stream whose filters fit it. */
  send(line: Line): void;
  /** Writes bytes to every stream, past the filters. */
  emitLine(bytes: string | Buffer): void;
  count(): number;
  /** Bytes that wait because their readers do not read. */
  unreadBytes(): number;
  /** Resolves as soon as exactly `count` streams are open. */
  until(count: number): Promise<void>;
  cut(how?: "reset" | "end"): void;
  readonly onCount: Listeners<[open: number]>["add"];
  readonly onRead: Listeners<[]>["add"];
}

export function eventStreams(clock: Clock): EventStreams {
  const streams = new Set<EventStream>();
  const counted = listeners<[open: number]>();
  const read = listeners<[]>();
  const write = ({ response }: EventStream, bytes: string | Buffer): void =>
    void response.write(bytes, () => read.tell());
  const leave = (stream: EventStream): void => {
    if (streams.delete(stream)) counted.tell(streams.size);
  };

  return {
    open(stream, leftMs) {
      const { response } = stream;
      const gone = new AbortController();
      response.once("close", () => {
        gone.abort();
        leave(stream);
      });
      streams.add(stream);
      counted.tell(streams.size);
      if (leftMs === undefined) return;
      clock.sleep(leftMs, gone.signal).then(
        () => {
          leave(stream);
          response.end();
        },
        () => undefined,
      );
    },
    send({ event, line }) {
      for (const stream of streams) {
        if (eventMatches(stream.filters, event)) write(stream, line(stream.legacy));
      }
    },
    emitLine(bytes) {
      for (const stream of streams) write(stream, bytes);
    },
    count: () => streams.size,
    unreadBytes: () => [...streams].reduce((sum, { response }) => sum + response.writableLength, 0),
    until: (count) =>
      new Promise((resolve) => {
        if (streams.size === count) {
          resolve();
          return;
        }
        const stop = counted.add((open) => {
          if (open !== count) return;
          stop();
          resolve();
        });
      }),
    cut(how = "reset") {
      const all = [...streams];
      streams.clear();
      for (const { response } of all) {
        if (how === "end") response.end();
        else response.socket?.destroy();
      }
      if (all.length > 0) counted.tell(0);
    },
    onCount: counted.add,
    onRead: read.add,
  };
}
