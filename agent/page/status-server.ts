import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type Clock, systemClock } from "../../lib/kit/flow/clock.ts";
import { recent } from "../../lib/kit/flow/recent.ts";
import {
  type Answer,
  contentPolicy,
  healthAnswer,
  isServed,
  JSON_TYPE,
  PROTECTION,
  refusal,
} from "./answer.ts";
import { boundConnections } from "./connections.ts";
import {
  type EventListeners,
  eventListeners,
  MAX_LISTENERS,
  STATE_PAUSE_MS,
} from "./event-listeners.ts";

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

/** Connections that the system keeps until they are taken over: a burst must not make a good one try a second time. */
const BACKLOG = 4_096;
const MAX_URL = 1_024;
const MAX_HEADER_BYTES = 8_192;
const REQUEST_LIMIT_MS = 5_000;

/**
 * Serves `/` (the page), `/healthz`, `/readyz`, `/metrics`, `/v1/state` and `/v1/events` to GET and HEAD. Rejects with the
 * system's error (EADDRINUSE, EADDRNOTAVAIL, EACCES, ENOTFOUND) when it can't listen.
 *
 * Memory is bounded whoever asks: so many connections, so many of them listening, each with at most one state on its
 * way; a listener that does not read is dropped. So is the work: a state is made at most once in 500 ms. A Host header
 * with a name other than the configured one is refused: a page of the web that makes its own name resolve to this address
 * must not read the answers.
 */
export async function statusServer(options: StatusServerOptions): Promise<StatusServer> {
  const { host, health, readiness, metrics, clock = systemClock } = options;
  const policy = contentPolicy(options.page);
  const state = recent(async () => JSON.stringify(await options.state()), {
    clock,
    limitMs: STATE_PAUSE_MS,
  });
  const listeners = eventListeners({ state, health });

  const routes: Readonly<Record<string, () => Answer | Promise<Answer>>> = {
    "/": () => ({ status: 200, type: "text/html; charset=utf-8", body: options.page }),
    "/healthz": async () => healthAnswer(await health(), options.notes?.()),
    "/readyz": async () => healthAnswer(await readiness()),
    async "/metrics"() {
      const { contentType, body } = await metrics();
      return { status: 200, type: contentType, body };
    },
    "/v1/state": async () => ({ status: 200, type: JSON_TYPE, body: await state.recent() }),
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
      answer({ routes, listeners, policy, host }, request, response).catch((error: unknown) => {
        // A handler that fails must not end the process.
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

interface Served {
  readonly routes: Readonly<Record<string, () => Answer | Promise<Answer>>>;
  readonly listeners: EventListeners;
  /** The page's Content-Security-Policy. */
  readonly policy: string;
  readonly host: string;
}

async function answer(
  { routes, listeners, policy, host }: Served,
  { method = "", url = "", headers }: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
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
}
