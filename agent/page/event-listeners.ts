import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Recent } from "../../lib/kit/flow/recent.ts";
import { PROTECTION } from "./answer.ts";

export const MAX_LISTENERS = 8;
export const STATE_PAUSE_MS = 500;
/** How often health is asked for while somebody listens: nothing else tells that it has changed. */
const HEALTH_PAUSE_MS = 2_000;
const BEAT_MS = 15_000;
/** A listener with more than one state plus this many bytes unread is dropped. */
const MAX_BACKLOG_BYTES = 262_144;

interface Listener {
  /** A newer state waits until it has read what it was sent. */
  isBehind: boolean;
  missedBeats: number;
  /** Of the state that was sent last. */
  stateLength: number;
}

/** Who listens to `/v1/events`. */
export interface EventListeners {
  /** True for the connection of one of them. */
  isListening(socket: Socket): boolean;
  isFull(): boolean;
  /** Sends the state to each, at most once in 500 ms, and only the newest to one that reads slowly. */
  changed(): void;
  /** Sends an event to each at once. */
  tell(event: string, id: number, data: unknown): void;
  /** Answers the request with a stream that begins with the state. */
  add(response: ServerResponse): Promise<void>;
  /** Ends every stream. */
  close(): void;
}

/**
 * Each has at most one state on its way, and one that does not read is dropped, so that memory is bounded. Health is
 * asked for while somebody listens.
 */
export function eventListeners({
  state,
  health,
}: {
  /** As JSON. */
  readonly state: Recent<string>;
  /** Why the process is not well, as sentences. */
  readonly health: () => Promise<readonly string[]>;
}): EventListeners {
  let waiting: NodeJS.Timeout | undefined;
  let beats: readonly NodeJS.Timeout[] = [];
  let lastHealth = "";

  const streams = openStreams({
    emptied() {
      clearTimeout(waiting);
      waiting = undefined;
      for (const beat of beats) clearInterval(beat);
      beats = [];
    },
    readAgain: () => changed(),
  });
  const changed = (): void => {
    if (streams.count() === 0 || waiting !== undefined) return;
    waiting = setTimeout(() => {
      waiting = undefined;
      state.newest().then(
        (newest) => streams.sendState(newest),
        () => {},
      );
    }, STATE_PAUSE_MS);
  };
  const askHealth = async (): Promise<void> => {
    const text = JSON.stringify(await health());
    if (text !== lastHealth) changed();
    lastHealth = text;
  };

  return {
    isListening: streams.holds,
    isFull: () => streams.count() >= MAX_LISTENERS,
    changed,
    tell(event, id, data) {
      if (streams.count() > 0) streams.sendAll(frame(event, JSON.stringify(data), id));
    },
    async add(response) {
      const begin = streams.open(response);
      if (beats.length === 0) {
        beats = [
          setInterval(streams.beat, BEAT_MS),
          setInterval(() => void askHealth().catch(() => {}), HEALTH_PAUSE_MS),
        ];
      }
      response.writeHead(200, { "Content-Type": "text/event-stream", ...PROTECTION });
      const recent = await state.recent();
      // It may be from before the last change.
      changed();
      begin(recent);
    },
    close: streams.dropAll,
  };
}

/** The streams that are open: `emptied` is called when the last has gone, `readAgain` when one that was behind has read. */
function openStreams({
  emptied,
  readAgain,
}: {
  readonly emptied: () => void;
  readonly readAgain: () => void;
}) {
  const all = new Map<ServerResponse, Listener>();
  const drop = (response: ServerResponse): void => {
    all.delete(response);
    response.destroy();
    if (all.size === 0) emptied();
  };
  const write = (response: ServerResponse, text: string): void => {
    const mostBytes = MAX_BACKLOG_BYTES + (all.get(response)?.stateLength ?? 0);
    if (response.writableLength > mostBytes) drop(response);
    else response.write(text);
  };

  return {
    count: () => all.size,
    holds: (socket: Socket) => [...all.keys()].some((one) => one.socket === socket),
    /** Returns what writes the first state. */
    open(response: ServerResponse): (state: string) => void {
      const listener: Listener = { isBehind: false, missedBeats: 0, stateLength: 0 };
      all.set(response, listener);
      response.once("close", () => drop(response));
      response.on("drain", () => {
        if (!listener.isBehind) return;
        listener.isBehind = false;
        readAgain();
      });
      return (state) => {
        const text = frame("state", state);
        listener.stateLength = Buffer.byteLength(text);
        response.write(`retry: 2000\n\n${text}`);
      };
    },
    /** The newest only: who has not read the one before gets the next one then. */
    sendState(state: string): void {
      const text = frame("state", state);
      for (const [response, listener] of all) {
        if (response.writableNeedDrain) listener.isBehind = true;
        else {
          listener.stateLength = Buffer.byteLength(text);
          response.write(text);
        }
      }
    },
    sendAll(text: string): void {
      for (const response of all.keys()) write(response, text);
    },
    beat(): void {
      for (const [response, listener] of all) {
        listener.missedBeats = response.writableNeedDrain ? listener.missedBeats + 1 : 0;
        if (listener.missedBeats > 1) drop(response);
        else write(response, ": beat\n\n");
      }
    },
    dropAll(): void {
      for (const response of all.keys()) drop(response);
    },
  };
}

const frame = (event: string, json: string, id?: number): string =>
  `event: ${event}\n${id === undefined ? "" : `id: ${id}\n`}data: ${json}\n\n`;
