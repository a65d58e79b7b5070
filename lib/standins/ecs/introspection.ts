import type { IncomingMessage, ServerResponse } from "node:http";
import { posix } from "node:path";
import { type Clock, systemClock } from "../../kit/flow/clock.ts";
import { type Fault, faultList, fitsPath } from "../faults.ts";
import { httpStandIn } from "../http-stand-in.ts";
import { listeners } from "../listeners.ts";
import { requestLog } from "../request-log.ts";
import type {
  IntrospectionMetadata,
  IntrospectionTask,
  IntrospectionTasks,
} from "./introspection-shape.ts";
import { containerInstanceArn as instanceArn } from "./tasks.ts";

/**
 * The ECS agent's introspection endpoint: its answers for what `tasks` says at that moment.
 * Rules: amazon-ecs-agent 1.105, `ecs-agent/introspection/v1/handlers/handlers.go` and
 * `response.go`; status codes and bodies as its own server was seen to give them.
 */

type EcsAgentFault = Fault<"hang" | "reset" | { readonly status: number; readonly body: string }>;

export interface EcsAgentOptions {
  readonly cluster?: string;
  readonly containerInstanceArn?: string | null;
  readonly version?: string;
  /** Asked for every request. A rejection shows as the agent's own panic: an empty 500. */
  readonly tasks: () => readonly IntrospectionTask[] | Promise<readonly IntrospectionTask[]>;
  readonly latencyMs?: number;
  readonly clock?: Clock;
  /** Default 0: any free port. */
  readonly port?: number;
  readonly host?: string;
}

interface EcsAgentRequest {
  readonly method: string;
  /** As requested, query included. */
  readonly path: string;
  /** 0 when the request was left hanging or was reset. */
  readonly status: number;
  readonly at: number;
}

