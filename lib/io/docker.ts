import type { Readable } from "node:stream";
import Docker from "dockerode";
import * as z from "zod";
import { asContainerId, type Container, type ContainerId } from "../core/container.ts";
import { Fatal, Unavailable } from "../core/failure.ts";
import {
  type ContainerEvent,
  DEFAULT_STOP_SIGNAL,
  type Health,
  signalNumber,
} from "../core/life.ts";
import { splitLines } from "./lines.ts";
import { readAhead } from "./read-ahead.ts";
import { shapeProblem } from "./shape.ts";

/**
 * What the engine's stream says: a container to look at, or something unreadable (or too much of it), after which only
 * looking at all of them is safe.
 */
export type EngineEvent =
  | { readonly kind: "container"; readonly id: ContainerId; readonly event: ContainerEvent }
  | { readonly kind: "unreadable"; readonly problem: string };

/** The Docker engine, read only: this file sends nothing but GET. */
export interface DockerEngine {
  /** The engine's version and its newest API version; `limitMs` is how long it may take, here and below; 10 s. */
  version(limitMs?: number): Promise<{ readonly engine: string; readonly api: string }>;
  /**
   * Subscribes to starts and ends of containers with the label; resolves once the engine has accepted. From then on
   * events are read, and wait to be taken; past 10,000 of them it says so instead. The stream ends only by throwing, or
   * quietly when `stop` aborts.
   */
  events(label: string, stop: AbortSignal): Promise<AsyncIterable<EngineEvent>>;
  /** Ids of the running containers with the label. */
  running(label: string, limitMs?: number): Promise<readonly ContainerId[]>;
  /** The container as it is now; undefined when there is none. */
  inspect(id: ContainerId): Promise<Container | undefined>;
}

/**
 * All that a record follows from. `die` alone is common to a stop, a crash, an OOM kill and a forced removal; `kill` is
 * the first word of a stop.
 */
const EVENTS = ["start", "die", "kill", "pause", "unpause", "health_status"];

const REQUEST_LIMIT_MS = 10_000;

/**
 * Docker drops events for a reader that it finds too slow, and tells nobody: so they are read at once and wait here, some
 * 200 bytes each.
 */
const WAITING_EVENTS = 10_000;
const TOO_MANY_WAIT: EngineEvent = {
  kind: "unreadable",
  problem: `more than ${WAITING_EVENTS} events that nobody could take yet`,
};

const Version = z.object({ Version: z.string(), ApiVersion: z.string() });
const Listed = z.array(z.object({ Id: z.string() }));
/** Type, Action and Actor only: the older fields status, id and from are gone from API 1.52 on. */
const Event = z.object({
  Type: z.string(),
  Action: z.string(),
  Actor: z.object({
    ID: z.string(),
    Attributes: z.object({ signal: z.string().optional() }).catch({}).optional(),
  }),
});
const Inspected = z.object({
  Id: z.string(),
  Name: z.string(),
  State: z.object({
    Running: z.boolean(),
    Paused: z.boolean().optional(),
    Restarting: z.boolean().optional(),
    Health: z.object({ Status: z.string() }).nullish(),
  }),
  Config: z.object({ Labels: z.unknown(), StopSignal: z.string().optional() }),
  HostConfig: z.object({ NetworkMode: z.string().optional() }),
  NetworkSettings: z
    .object({
      Networks: z
        .record(
          z.string(),
          z.object({
            IPAddress: z.string().optional(),
            GlobalIPv6Address: z.string().optional(),
          }),
        )
        .nullish(),
    })
    .optional(),
});

/**
 * The engine behind DOCKER_HOST, or behind Docker's own socket. No API version is pinned, so that the engine answers in
 * its newest: 1.41 and 1.52 agree in all that is read here.
 * Every function throws `Unavailable` when the engine does not answer and `Fatal` when it never will.
 */
