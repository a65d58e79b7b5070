import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, isIP, type Socket } from "node:net";
import { type Clock, systemClock } from "../../lib/kit/flow/clock.ts";
import { type Recent, recent } from "../../lib/kit/flow/recent.ts";
import { boundConnections } from "./connections.ts";

/** What a process tells of itself to whoever may reach the address. Read only: no request changes anything. */
export interface StatusServerOptions {
  readonly host: string;
  /** 0 for any free one. */
  readonly port: number;
  /** Why it is not well, as sentences; none is well. */
  readonly health: () => Promise<readonly string[]>;
  /** What somebody should know though it is well, as sentences. */
  readonly notes?: () => readonly string[];
  /** Why it is not ready, as sentences. */
  readonly readiness: () => readonly string[] | Promise<readonly string[]>;
  readonly metrics: () => Promise<{ readonly contentType: string; readonly body: string }>;
  /** Everything, for JSON. */
  readonly state: () => Promise<unknown>;
  /** One HTML document; its inline styles and scripts are the only ones that run. */
  readonly page: string;
  readonly clock?: Clock;
}

export interface StatusServer {
  /** Where it listens, as `http://host:port`. */
  readonly url: string;
  /** The state has changed: whoever listens gets it, at most twice a second, the newest only. */
  changed(): void;
  /** Whoever listens gets this at once. */
  tell(event: string, id: number, data: unknown): void;
  /** Ends every connection. */
  close(): Promise<void>;
}

const MAX_LISTENERS = 8;
/** Connections that the system keeps until they are taken over: a burst must not make a good one try a second time. */
const BACKLOG = 4_096;
const MAX_URL = 1_024;
const MAX_HEADER_BYTES = 8_192;
const REQUEST_LIMIT_MS = 5_000;
const STATE_PAUSE_MS = 500;
/** How often health is asked for while somebody listens: nothing else tells that it has changed. */
const HEALTH_PAUSE_MS = 2_000;
const BEAT_MS = 15_000;
/** A listener that has so much to read, besides one state, does not read. */
const MAX_BACKLOG_BYTES = 262_144;
const JSON_TYPE = "application/json; charset=utf-8";

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * Serves `/` (the page), `/healthz`, `/readyz`, `/metrics`, `/v1/state` and `/v1/events` to GET and HEAD. Rejects with the
 * system's error (EADDRINUSE, EADDRNOTAVAIL, EACCES, ENOTFOUND) when it can't listen.
 *
 * Memory is bounded whoever asks: so many connections, so many of them listening, each with at most one state on its
 * way; a listener that does not read is dropped. So is the work: a state is made at most once in 500 ms. A Host header that is a name other than the configured one is refused:
 * a page of the web that makes its own name resolve to this address must not read the answers.
 */
