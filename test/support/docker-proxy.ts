import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import { createInterface } from "node:readline";
import { type EngineAddress, engineAddress } from "./engine.ts";
import { changes } from "./wait.ts";

export interface EngineEventLine {
  readonly action: string;
  /** The container's. */
  readonly id: string;
  readonly line: string;
}

/** What the agent's streams get instead of one event: nothing, the line itself, or several. */
export type Rewrite = (event: EngineEventLine) => readonly string[];

/** The real engine's socket as one test's agent sees it. */
export interface DockerProxy {
  readonly dockerHost: string;
  /** In order of arrival; paths without their version. */
  readonly requests: readonly { readonly method: string; readonly path: string }[];
  /** Those of them that were answered with 403. */
  readonly refused: readonly { readonly method: string; readonly path: string }[];
  /** What the engine said on the agent's streams, before any rewriting. */
  readonly events: readonly EngineEventLine[];
  /** The first event, earlier ones included, that the test is looking for. */
  untilEvent(wanted: (event: EngineEventLine) => boolean): Promise<EngineEventLine>;
  untilStreams(count: number): Promise<void>;
  /** Waits until so many requests have arrived. */
  untilRequests(count: number): Promise<void>;
  rewrite(rewrite: Rewrite): void;
  /** Writes a line to the open streams. */
  send(line: string): void;
  /** Answers the container list with this instead of the engine's own answer; undefined for its own again. */
  list(answer: readonly unknown[] | undefined): void;
  /** Ends the open streams, as a daemon that dies or one that closes them in order. */
  cut(how: "reset" | "end"): void;
  close(): Promise<void>;
}

/** All that the agent may ask of an engine. */
const ALLOWED = /^\/(?:version|events|containers\/json|containers\/[0-9a-f]{64}\/json)(?:\?|$)/;

/**
 * Listens at `socketPath` and passes on to the real engine what a filtering socket proxy would: the reads that SECURITY.md
 * names. Anything else is refused with 403 and remembered.
 * The list and the events show only containers with `label`, so that tests do not see each other's.
 */
export async function dockerProxy({
  socketPath,
  label,
  engine: given,
}: {
  readonly socketPath: string;
  readonly label: string;
  /** Default: the engine that dockerode finds by itself. */
  readonly engine?: EngineAddress;
}): Promise<DockerProxy> {
  const engine = given ?? (await engineAddress());
  const requests: { method: string; path: string }[] = [];
  const refused: { method: string; path: string }[] = [];
  const events: EngineEventLine[] = [];
  const streams = new Set<ServerResponse>();
  const moved = changes();
  let rewrite: Rewrite = ({ line }) => [line];
  let listed: readonly unknown[] | undefined;

  const narrow = (path: string): string => {
    const url = new URL(path, "http://engine");
    const filters = JSON.parse(url.searchParams.get("filters") ?? "{}") as {
      label?: readonly string[];
    };
    url.searchParams.set(
      "filters",
      JSON.stringify({ ...filters, label: [...(filters.label ?? []), label] }),
    );
    return `${url.pathname}${url.search}`;
  };

  const stream = (answer: IncomingMessage, response: ServerResponse): void => {
    response.flushHeaders();
    streams.add(response);
    response.once("close", () => streams.delete(response));
    const lines = createInterface(answer);
    // The engine's end of the stream broke, or ours did.
    lines.on("error", () => response.destroy());
    lines.on("line", (line) => {
      const { Action: action, Actor } = JSON.parse(line) as {
        Action: string;
        Actor: { ID: string };
      };
      const event = { action, id: Actor.ID, line };
      events.push(event);
      for (const one of rewrite(event)) response.write(`${one}\n`);
      moved.tell();
    });
    answer.once("end", () => response.end());
    moved.tell();
  };

  const server = createServer((request, response) => {
    const { method = "", url = "/" } = request;
    const path = url.replace(/^\/v\d+\.\d+(?=\/)/, "");
    requests.push({ method, path });
    moved.tell();
    if (method !== "GET" || !ALLOWED.test(path)) {
      refused.push({ method, path });
      response.writeHead(403).end(JSON.stringify({ message: `${method} ${path} is refused` }));
      return;
    }
    const isEvents = path.startsWith("/events");
    const isList = path.startsWith("/containers/json");
    if (isList && listed !== undefined) {
      response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify(listed));
      return;
    }
    const onward = httpRequest(
      { ...engine, path: isEvents || isList ? narrow(url) : url, agent: false },
      (answer) => {
        response.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.once("error", () => response.destroy());
        if (isEvents) stream(answer, response);
        else answer.pipe(response);
      },
    );
    onward.once("error", () => response.destroy());
    response.once("close", () => onward.destroy());
    onward.end();
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(socketPath, resolve);
  });
  const seen = () => events.map(({ line }) => line).join("\n");

  return {
    dockerHost: `unix://${socketPath}`,
    requests,
    refused,
    events,
    untilEvent: (wanted) => moved.until(() => events.find(wanted), seen),
    async untilStreams(count) {
      await moved.until(
        () => streams.size === count,
        () => `${streams.size} streams`,
      );
    },
    async untilRequests(count) {
      await moved.until(
        () => requests.length >= count,
        () =>
          requests
            .slice(-20)
            .map(({ path }) => path)
            .join("\n"),
      );
    },
    rewrite(next) {
      rewrite = next;
    },
    send(line) {
      for (const response of streams) response.write(`${line}\n`);
    },
    list(answer) {
      listed = answer;
    },
    cut(how) {
      for (const response of streams) {
        if (how === "end") response.end();
        else response.socket?.destroy();
      }
    },
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}
