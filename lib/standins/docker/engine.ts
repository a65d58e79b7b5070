import type { IncomingMessage, ServerResponse } from "node:http";
import { type Clock, systemClock } from "../../kit/flow/clock.ts";
import { type Fault, faultList, fitsPath } from "../faults.ts";
import { httpStandIn } from "../http-stand-in.ts";
import { requestLog } from "../request-log.ts";
import { answerRequest, type DockerApiVersion, minorOf, refuse } from "./api.ts";
import { type ContainerSpec, type ContainerView, containerTable, viewOf } from "./containers.ts";
import { engineEvents } from "./events.ts";
import type { FilterableEvent } from "./filters.ts";

export { DOCKER_API_VERSIONS, type DockerApiVersion } from "./api.ts";
export type { ContainerSpec, ContainerView } from "./containers.ts";

/** A Docker engine to read from: the HTTP API on a unix socket, driven by its own methods only. */

export interface DockerStandInOptions {
  /** Must not exist yet: an existing socket is somebody else's engine. */
  readonly socketPath: string;
  readonly apiVersion?: DockerApiVersion;
  readonly clock?: Clock;
  /** Milliseconds since the epoch: the time of events, of containers, and of `since`. */
  readonly wallMs?: () => number;
}

interface DockerRequest {
  readonly method: string;
  /** As requested: version prefix and query included. */
  readonly path: string;
  readonly at: number;
  /** 0 when the request was left hanging or was reset. */
  readonly status: number;
}

type DockerFaultKind =
  | { readonly status: number; readonly message: string }
  | { readonly delayMs: number }
  /** Answers only then, by what is true then. */
  | { readonly after: Promise<unknown> }
  | "hang"
  | "reset";

export interface DockerStandIn {
  readonly socketPath: string;
  /** For the DOCKER_HOST variable. */
  readonly dockerHost: string;
  /** Creates and starts; the id. Raises Error when name or id is taken. */
  run(spec?: ContainerSpec): string;
  create(spec?: ContainerSpec): string;
  /** Puts a container in place without any event. */
  adopt(spec: ContainerSpec, running?: boolean): string;
  start(id: string): void;
  stop(id: string, options?: { readonly ignoresTerm?: boolean }): void;
  /**
   * Signal 9 (the default) ends it, and the container's stop signal unless it survives that for now; others only show in
   * `kill`.
   */
  kill(id: string, signal?: number, options?: { readonly survives?: boolean }): void;
  crash(id: string, exitCode?: number): void;
  restart(id: string): void;
  /** What a restart policy does: the container dies and starts again. */
  autoRestart(id: string): void;
  remove(id: string, options?: { readonly force?: boolean }): void;
  pause(id: string): void;
  unpause(id: string): void;
  health(id: string, health: "healthy" | "unhealthy"): void;
  oom(id: string): void;
  /**
   * Sends an event as given, through filters and replay buffer, without touching any container.
   * Of a string (one JSON object) every byte is kept, which keeps a `timeNano` exact.
   */
  emit(event: unknown): void;
  /** Writes bytes to every open stream, past the filters and unremembered. No newline is added. */
  emitLine(bytes: string | Buffer): void;
  containers(): readonly ContainerView[];
  /** Called after the streams were written to; returns the way to stop it. */
  onEvent(listener: (event: FilterableEvent) => void): () => void;
  readonly requests: readonly DockerRequest[];
  readonly openStreams: number;
  onStreams(listener: (open: number) => void): () => void;
  /** Resolves as soon as exactly `count` event streams are open. */
  untilStreams(count: number): Promise<void>;
  /**
   * Bytes of event streams that wait because their readers do not read; the system's socket buffers hold some more. The
   * real engine lets 1024 events wait so, and drops each later one after 100 ms: moby `daemon/events/events.go`. This
   * one drops nothing.
   */
  readonly unreadBytes: number;
  /** Called when some of them were read. */
  onRead(listener: () => void): () => void;
  /** `reset` (the default) is a daemon that dies, `end` one that closes its streams in order. */
  cutStreams(how?: "reset" | "end"): void;
  /** A daemon that is stopped while its containers go on (live-restore): it answers no one, and its events are lost. */
  down(): Promise<void>;
  /** The daemon is back, and remembers no event. */
  up(): Promise<void>;
  /** Paths are without version prefix here. */
  fail(fault: Fault<DockerFaultKind>): void;
  clearFaults(): void;
  /** Ends every connection and removes the socket. */
  close(): Promise<void>;
}