export async function statusServer(options: StatusServerOptions): Promise<StatusServer> {
  const { host, health, readiness, metrics, clock = systemClock } = options;
  const policy = contentPolicy(options.page);
  const state = recent(async () => JSON.stringify(await options.state()), {
    clock,
    limitMs: STATE_PAUSE_MS,
  });
  const listeners = listenersOf({ state, health });

  const routes: Readonly<Record<string, () => Answer | Promise<Answer>>> = {
    "/": () => ({ status: 200, type: "text/html; charset=utf-8", body: options.page }),
    "/healthz": async () => verdict(await health(), options.notes?.()),
    "/readyz": async () => verdict(await readiness()),
    async "/metrics"() {
      const { contentType, body } = await metrics();
      return { status: 200, type: contentType, body };
    },
    "/v1/state": async () => ({
      status: 200,
      type: JSON_TYPE,
      body: await state.recent(),
    }),
  };

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = "", url = "", headers } = request;
    const path = url.split("?", 1)[0] ?? "";
    const route = Object.hasOwn(routes, path) ? routes[path] : undefined;
    const isEvents = path === "/v1/events";
    const send = ({ status, type, body, headers: more }: Answer): void => {
      response.writeHead(status, {
        "Content-Type": type,
        "Content-Length": Buffer.byteLength(body),
        "Content-Security-Policy": path === "/" ? policy : "default-src 'none'",
        ...PROTECTION,
        ...more,
      });
      response.end(method === "HEAD" ? undefined : body);
    };
    if (!isServed(headers.host, host)) {
      send(refusal(421, "the Host header is a name: ask by IP address or as localhost"));
    } else if (method !== "GET" && method !== "HEAD") {
      send(refusal(405, "only GET and HEAD", { Allow: "GET, HEAD" }));
    } else if (url.length > MAX_URL) send(refusal(414, "the URL is too long"));
    else if (isEvents && method === "GET") {
      if (listeners.isFull()) {
        send(refusal(503, `${MAX_LISTENERS} listen already`, { "Retry-After": "5" }));
      } else await listeners.add(response);
    } else if (isEvents) send({ status: 200, type: "text/event-stream", body: "" });
    else if (route === undefined) send(refusal(404, "no such path"));
    else send(await route());
  };

  const server = createServer(
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: REQUEST_LIMIT_MS,
      requestTimeout: REQUEST_LIMIT_MS,
      keepAliveTimeout: REQUEST_LIMIT_MS,
      connectionsCheckingInterval: REQUEST_LIMIT_MS,
    },
    (request, response) => {
      answer(request, response).catch((error: unknown) => {
        // Nobody but the one who asked is to suffer from it.
        if (response.headersSent) response.destroy();
        else response.writeHead(500, { "Content-Type": "text/plain" }).end(`${String(error)}\n`);
      });
    },
  );
  boundConnections(server, { isListening: listeners.isListening });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port: options.port, exclusive: true, backlog: BACKLOG }, resolve);
  });
  // It serves on; what breaks is one connection.
  server.on("error", () => {});
  const { address, port, family } = server.address() as AddressInfo;

  return {
    url: `http://${family === "IPv6" ? `[${address}]` : address}:${port}`,
    changed: listeners.changed,
    tell: listeners.tell,
    async close() {
      listeners.close();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

const PROTECTION: Readonly<Record<string, string>> = {
  "Cache-Control": "no-store",
  "X-Content-Type-Options": "nosniff",
  "X-Frame-Options": "DENY",
  "Referrer-Policy": "no-referrer",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Cross-Origin-Opener-Policy": "same-origin",
};

const verdict = (problems: readonly string[], notes: readonly string[] = []): Answer => ({
  status: problems.length === 0 ? 200 : 503,
  type: JSON_TYPE,
  body: `${JSON.stringify({ ok: problems.length === 0, problems, ...(notes.length > 0 && { notes }) })}\n`,
});

/** Whoever is refused keeps no connection. */
const refusal = (
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): Answer => ({
  status,
  type: "text/plain; charset=utf-8",
  body: `${text}\n`,
  headers: { ...headers, Connection: "close" },
});

/**
 * True for an IP address, `localhost` and the configured name. A browser that was led here by another name sends that
 * name, and an address can't be led elsewhere.
 */
function isServed(header: string | undefined, configured: string): boolean {
  const [, bracketed, name] = /^(?:\[([^\]]*)\]|([^:]*))(?::\d{1,5})?$/.exec(header ?? "") ?? [];
  if (bracketed !== undefined) return isIP(bracketed) === 6;
  const asked = (name ?? "").toLowerCase();
  return isIP(asked) === 4 || asked === "localhost" || asked === configured;
}

/** Lets the document's own inline styles and scripts run, by their hashes, and nothing else. */
function contentPolicy(page: string): string {
  const hashes = (element: "script" | "style"): string => {
    const found = [
      ...page.matchAll(new RegExp(`<${element}(?:\\s[^>]*)?>([\\s\\S]*?)</${element}>`, "g")),
    ];
    const sources = found.map(
      ([, text = ""]) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`,
    );
    return `${element}-src ${sources.join(" ") || "'none'"}`;
  };
  return [
    "default-src 'none'",
    hashes("script"),
    hashes("style"),
    "img-src data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
  ].join("; ");
}

interface Listener {
  /** A newer state waits until it has read what it was sent. */
  isBehind: boolean;
  missedBeats: number;
  /** Of the state that was sent last. */
  stateLength: number;
}

/** Those that listen to `/v1/events`. */
function listenersOf({
  state,
  health,
}: {
  /** As JSON. */
  readonly state: Recent<string>;
  readonly health: StatusServerOptions["health"];
}) {
  const all = new Map<ServerResponse, Listener>();
  let waiting: NodeJS.Timeout | undefined;
  let beats: readonly NodeJS.Timeout[] = [];
  let lastHealth = "";

  const frame = (event: string, json: string, id?: number): string =>
    `event: ${event}\n${id === undefined ? "" : `id: ${id}\n`}data: ${json}\n\n`;

  const drop = (response: ServerResponse): void => {
    all.delete(response);
    response.destroy();
    if (all.size > 0) return;
    clearTimeout(waiting);
    waiting = undefined;
    for (const beat of beats) clearInterval(beat);
    beats = [];
  };
  const write = (response: ServerResponse, text: string): void => {
    const mostBytes = MAX_BACKLOG_BYTES + (all.get(response)?.stateLength ?? 0);
    if (response.writableLength > mostBytes) drop(response);
    else response.write(text);
  };
  const sendState = async (): Promise<void> => {
    const text = frame("state", await state.newest());
    for (const [response, listener] of all) {
      // The newest only: who has not read the one before gets the next one then.
      if (response.writableNeedDrain) listener.isBehind = true;
      else {
        listener.stateLength = Buffer.byteLength(text);
        response.write(text);
      }
    }
  };
  const changed = (): void => {
    if (all.size === 0 || waiting !== undefined) return;
    waiting = setTimeout(() => {
      waiting = undefined;
      sendState().catch(() => {});
    }, STATE_PAUSE_MS);
  };
  const beat = (): void => {
    for (const [response, listener] of all) {
      listener.missedBeats = response.writableNeedDrain ? listener.missedBeats + 1 : 0;
      if (listener.missedBeats > 1) drop(response);
      else write(response, ": beat\n\n");
    }
  };
  const askHealth = async (): Promise<void> => {
    const text = JSON.stringify(await health());
    if (text !== lastHealth) changed();
    lastHealth = text;
  };

  return {
    isListening: (socket: Socket) => [...all.keys()].some((one) => one.socket === socket),
    isFull: () => all.size >= MAX_LISTENERS,
    changed,
    tell(event: string, id: number, data: unknown) {
      if (all.size === 0) return;
      const text = frame(event, JSON.stringify(data), id);
      for (const response of all.keys()) write(response, text);
    },
    async add(response: ServerResponse) {
      const listener: Listener = { isBehind: false, missedBeats: 0, stateLength: 0 };
      all.set(response, listener);
      response.once("close", () => drop(response));
      response.on("drain", () => {
        if (!listener.isBehind) return;
        listener.isBehind = false;
        changed();
      });
      if (beats.length === 0) {
        beats = [
          setInterval(beat, BEAT_MS),
          setInterval(() => void askHealth().catch(() => {}), HEALTH_PAUSE_MS),
        ];
      }
      response.writeHead(200, { "Content-Type": "text/event-stream", ...PROTECTION });
      const text = frame("state", await state.recent());
      // It may be from before the last change.
      changed();
      listener.stateLength = Buffer.byteLength(text);
      response.write(`retry: 2000\n\n${text}`);
    },
    close() {
      for (const response of all.keys()) drop(response);
    },
  };
}
