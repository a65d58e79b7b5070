import type { IncomingMessage } from "node:http";
import type { Readable } from "node:stream";
import Docker from "dockerode";
import * as z from "zod";
import { Fatal, Unavailable } from "../../kit/failure.ts";
import { splitLines } from "../../kit/io/lines.ts";
import { readAhead } from "../../kit/io/read-ahead.ts";
import { shapeProblem } from "../../kit/io/shape.ts";
import { asContainerId, type Container, type ContainerId } from "../container.ts";
import { type ContainerEvent, DEFAULT_STOP_SIGNAL, type Health, signalNumber } from "../life.ts";

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

/** A container's labels, which are megabytes at the most, stand in every list. */
const MOST_BYTES = 256 * 1_048_576;
const MOST_ERROR_BYTES = 65_536;
const MOST_ERROR_CHARACTERS = 1_000;

/**
 * Docker drops events for a reader that it finds too slow, and tells nobody: so they are read at once and wait here, some
 * 200 bytes each.
 */
const WAITING_EVENTS = 10_000;
const TOO_MANY_WAIT: EngineEvent = {
  kind: "unreadable",
  problem: `more than ${WAITING_EVENTS} events that nobody could take yet`,
};

const Problem = z.object({ message: z.string() });
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

  /** The answer from its beginning on. Throws `NotOk` for one that is none, and what broke the connection. */
  async function get(
    { path, filters }: Omit<Question, "what">,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    docker.modem.dial(
      {
        path: `${path}?`,
        method: "GET",
        options: filters === undefined ? {} : { filters },
        abortSignal: signal,
        isStream: true,
        statusCodes: EVERY_STATUS,
      },
      (error, answer) => (error === null ? resolve(answer as IncomingMessage) : reject(error)),
    );
    const answer = await promise;
    if (answer.statusCode === 200) return answer;
    throw new NotOk(answer.statusCode ?? 0, await saidIn(answer));
  }

  /** What the whole answer holds. Throws `Unavailable` and `Fatal`. */
  async function read<T>(question: Question, schema: z.ZodType<T>, withinMs: number): Promise<T> {
    const { what } = question;
    const text = await within(withinMs, async (late) => {
      const { text, isWhole } = await textOf(await get(question, late), MOST_BYTES);
      if (!isWhole) throw new Error(`an answer of more than ${MOST_BYTES} bytes`);
      return text;
    }).catch((error: unknown) => {
      throw failure(what, error);
    });
    const parsed = schema.safeParse(jsonOf(text));
    if (parsed.success) return parsed.data;
    throw new Unavailable("Docker", `answered ${what} in an unknown shape`, {
      cause: shapeProblem(parsed.error),
    });
  }

  return {
    async version(withinMs = limitMs) {
      const asked = { what: "version", path: "/version" };
      const { Version: engine, ApiVersion: api } = await read(asked, Version, withinMs);
      return { engine, api };
    },
    async events(label, stop) {
      const filters = { type: ["container"], label: [label], event: EVENTS };
      const stream = await within(limitMs, (late) =>
        get({ path: "/events", filters }, AbortSignal.any([stop, late])),
      ).catch((error: unknown) => {
        stop.throwIfAborted();
        throw failure("events", error);
      });
      return readAhead(readEvents(stream, stop), {
        limit: WAITING_EVENTS,
        instead: TOO_MANY_WAIT,
        close: () => stream.destroy(),
      });
    },
    async running(label, withinMs = limitMs) {
      const asked = {
        what: "container list",
        path: "/containers/json",
        filters: { label: [label] },
      };
      const listed = await read(asked, Listed, withinMs);
      return listed.map(({ Id }) => asContainerId(Id)).filter((id) => id !== undefined);
    },
    async inspect(id) {
      const asked = { what: "container", path: `/containers/${id}/json` };
      const seen = await read(asked, Inspected, limitMs).catch((error: unknown) => {
        if (error instanceof Error && error.cause instanceof NotOk && error.cause.status === 404) {
          return undefined;
        }
        throw error;
      });
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
        networks: new Map(
          Object.entries(seen.NetworkSettings?.Networks ?? {}).flatMap(([network, of]) =>
            of.IPAddress ? [[network, of.IPAddress] as const] : [],
          ),
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

/** What the engine is asked, and what that is called in an error. */
interface Question {
  readonly what: string;
  readonly path: string;
  readonly filters?: Readonly<Record<string, readonly string[]>>;
}

/**
 * To dockerode all of them are well: it would turn the body of any other into an Error's text where nobody can catch what
 * that throws, and ends the process with it.
 */
const EVERY_STATUS: Readonly<Record<number, true>> = Object.fromEntries(
  Array.from({ length: 1_000 }, (_, status) => [status, true]),
);

/** The engine answered, and not with what it was asked for; its own words. */
class NotOk extends Error {
  override readonly name = "NotOk";
  readonly status: number;

  constructor(status: number, words: string) {
    super(words);
    this.status = status;
  }
}

async function saidIn(answer: IncomingMessage): Promise<string> {
  const { text } = await textOf(answer, MOST_ERROR_BYTES);
  const problem = Problem.safeParse(jsonOf(text));
  return (problem.success ? problem.data.message : text.trim()).slice(0, MOST_ERROR_CHARACTERS);
}

/** The answer's text, or, where it is longer than that, its beginning. */
async function textOf(
  answer: IncomingMessage,
  mostBytes: number,
): Promise<{ readonly text: string; readonly isWhole: boolean }> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    bytes += chunk.length;
    // Leaving the loop closes the connection.
    if (bytes > mostBytes) break;
  }
  return { text: Buffer.concat(chunks).toString("utf8"), isWhole: bytes <= mostBytes };
}

/** Undefined for what is no JSON. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Settles within the limit, whatever becomes of the connection. */
async function within<T>(limitMs: number, ask: (late: AbortSignal) => Promise<T>): Promise<T> {
  const limit = new AbortController();
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    const error = new Error(`no whole answer within ${limitMs / 1000} s`);
    reject(error);
    limit.abort(error);
  }, limitMs);
  try {
    return await Promise.race([ask(limit.signal), late]);
  } finally {
    clearTimeout(timer);
  }
}

function failure(what: string, error: unknown): Unavailable | Fatal {
  if (error instanceof Error && "code" in error && error.code === "EACCES") {
    return new Fatal(
      "no permission for Docker's socket: run as a member of the group that owns it",
      { cause: error },
    );
  }
  if (error instanceof NotOk && error.status >= 400 && error.status < 500) {
    return new Fatal(`Docker refused ${what} with status ${error.status}`, { cause: error });
  }
  return new Unavailable("Docker", `did not answer ${what}`, { cause: error });
}