export interface EcsAgentStandIn {
  /** Without trailing slash. */
  readonly url: string;
  readonly requests: readonly EcsAgentRequest[];
  /** Hears each request as it arrives, by its path and query. Returns the way to stop listening. */
  onRequest(listener: (path: string) => void): () => void;
  fail(fault: EcsAgentFault): void;
  clearFaults(): void;
  /** What the metadata says from now on; null while the instance is not registered. */
  register(containerInstanceArn: string | null): void;
  /** Nothing listens any more, as while the agent restarts. */
  close(): Promise<void>;
  /** After a close: listens again, at the same address. */
  reopen(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const json = (status: number, body: unknown): Answer => ({
  status,
  type: "application/json",
  body: JSON.stringify(body),
});

const plain = (body: string): Answer => ({
  status: 200,
  type: "text/plain; charset=utf-8",
  body,
});

/** The body of every refusal. */
const noTask = { Arn: "", KnownStatus: "", Family: "", Version: "", Containers: null };

const commands = plain(
  JSON.stringify({ AvailableCommands: ["/v1/metadata", "/v1/tasks", "/license"] }),
);

/** Up to this length an id is a prefix, above it the whole id. */
const shortIdLength = 12;

const taskByArn = (tasks: readonly IntrospectionTask[], arn: string): Answer => {
  const task = tasks.find(({ Arn }) => Arn === arn);
  return task === undefined ? json(404, noTask) : json(200, task);
};

/** A prefix that fits several containers is refused, even if they are of one task. */
const taskByDockerId = (tasks: readonly IntrospectionTask[], dockerId: string): Answer => {
  const fits = (id: string) =>
    id !== "" && (dockerId.length > shortIdLength ? id === dockerId : id.startsWith(dockerId));
  const found = tasks.flatMap((task) =>
    task.Containers.filter(({ DockerId }) => fits(DockerId)).map(() => task),
  );
  const [task] = found;
  if (task === undefined) return json(404, noTask);
  return found.length > 1 ? json(400, noTask) : json(200, task);
};

/** Parameter names are case-sensitive; a parameter it does not know changes nothing. */
const tasksAnswer = (tasks: readonly IntrospectionTask[], query: URLSearchParams): Answer => {
  const dockerId = query.get("dockerid");
  const arn = query.get("taskarn");
  if (dockerId !== null && arn !== null) return json(400, noTask);
  if (dockerId !== null) return taskByDockerId(tasks, dockerId);
  if (arn !== null) return taskByArn(tasks, arn);
  return json(200, { Tasks: tasks } satisfies IntrospectionTasks);
};

/** The method plays no part: the agent answers them all alike. */
const answerTo = async (
  target: string,
  metadata: () => IntrospectionMetadata,
  tasks: EcsAgentOptions["tasks"],
): Promise<Answer> => {
  const at = target.indexOf("?");
  const path = at === -1 ? target : target.slice(0, at);
  const search = at === -1 ? "" : target.slice(at);
  const clean = posix.normalize(path);
  if (clean !== path) {
    const headers = { Location: `${clean}${search}` };
    return { status: 301, type: "text/html; charset=utf-8", body: "", headers };
  }
  switch (path) {
    case "/v1/metadata":
      return json(200, metadata());
    case "/v1/tasks":
      try {
        return tasksAnswer(await tasks(), new URLSearchParams(search));
      } catch {
        const headers = { Connection: "close" };
        return { status: 500, type: "text/plain", body: "", headers };
      }
    case "/license":
      return plain("Apache-2.0");
    default:
      return commands;
  }
};

const send = (response: ServerResponse, { status, type, body, headers }: Answer): void => {
  // Named here, "keep-alive" comes without the hint how long: the agent gives none.
  response.writeHead(status, {
    Connection: response.shouldKeepAlive ? "keep-alive" : "close",
    "Content-Type": type,
    "Content-Length": Buffer.byteLength(body),
    ...headers,
  });
  response.end(body);
};

/** Listens once resolved. Rejects with the listen error, such as EADDRINUSE. */
export const ecsAgent = async (options: EcsAgentOptions): Promise<EcsAgentStandIn> => {
  const { cluster = "default", clock = systemClock, latencyMs = 0, tasks } = options;
  const { host = "127.0.0.1", port = 0 } = options;
  let registeredAs =
    options.containerInstanceArn === undefined
      ? instanceArn({ cluster })
      : options.containerInstanceArn;
  const metadata = (): IntrospectionMetadata => ({
    Cluster: cluster,
    ContainerInstanceArn: registeredAs,
    Version: options.version ?? "Amazon ECS Agent - v1.105.1 (*a8b3e7d3)",
  });
  const log = requestLog<EcsAgentRequest>();
  const arrivals = listeners<[path: string]>();
  const faults = faultList<EcsAgentFault>();

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = "", url: path = "/" } = request;
    const judged = (status: number): void => log.note({ method, path, status, at: clock.now() });
    arrivals.tell(path);
    const kind = faults.next(fitsPath(path))?.kind;
    if (kind === "hang" || kind === "reset") {
      judged(0);
      if (kind === "reset") request.socket.resetAndDestroy();
      return;
    }
    if (latencyMs > 0) await clock.sleep(latencyMs, http.closing());
    const answer =
      kind === undefined
        ? await answerTo(path, metadata, tasks)
        : { status: kind.status, type: "application/json", body: kind.body };
    judged(answer.status);
    send(response, answer);
  };

  const http = await httpStandIn({ serve, at: { host, port } });
  // Limits of the agent's server (`agent/handlers/task_server_setup.go`): a connection that was
  // idle this long is closed, which a client that reuses it sees as a reset.
  http.server.keepAliveTimeout = 5000;
  http.server.keepAliveTimeoutBuffer = 0;
  http.server.requestTimeout = 5000;

  return {
    url: http.url,
    requests: log.requests,
    onRequest: arrivals.add,
    fail: faults.add,
    clearFaults: faults.clear,
    register(containerInstanceArn) {
      registeredAs = containerInstanceArn;
    },
    reopen: http.reopen,
    close: http.close,
  };
};
