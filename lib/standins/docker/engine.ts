import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type Clock, systemClock } from "../../kit/flow/clock.ts";
import { latest } from "../../kit/latest.ts";
import { type Fault, faultList, fitsPath, MOST_REQUESTS } from "../faults.ts";
import {
  checkEventFilters,
  checkListFilters,
  containerMatches,
  eventMatches,
  type FilterableEvent,
  type Filters,
  parseFilters,
  RefusedParameter,
} from "./filters.ts";
import {
  act,
  type ContainerAction,
  type ContainerState,
  type Health,
  inspectOf,
  isRunning,
  networkOf,
  summaryOf,
} from "./state.ts";

/** A Docker engine to read from: the HTTP API on a unix socket, driven by its own methods only. */

/** Engines 20.10, 25 and 29. From 1.52 on events have no `status`, `id` and `from`. */
export const DOCKER_API_VERSIONS = ["1.41", "1.44", "1.52"] as const;
export type DockerApiVersion = (typeof DOCKER_API_VERSIONS)[number];

export interface DockerStandInOptions {
  /** Must not exist yet: an existing socket is somebody else's engine. */
  readonly socketPath: string;
  readonly apiVersion?: DockerApiVersion;
  readonly clock?: Clock;
  /** Milliseconds since the epoch: the time of events, of containers, and of `since`. */
  readonly wallMs?: () => number;
}

export interface ContainerSpec {
  readonly name?: string;
  readonly image?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** Default: another container's network, as a task with its own network interface has it. */
  readonly networkMode?: string;
  readonly stopSignal?: string;
  /** Shown by inspect and list while running, and only with a network of its own. */
  readonly address?: string;
  readonly healthcheck?: boolean;
  /** 64 hex digits. */
  readonly id?: string;
}

