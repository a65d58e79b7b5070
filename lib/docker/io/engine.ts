import type { IncomingMessage } from "node:http";
import type { Readable } from "node:stream";
import Docker from "dockerode";
import * as z from "zod";
import { Fatal, Unavailable } from "../../kit/failure.ts";
import { readAhead } from "../../kit/io/read-ahead.ts";
import { shapeProblem } from "../../kit/io/shape.ts";
import { jsonPicker, type Pick } from "../../kit/json-pick.ts";
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
   * Subscribes to starts and ends of containers with the label; resolves once the engine has accepted. A label here and
   * below is a key, in any case, or `key=value`. From then on
   * events are read, and wait to be taken; past 10,000 of them it says so instead. The stream ends only by throwing, or
   * quietly when `stop` aborts.
   */
  events(label: string, stop: AbortSignal): Promise<AsyncIterable<EngineEvent>>;
  /** Ids of the running containers with the label. */
  running(label: string, limitMs?: number): Promise<readonly ContainerId[]>;
  /** The container as it is now; undefined when there is none. `givenUp` ends the request, which then throws. */
  inspect(id: ContainerId, givenUp?: AbortSignal): Promise<Container | undefined>;
}

/**
 * All that a record follows from. `die` alone is common to a stop, a crash, an OOM kill and a forced removal; `kill` is
 * the first word of a stop.
 */
const EVENTS = ["start", "die", "kill", "pause", "unpause", "health_status"];

const REQUEST_LIMIT_MS = 10_000;