export function dockerEngine({
  socketPath,
  limitMs = REQUEST_LIMIT_MS,
}: {
  readonly socketPath?: string;
  /** How long an answer may take; of the event stream its beginning. */
  readonly limitMs?: number;
} = {}): DockerEngine {
  let docker: Docker;
  try {
    docker = new Docker(socketPath === undefined ? {} : { socketPath });
  } catch (error) {
    throw new Fatal("DOCKER_HOST: expected unix:///path or tcp://host:port", { cause: error });
  }

  return {
    async version(withinMs = limitMs) {
      const { Version: engine, ApiVersion: api } = await read(
        "version",
        Version,
        withinMs,
        (limit) =>
          // The types leave out the options that it takes.
          (docker as { version(options: object): Promise<unknown> }).version(limit),
      );
      return { engine, api };
    },
    async events(label, stop) {
      const filters = { type: ["container" as const], label: [label], event: EVENTS };
      const subscribe = ({ abortSignal }: Limit) =>
        docker.getEvents({ filters, abortSignal: AbortSignal.any([stop, abortSignal]) });
      const stream = (await within(limitMs, subscribe).catch((error: unknown) => {
        stop.throwIfAborted();
        throw failure("events", error);
      })) as Readable;
      return readAhead(readEvents(stream, stop), {
        limit: WAITING_EVENTS,
        instead: TOO_MANY_WAIT,
        close: () => stream.destroy(),
      });
    },
    async running(label, withinMs = limitMs) {
      const filters = { label: [label] };
      const listed = await read("container list", Listed, withinMs, (limit) =>
        docker.listContainers({ filters, ...limit }),
      );
      return listed.map(({ Id }) => asContainerId(Id)).filter((id) => id !== undefined);
    },
    async inspect(id) {
      const seen = await read("container", Inspected.or(z.undefined()), limitMs, (limit) =>
        docker
          .getContainer(id)
          .inspect(limit)
          .catch((error: unknown) => {
            if (statusOf(error) === 404) return undefined;
            throw error;
          }),
      );
      if (seen === undefined) return undefined;
      return {
        id,
        name: seen.Name.replace(/^\//, ""),
        labels: labelsOf(seen.Config.Labels),
        // While it waits for its restart policy, the engine calls a container running and restarting at once.
        running: seen.State.Running && seen.State.Restarting !== true,
        paused: seen.State.Paused === true,
        health: healthOf(seen.State.Health?.Status),
        stopSignal: signalNumber(seen.Config.StopSignal ?? "") ?? DEFAULT_STOP_SIGNAL,
        networkMode: seen.HostConfig.NetworkMode ?? "default",
        addresses: Object.values(seen.NetworkSettings?.Networks ?? {}).flatMap(
          ({ IPAddress }) => IPAddress || [],
        ),
        addresses6: Object.values(seen.NetworkSettings?.Networks ?? {}).flatMap(
          ({ GlobalIPv6Address }) => GlobalIPv6Address || [],
        ),
      };
    },
  };
}

async function* readEvents(stream: Readable, stop: AbortSignal): AsyncGenerator<EngineEvent> {
  try {
    for await (const line of splitLines(stream)) yield readEvent(line);
  } catch (error) {
    // An abort shows as a broken stream, too.
    if (!stop.aborted) throw new Unavailable("Docker", "cut its event stream", { cause: error });
  }
  if (!stop.aborted) throw new Unavailable("Docker", "ended its event stream");
}

function readEvent(line: string | undefined): EngineEvent {
  if (line === undefined) return { kind: "unreadable", problem: "a line that is too long" };
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    return { kind: "unreadable", problem: "a line that is not JSON" };
  }
  const event = Event.safeParse(json);
  const id = event.success ? asContainerId(event.data.Actor.ID) : undefined;
  if (!event.success || event.data.Type !== "container" || id === undefined) {
    return { kind: "unreadable", problem: "a line that is not a container's event" };
  }
  const { Action, Actor } = event.data;
  return { kind: "container", id, event: lifeEventOf(Action, Actor.Attributes?.signal) };
}

/** What an action says of the container's life; one that says nothing of it is still a reason to look. */
function lifeEventOf(action: string, signal = ""): ContainerEvent {
  switch (action) {
    case "start":
    case "die":
    case "pause":
    case "unpause":
      return { kind: action };
    case "kill":
      return { kind: "signal", signal: signalNumber(signal) ?? 0 };
    default: {
      const [, health] = /^health_status: ?(.*)$/.exec(action) ?? [];
      return health === undefined
        ? { kind: "other" }
        : { kind: "health", health: healthOf(health) };
    }
  }
}

const healthOf = (status: string | undefined): Health =>
  status === "starting" || status === "healthy" || status === "unhealthy" ? status : "none";

const labelsOf = (labels: unknown): ReadonlyMap<string, string> =>
  new Map(
    Object.entries(labels ?? {}).filter(
      (entry): entry is [string, string] => typeof entry[1] === "string",
    ),
  );

type Limit = { readonly abortSignal: AbortSignal };

/** Settles within the limit. The abort signal alone does not do that: dockerode hears nothing of an answer that is cut. */
async function within<T>(limitMs: number, ask: (limit: Limit) => Promise<T>): Promise<T> {
  const limit = new AbortController();
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    const error = new Error(`no whole answer within ${limitMs / 1000} s`);
    reject(error);
    limit.abort(error);
  }, limitMs);
  try {
    return await Promise.race([ask({ abortSignal: limit.signal }), late]);
  } finally {
    clearTimeout(timer);
  }
}

async function read<T>(
  what: string,
  schema: z.ZodType<T>,
  limitMs: number,
  ask: (limit: Limit) => Promise<unknown>,
) {
  let answer: unknown;
  try {
    answer = await within(limitMs, ask);
  } catch (error) {
    throw failure(what, error);
  }
  const parsed = schema.safeParse(answer);
  if (parsed.success) return parsed.data;
  throw new Unavailable("Docker", `answered ${what} in an unknown shape`, {
    cause: shapeProblem(parsed.error),
  });
}

function failure(what: string, error: unknown): Unavailable | Fatal {
  const status = statusOf(error);
  if (codeOf(error) === "EACCES") {
    return new Fatal(
      "no permission for Docker's socket: run as a member of the group that owns it",
      {
        cause: error,
      },
    );
  }
  if (status !== undefined && status >= 400 && status < 500) {
    return new Fatal(`Docker refused ${what} with status ${status}`, { cause: words(error) });
  }
  return new Unavailable("Docker", `did not answer ${what}`, { cause: words(error) });
}

/** The engine's own words, without what dockerode puts before them; any other error as it is. */
function words(error: unknown): unknown {
  const [, said] = (error instanceof Error && DOCKERODE.exec(error.message)) || [];
  return said === undefined ? error : new Error(said);
}
const DOCKERODE = /^\(HTTP code \d+\) .*? - (.*?) *$/s;

const statusOf = (error: unknown): number | undefined =>
  error instanceof Error && "statusCode" in error && typeof error.statusCode === "number"
    ? error.statusCode
    : undefined;

const codeOf = (error: unknown): unknown =>
  error instanceof Error && "code" in error ? error.code : undefined;