export interface ContainerView {
  readonly id: string;
  readonly name: string;
  readonly image: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly networkMode: string;
  readonly address?: string;
  readonly status: ContainerState["status"];
  /** True while paused, too. */
  readonly running: boolean;
  readonly health?: Health;
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

/** Release and oldest API version of each: `api/common_unix.go` at v20.10.24, `daemon/config/config.go` since 25. */
const engines: Readonly<Record<DockerApiVersion, { release: string; minimum: number }>> = {
  "1.41": { release: "20.10.24", minimum: 12 },
  "1.44": { release: "25.0.0", minimum: 24 },
  "1.52": { release: "29.0.0", minimum: 44 },
};

/** moby `daemon/events/events.go`: one buffer for all types of events, before any filter. */
const replayLimit = 256;

interface Published {
  readonly event: FilterableEvent;
  readonly nanos: bigint;
  line(legacy: boolean): string;
}

interface EventStream {
  readonly response: ServerResponse;
  readonly filters: Filters;
  readonly legacy: boolean;
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

const parseLimit = (parameter: string | null): number => {
  if (parameter === null || parameter === "") return 0;
  if (/^[+-]?\d+$/.test(parameter)) return Number(parameter);
  throw new RefusedParameter(500, `strconv.Atoi: parsing "${parameter}": invalid syntax`);
};

/** moby `httputils.BoolValue`. */
const isTrue = (parameter: string | null): boolean =>
  !["", "0", "no", "false", "none"].includes((parameter ?? "").trim().toLowerCase());

const viewOf = (container: ContainerState): ContainerView => ({
  id: container.id,
  name: container.name,
  image: container.image,
  labels: container.labels,
  networkMode: container.networkMode,
  status: container.status,
  running: isRunning(container),
  ...(container.address === undefined ? {} : { address: container.address }),
  ...(container.health === undefined ? {} : { health: container.health }),
});

/** Listens once resolved. Raises the listen error, such as EADDRINUSE for an existing path. */
export const dockerStandIn = async (options: DockerStandInOptions): Promise<DockerStandIn> => {
  const { socketPath, apiVersion = "1.52", clock = systemClock, wallMs = Date.now } = options;
  const { release, minimum } = engines[apiVersion];
  const engineMinor = Number(apiVersion.slice(2));

  const containers = new Map<string, ContainerState>();
  const buffer: Published[] = [];
  const streams = new Set<EventStream>();
  const requests = latest<DockerRequest>(MOST_REQUESTS);
  const faults = faultList<Fault<DockerFaultKind>>();
  const eventListeners = new Set<(event: FilterableEvent) => void>();
  const streamListeners = new Set<(open: number) => void>();
  const readListeners = new Set<() => void>();
  const closing = new AbortController();
  let made = 0;
  let lastNanos = 0n;

  // ── events ──

  /** At least a microsecond apart, so that JSON.parse's rounding of `timeNano` keeps them apart. */
  const nextNanos = (): bigint => {
    const now = BigInt(Math.round(wallMs() * 1000)) * 1000n;
    lastNanos = now > lastNanos ? now : lastNanos + 1000n;
    return lastNanos;
  };

  const tellRead = (): void => {
    for (const listener of readListeners) listener();
  };

  const write = ({ response }: EventStream, bytes: string | Buffer): void =>
    void response.write(bytes, tellRead);

  const publish = (published: Published): void => {
    buffer.push(published);
    if (buffer.length > replayLimit) buffer.shift();
    for (const stream of streams) {
      if (eventMatches(stream.filters, published.event)) {
        write(stream, published.line(stream.legacy));
      }
    }
    for (const listener of eventListeners) listener(published.event);
  };

  /** `timeNano` exceeds a safe integer, so it is written as digits. */
  const publishOwn = (event: FilterableEvent): void => {
    const nanos = nextNanos();
    const tail = `"scope":"local","time":${nanos / 1_000_000_000n},"timeNano":${nanos}}\n`;
    const { Type, Action, Actor } = event;
    const line = `${JSON.stringify({ Type, Action, Actor }).slice(0, -1)},${tail}`;
    const before = { status: Action, id: Actor.ID, from: Actor.Attributes["image"] };
    const legacyLine =
      Type === "container" ? `${JSON.stringify(before).slice(0, -1)},${line.slice(1)}` : line;
    publish({ event, nanos, line: (legacy) => (legacy ? legacyLine : line) });
  };

  const nanosOf = (raw: unknown, json: string): bigint => {
    const digits = /"timeNano":\s*(\d+)/.exec(json)?.[1];
    return isRecord(raw) && digits !== undefined ? BigInt(digits) : nextNanos();
  };

  // ── containers ──

  const containerOf = (id: string): ContainerState => {
    const container = containers.get(id);
    if (container === undefined) throw new Error(`expected a container's full id, got ${id}`);
    return container;
  };

  const perform = (id: string, action: ContainerAction): void => {
    const step = act(containerOf(id), action, wallMs(), engineMinor);
    if (step.container === undefined) containers.delete(id);
    else containers.set(id, step.container);
    for (const event of step.events) publishOwn(event);
  };

  /** The same for the same path and order of creation, so that a run can be repeated. */
  const nextId = (kind: string): string =>
    createHash("sha256").update(`${socketPath} ${kind} ${made}`).digest("hex");

  const place = (spec: ContainerSpec, running: boolean): string => {
    made += 1;
    const id = spec.id ?? nextId("container");
    const name = spec.name ?? `container-${made}`;
    if (!/^[0-9a-f]{64}$/.test(id)) throw new Error(`expected 64 hex digits, got ${id}`);
    for (const other of containers.values()) {
      if (other.id === id || other.name === name) {
        throw new Error(`expected a new id and name, got ${id} ${name}`);
      }
    }
    const nowMs = wallMs();
    const healthcheck = spec.healthcheck ?? false;
    containers.set(id, {
      id,
      name,
      image: spec.image ?? "app:1",
      labels: { ...spec.labels },
      networkMode: spec.networkMode ?? `container:${nextId("pause")}`,
      status: running ? "running" : "created",
      exitCode: 0,
      oomKilled: false,
      createdMs: nowMs,
      healthcheck,
      restartCount: 0,
      ...(running ? { startedMs: nowMs } : {}),
      ...(running && healthcheck ? { health: "starting" } : {}),
      ...(spec.stopSignal === undefined ? {} : { stopSignal: spec.stopSignal }),
      ...(spec.address === undefined ? {} : { address: spec.address }),
    });
    return id;
  };

  const create = (spec: ContainerSpec = {}): string => {
    const id = place(spec, false);
    perform(id, { verb: "create" });
    return id;
  };

  // ── answers ──

  /** Full id, then exact name, then unique prefix of an id: moby `GetContainer`. */
  const find = (reference: string): ContainerState => {
    const exact = containers.get(reference);
    if (exact !== undefined) return exact;
    const all = [...containers.values()];
    const named = all.find(({ name }) => name === reference.replace(/^\//, ""));
    if (named !== undefined) return named;
    const [first, second] = all.filter(({ id }) => id.startsWith(reference));
    if (first === undefined) throw new RefusedParameter(404, `No such container: ${reference}`);
    if (second !== undefined) {
      throw new RefusedParameter(400, `multiple IDs found with provided prefix: ${reference}`);
    }
    return first;
  };

  /** Newest first. A limit shows stopped containers too, and so does a status filter. */
  const list = (query: URLSearchParams, apiMinor: number) => {
    const filters = parseFilters(query.get("filters") ?? "", engineMinor);
    checkListFilters(filters, engineMinor);
    const limit = parseLimit(query.get("limit"));
    const all = isTrue(query.get("all")) || limit > 0 || filters.has("status");
    const shown = [...containers.values()].reverse().filter((container) => {
      if (!all && !isRunning(container)) return false;
      const network = networkOf(container);
      return containerMatches(filters, {
        id: container.id,
        name: container.name,
        labels: container.labels,
        status: container.status,
        health: container.health ?? "none",
        ...(network === undefined ? {} : { network }),
      });
    });
    return (limit > 0 ? shown.slice(0, limit) : shown).map((container) =>
      summaryOf(container, wallMs(), { apiMinor, engineMinor }),
    );
  };

  const version = () => ({
    Platform: { Name: "" },
    Components: [
      {
        Name: "Engine",
        Version: release,
        Details: { ApiVersion: apiVersion, MinAPIVersion: `1.${minimum}`, Os: "linux" },
      },
    ],
    Version: release,
    ApiVersion: apiVersion,
    MinAPIVersion: `1.${minimum}`,
    Os: "linux",
    Arch: "amd64",
  });

  const streamsChanged = (): void => {
    for (const listener of streamListeners) listener(streams.size);
  };

  const leave = (stream: EventStream): void => {
    if (streams.delete(stream)) streamsChanged();
  };

  /** The past, when `since` or `until` is given; then what happens, up to `until`. */
  const streamEvents = (response: ServerResponse, query: URLSearchParams, apiMinor: number) => {
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

    const legacy = apiMinor < 52;
    // What a client gets that asks for no other type with an Accept header; this stand-in has no other.
    response.writeHead(200, { "Content-Type": "application/json" });
    response.flushHeaders();
    if (since !== undefined || until !== undefined) {
      // Walks back from the newest and stops at the first that is too old, as moby does.
      const older = buffer.findLastIndex(({ nanos }) => since !== undefined && nanos < since);
      for (const published of buffer.slice(older + 1)) {
        if (until !== undefined && published.nanos > until) continue;
        if (eventMatches(filters, published.event)) response.write(published.line(legacy));
      }
    }
    const leftMs = until === undefined ? undefined : Number(until / 1_000_000n) - wallMs();
    if (leftMs !== undefined && leftMs < 0) {
      response.end();
      return;
    }
    const stream: EventStream = { response, filters, legacy };
    const gone = new AbortController();
    response.once("close", () => {
      gone.abort();
      leave(stream);
    });
    streams.add(stream);
    streamsChanged();
    if (leftMs === undefined) return;
    clock.sleep(leftMs, gone.signal).then(
      () => {
        leave(stream);
        response.end();
      },
      () => undefined,
    );
  };

  // ── HTTP ──

  const record = (request: IncomingMessage, status: number): void => {
    requests.add({
      method: request.method ?? "",
      path: request.url ?? "",
      at: clock.now(),
      status,
    });
  };

  const send = (response: ServerResponse, status: number, type: string, body: string): void => {
    response.writeHead(status, { "Content-Type": type, "Content-Length": Buffer.byteLength(body) });
    response.end(body);
  };

  const sendJson = (response: ServerResponse, status: number, body: unknown): void =>
    send(response, status, "application/json", `${JSON.stringify(body)}\n`);

  const refuse = (response: ServerResponse, status: number, message: string): number => {
    sendJson(response, status, { message });
    return status;
  };

  /** Writes the answer; its status. */
  const answer = (request: IncomingMessage, response: ServerResponse): number => {
    const [pathname = "/", ...search] = (request.url ?? "/").split("?");
    const [, asked, path = "/"] = /^(?:\/v(\d+\.\d+))?(\/.*)$/.exec(pathname) ?? [];
    const method = request.method ?? "";
    const ping = path === "/_ping";
    if (method !== "GET" && !(method === "HEAD" && ping)) {
      return refuse(response, 403, `${method} ${path}: this engine only answers reads`);
    }
    const inspected = /^\/containers\/([^/]+)\/json$/.exec(path)?.[1];
    const known = ["/_ping", "/version", "/events", "/containers/json"].includes(path);
    if (!known && inspected === undefined) return refuse(response, 404, "page not found");

    response.setHeader("Api-Version", apiVersion);
    response.setHeader("Ostype", "linux");
    response.setHeader("Server", `Docker/${release} (linux)`);
    const [major = 1, apiMinor = engineMinor] = asked?.split(".").map(Number) ?? [];
    if (major > 1 || apiMinor > engineMinor) {
      const most = `Maximum supported API version is ${apiVersion}`;
      return refuse(response, 400, `client version ${asked} is too new. ${most}`);
    }
    if (major < 1 || apiMinor < minimum) {
      const least = `Minimum supported API version is 1.${minimum}, please upgrade your client to a newer version`;
      const message = `client version ${asked} is too old. ${least}`;
      if (major > 1 || apiMinor >= 24) return refuse(response, 400, message);
      // An engine speaks to clients older than 1.24 in plain text.
      send(response, 400, "text/plain; charset=utf-8", `${message}\n`);
      return 400;
    }
    response.setHeader("Docker-Experimental", "false");

    const query = new URLSearchParams(search.join("?"));
    switch (path) {
      case "/_ping":
        response.setHeader("Cache-Control", "no-cache, no-store, must-revalidate");
        response.setHeader("Pragma", "no-cache");
        if (engineMinor > 41) {
          response.setHeader("Builder-Version", "2");
          response.setHeader("Swarm", "inactive");
        }
        send(response, 200, "text/plain; charset=utf-8", method === "HEAD" ? "" : "OK");
        return 200;
      case "/version":
        sendJson(response, 200, version());
        return 200;
      case "/containers/json":
        sendJson(response, 200, list(query, apiMinor));
        return 200;
      case "/events":
        streamEvents(response, query, apiMinor);
        return 200;
      default:
        sendJson(
          response,
          200,
          inspectOf(find(decodeURIComponent(inspected ?? "")), { apiMinor, engineMinor }),
        );
        return 200;
    }
  };

  const answerOrRefuse = (request: IncomingMessage, response: ServerResponse): void => {
    let status: number;
    try {
      status = answer(request, response);
    } catch (error) {
      if (error instanceof RefusedParameter) {
        status = refuse(response, error.status, error.message);
      } else if (error instanceof URIError) {
        status = refuse(response, 400, error.message);
      } else {
        throw error;
      }
    }
    record(request, status);
  };

  const server = createServer((request, response) => {
    const kind = faults.next(fitsPath((request.url ?? "").replace(/^\/v\d+\.\d+(?=\/)/, "")))?.kind;
    if (kind === undefined) {
      answerOrRefuse(request, response);
    } else if (kind === "hang") {
      record(request, 0);
    } else if (kind === "reset") {
      record(request, 0);
      request.socket.destroy();
    } else if ("after" in kind) {
      void kind.after.then(() => answerOrRefuse(request, response));
    } else if ("delayMs" in kind) {
      clock.sleep(kind.delayMs, closing.signal).then(
        () => answerOrRefuse(request, response),
        () => undefined,
      );
    } else {
      record(request, kind.status);
      refuse(response, kind.status, kind.message);
    }
  });
  // Like the engine's server: an idle connection stays, and a stream may last for ever.
  server.keepAliveTimeout = 0;
  server.requestTimeout = 0;

  const listen = (): Promise<void> =>
    new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen(socketPath, () => {
        server.off("error", reject);
        resolve();
      });
    });
  await listen();

  const cutStreams = (how: "reset" | "end" = "reset"): void => {
    const cut = [...streams];
    streams.clear();
    for (const { response } of cut) {
      if (how === "end") response.end();
      else response.socket?.destroy();
    }
    if (cut.length > 0) streamsChanged();
  };

  const down = async (): Promise<void> => {
    cutStreams("reset");
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    await closed;
  };

  const onStreams = (listener: (open: number) => void): (() => void) => {
    streamListeners.add(listener);
    return () => void streamListeners.delete(listener);
  };

  return {
    socketPath,
    dockerHost: `unix://${socketPath}`,
    run(spec) {
      const id = create(spec);
      perform(id, { verb: "start" });
      return id;
    },
    create,
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
    emit(event) {
      const raw: unknown = typeof event === "string" ? JSON.parse(event) : event;
      const json = typeof event === "string" ? event.trim() : JSON.stringify(event);
      publish({ event: filterable(raw), nanos: nanosOf(raw, json), line: () => `${json}\n` });
    },
    emitLine(bytes) {
      for (const stream of streams) write(stream, bytes);
    },
    containers: () => [...containers.values()].map(viewOf),
    onEvent(listener) {
      eventListeners.add(listener);
      return () => void eventListeners.delete(listener);
    },
    requests: requests.items,
    get openStreams() {
      return streams.size;
    },
    onStreams,
    untilStreams: (count) =>
      new Promise((resolve) => {
        if (streams.size === count) {
          resolve();
          return;
        }
        const stop = onStreams((open) => {
          if (open !== count) return;
          stop();
          resolve();
        });
      }),
    get unreadBytes() {
      return [...streams].reduce((sum, { response }) => sum + response.writableLength, 0);
    },
    onRead(listener) {
      readListeners.add(listener);
      return () => void readListeners.delete(listener);
    },
    cutStreams,
    fail: faults.add,
    clearFaults: faults.clear,
    down,
    async up() {
      buffer.length = 0;
      await listen();
    },
    async close() {
      closing.abort();
      await down();
    },
  };
};