/** The longest description of a container that is read. */
const MOST_INSPECTED = 8 * 1_048_576;
/** What may be kept of one answer, or of one event. */
const MOST_KEPT = 16 * 1_048_576;
/** Of one container's labels: ECS takes a task definition of 64 KiB, and an image's are no longer as a rule. */
const MOST_KEPT_OF_ONE = 1_048_576;
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
const VERSION: Pick = { members: { Version: true, ApiVersion: true } };
const Labels = z.record(z.string(), z.unknown()).nullish().catch(null);
const Listed = z.array(z.object({ Id: z.string(), Labels }));
/** Type, Action and Actor only: the older fields status, id and from are gone from API 1.52 on. */
const Event = z.object({
  Type: z.string(),
  Action: z.string(),
  Actor: z.object({
    ID: z.string(),
    Attributes: Labels,
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

/** What is read of a container's description; `isKept` says which of its labels. */
const inspection = (isKept: (label: string) => boolean): Pick => ({
  members: {
    Id: true,
    Name: true,
    State: {
      members: {
        Running: true,
        Paused: true,
        Restarting: true,
        Health: { members: { Status: true } },
      },
    },
    Config: {
      members: {
        Labels: { members: (label) => (isKept(label) ? true : undefined) },
        StopSignal: true,
      },
    },
    HostConfig: { members: { NetworkMode: true } },
    NetworkSettings: {
      members: {
        Networks: {
          members: () => ({ members: { IPAddress: true, GlobalIPv6Address: true } }),
        },
      },
    },
  },
});

/**
 * The engine behind DOCKER_HOST, or behind Docker's own socket. No API version is pinned, so that the engine answers in
 * its newest: 1.41 and 1.52 agree in all that is read here.
 * Every function throws `Unavailable` when the engine does not answer and `Fatal` when it never will.
 */
export function dockerEngine({
  socketPath,
  limitMs = REQUEST_LIMIT_MS,
  keepsLabel = () => true,
}: {
  readonly socketPath?: string;
  /** Which labels of a container are of use; of any other, however long, nothing is kept. */
  readonly keepsLabel?: (label: string) => boolean;
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
    { path, filters }: Omit<Question, "what" | "pick">,
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

  /** What the whole answer holds. Throws `Unavailable` and `Fatal`, and a `RangeError` for one that is too long. */
  async function read<T>(
    question: Question,
    schema: z.ZodType<T>,
    withinMs: number,
    givenUp?: AbortSignal,
  ): Promise<T> {
    const { what } = question;
    const json = await within(withinMs, async (late) => {
      const signal = givenUp === undefined ? late : AbortSignal.any([late, givenUp]);
      return pickedOf(await get(question, signal), question);
    }).catch((error: unknown) => {
      throw error instanceof RangeError ? error : failure(what, error);
    });
    const parsed = schema.safeParse(json);
    if (parsed.success) return parsed.data;
    throw new Unavailable("Docker", `answered ${what} in an unknown shape`, {
      cause: shapeProblem(parsed.error),
    });
  }

  return {
    async version(withinMs = limitMs) {
      const asked = { what: "version", path: "/version", pick: VERSION };
      const { Version: engine, ApiVersion: api } = await read(asked, Version, withinMs);
      return { engine, api };
    },
    async events(label, stop) {
      // The engine's own filter knows a label in one case only.
      const filters = { type: ["container"], event: EVENTS };
      const stream = await within(limitMs, (late) =>
        get({ path: "/events", filters }, AbortSignal.any([stop, late])),
      ).catch((error: unknown) => {
        stop.throwIfAborted();
        throw failure("events", error);
      });
      return readAhead(readEvents(stream, label, stop), {
        limit: WAITING_EVENTS,
        instead: TOO_MANY_WAIT,
        close: () => stream.destroy(),
      });
    },
    async running(label, withinMs = limitMs) {
      const pick: Pick = { each: { members: { Id: true, Labels: labelled(label) } } };
      const asked = { what: "container list", path: "/containers/json", pick };
      const listed = await read(asked, Listed, withinMs).catch((error: unknown) => {
        throw error instanceof RangeError ? failure(asked.what, error) : error;
      });
      return listed
        .filter(({ Labels }) => hasLabel(Labels, label))
        .map(({ Id }) => asContainerId(Id))
        .filter((id) => id !== undefined);
    },
    async inspect(id, givenUp) {
      const asked = {
        what: "container",
        path: `/containers/${id}/json`,
        pick: inspection(keepsLabel),
        mostBytes: MOST_INSPECTED,
        mostKept: MOST_KEPT_OF_ONE,
      };
      const seen = await read(asked, Inspected, limitMs, givenUp).catch((error: unknown) => {
        if (error instanceof RangeError) return error;
        if (error instanceof Error && error.cause instanceof NotOk && error.cause.status === 404) {
          return undefined;
        }
        throw error;
      });
      if (seen === undefined) return undefined;
      if (seen instanceof RangeError) return unreadable(id, seen.message);
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

async function* readEvents(
  stream: Readable,
  label: string,
  stop: AbortSignal,
): AsyncGenerator<EngineEvent> {
  const attributes = labelled(label, "signal");
  const pick: Pick = {
    members: { Type: true, Action: true, Actor: { members: { ID: true, Attributes: attributes } } },
  };
  try {
    for await (const json of jsonLines(stream, pick)) {
      const event = readEvent(json, label);
      if (event !== undefined) yield event;
    }
  } catch (error) {
    // An abort shows as a broken stream, too.
    if (!stop.aborted) throw new Unavailable("Docker", "cut its event stream", { cause: error });
  }
  if (!stop.aborted) throw new Unavailable("Docker", "ended its event stream");
}

/** What is picked of each line, `NO_JSON` for one that is none; a last one without an end is dropped: it was cut. */
async function* jsonLines(stream: Readable, pick: Pick): AsyncGenerator<unknown> {
  const line = {
    picker: jsonPicker(pick, { mostOfString: MOST_OF_EVENT }),
    isBlank: true,
    isBad: false,
  };
  const renew = (): void => {
    line.picker = jsonPicker(pick, { mostOfString: MOST_OF_EVENT });
    line.isBlank = true;
    line.isBad = false;
  };
  const attempt = <T>(act: () => T): T | typeof NO_JSON => {
    try {
      return line.isBad ? NO_JSON : act();
    } catch {
      line.isBad = true;
      return NO_JSON;
    }
  };
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    let from = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, from)) {
      const rest = chunk.subarray(from, end);
      line.isBlank &&= isBlank(rest);
      attempt(() => line.picker.write(rest));
      if (!line.isBlank) yield attempt(() => line.picker.end());
      renew();
      from = end + 1;
    }
    const begun = chunk.subarray(from);
    line.isBlank &&= isBlank(begun);
    attempt(() => line.picker.write(begun));
  }
}
const NO_JSON = Symbol("no JSON");
/** An id, an action or a signal is no longer. */
const MOST_OF_EVENT = 1_024;

const isBlank = (bytes: Buffer): boolean =>
  bytes.every((byte) => byte === 32 || byte === 9 || byte === 13);

/** The event, or undefined where it is of a container without the label. */
function readEvent(json: unknown, label: string): EngineEvent | undefined {
  if (json === NO_JSON) return { kind: "unreadable", problem: "a line that is not JSON" };
  const event = Event.safeParse(json);
  const id = event.success ? asContainerId(event.data.Actor.ID) : undefined;
  if (!event.success || event.data.Type !== "container" || id === undefined) {
    return { kind: "unreadable", problem: "a line that is not a container's event" };
  }
  const { Action, Actor } = event.data;
  if (!hasLabel(Actor.Attributes, label)) return undefined;
  const signal = Actor.Attributes?.["signal"];
  return {
    kind: "container",
    id,
    event: lifeEventOf(Action, typeof signal === "string" ? signal : undefined),
  };
}

const keyOf = (label: string): string => label.replace(/=.*/s, "").toLowerCase();

/** Of a container's labels the one that is asked for, and what else lies beside them. */
const labelled = (label: string, ...others: readonly string[]): Pick => ({
  members: (key) => (others.includes(key) || key.toLowerCase() === keyOf(label) ? true : undefined),
});

function hasLabel(labels: z.output<typeof Labels>, label: string): boolean {
  const [, value] = /=(.*)/s.exec(label) ?? [];
  return Object.entries(labels ?? {}).some(
    ([key, text]) => key.toLowerCase() === keyOf(label) && (value === undefined || text === value),
  );
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

/** What the engine is asked, what that is called in an error, and what is read of the answer. */
interface Question {
  readonly what: string;
  readonly path: string;
  readonly pick: Pick;
  readonly mostBytes?: number;
  readonly mostKept?: number;
  readonly filters?: Readonly<Record<string, readonly string[]>>;
}

/**
 * To dockerode all of them are well: it would turn the body of any other into an Error's text where nobody can catch what
 * that throws, and ends the process with it.
 */
const EVERY_STATUS: Readonly<Record<number, true>> = Object.fromEntries(
  Array.from({ length: 1_000 }, (_, status) => [status, true]),
);

/** There was an answer, and not what was asked for. */
class NotOk extends Error {
  override readonly name = "NotOk";
  readonly status: number;
  /** The words are the engine's own, not those of a proxy before it. */
  readonly isOwn: boolean;

  constructor(status: number, { words, isOwn }: Said) {
    super(isOwn ? words : `status ${status}: ${words}`);
    this.status = status;
    this.isOwn = isOwn;
  }
}

interface Said {
  readonly words: string;
  readonly isOwn: boolean;
}

async function saidIn(answer: IncomingMessage): Promise<Said> {
  const { text } = await textOf(answer, MOST_ERROR_BYTES);
  const problem = Problem.safeParse(jsonOf(text));
  const words = problem.success ? problem.data.message : text.trim();
  return { words: words.slice(0, MOST_ERROR_CHARACTERS), isOwn: problem.success };
}

/** What is picked of the answer; undefined for one that is no JSON. Throws a `RangeError` for one that is too long. */
async function pickedOf(
  answer: IncomingMessage,
  { pick, mostBytes = Number.POSITIVE_INFINITY, mostKept = MOST_KEPT }: Question,
): Promise<unknown> {
  const picker = jsonPicker(pick, { mostKept });
  let bytes = 0;
  try {
    // Leaving the loop closes the connection.
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > mostBytes) throw new RangeError(`more than ${mostBytes / 1_048_576} MiB`);
      picker.write(chunk);
    }
    return picker.end();
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** A container whose description is too long to be read. */
const unreadable = (id: ContainerId, problem: string): Container => ({
  id,
  name: "",
  labels: new Map(),
  running: false,
  paused: false,
  health: "none",
  stopSignal: DEFAULT_STOP_SIGNAL,
  networkMode: "",
  addresses: [],
  addresses6: [],
  unreadable: problem,
});

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

/** A request that will never do; 408 and 429 say that it may later. */
const isRefusal = (status: number): boolean =>
  status >= 400 && status < 500 && status !== 408 && status !== 429;

function failure(what: string, error: unknown): Unavailable | Fatal {
  if (error instanceof Error && "code" in error && error.code === "EACCES") {
    return new Fatal(
      "no permission for Docker's socket: run as a member of the group that owns it",
      { cause: error },
    );
  }
  if (error instanceof NotOk && error.isOwn && isRefusal(error.status)) {
    return new Fatal(`Docker refused ${what} with status ${error.status}`, { cause: error });
  }
  return new Unavailable("Docker", `did not answer ${what}`, { cause: error });
}