/** Listens once resolved. Rejects with the listen error, such as EADDRINUSE for an existing path. */
export async function dockerStandIn(options: DockerStandInOptions): Promise<DockerStandIn> {
  const { socketPath, apiVersion = "1.52", clock = systemClock, wallMs = Date.now } = options;
  const engineMinor = minorOf(apiVersion);
  const events = engineEvents({ clock, wallMs, engineMinor });
  const { streams } = events;
  const containers = containerTable({
    ...{ wallMs, engineMinor },
    seed: socketPath,
    happened: events.publish,
  });
  const log = requestLog<DockerRequest>();
  const faults = faultList<Fault<DockerFaultKind>>();

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = "", url: path = "" } = request;
    const judged = (status: number): void => log.note({ method, path, at: clock.now(), status });
    const kind = faults.next(fitsPath(path.replace(/^\/v\d+\.\d+(?=\/)/, "")))?.kind;
    if (kind === "hang" || kind === "reset") {
      judged(0);
      if (kind === "reset") request.socket.destroy();
      return;
    }
    if (kind !== undefined && "status" in kind) {
      judged(kind.status);
      refuse(response, kind.status, kind.message);
      return;
    }
    if (kind !== undefined && "after" in kind) await kind.after;
    if (kind !== undefined && "delayMs" in kind) await clock.sleep(kind.delayMs, http.closing());
    judged(answerRequest({ apiVersion, containers, events, wallMs }, request, response));
  };
  const http = await httpStandIn({ serve, at: { path: socketPath } });
  // Like the engine's server: an idle connection stays, and a stream may last for ever.
  http.server.keepAliveTimeout = 0;
  http.server.requestTimeout = 0;

  const down = async (): Promise<void> => {
    streams.cut();
    await http.close();
  };
  return {
    socketPath,
    dockerHost: `unix://${socketPath}`,
    ...hand(containers),
    containers: () => containers.all().map(viewOf),
    emit: events.emit,
    emitLine: streams.emitLine,
    onEvent: events.onEvent,
    requests: log.requests,
    get openStreams() {
      return streams.count();
    },
    onStreams: streams.onCount,
    untilStreams: streams.until,
    get unreadBytes() {
      return streams.unreadBytes();
    },
    onRead: streams.onRead,
    cutStreams: streams.cut,
    fail: faults.add,
    clearFaults: faults.clear,
    down,
    async up() {
      events.forget();
      await http.reopen();
    },
    close: down,
  };
}

/** What is done to containers by the hand of a test or a story. */
function hand({ place, perform }: ReturnType<typeof containerTable>) {
  const create = (spec: ContainerSpec = {}): string => {
    const id = place(spec, false);
    perform(id, { verb: "create" });
    return id;
  };
  return {
    create,
    run(spec) {
      const id = create(spec);
      perform(id, { verb: "start" });
      return id;
    },
    adopt: (spec, running = true) => place(spec, running),
    start: (id) => perform(id, { verb: "start" }),
    stop: (id, { ignoresTerm = false } = {}) => perform(id, { verb: "stop", ignoresTerm }),
    kill: (id, signal = 9, { survives = false } = {}) =>
      perform(id, { verb: "kill", signal, survives }),
    crash: (id, exitCode = 1) => perform(id, { verb: "crash", exitCode }),
    restart: (id) => perform(id, { verb: "restart" }),
    autoRestart: (id) => perform(id, { verb: "autoRestart" }),
    remove: (id, { force = false } = {}) => perform(id, { verb: "remove", force }),
    pause: (id) => perform(id, { verb: "pause" }),
    unpause: (id) => perform(id, { verb: "unpause" }),
    health: (id, health) => perform(id, { verb: "health", health }),
    oom: (id) => perform(id, { verb: "oom" }),
  } satisfies Partial<DockerStandIn>;
}
