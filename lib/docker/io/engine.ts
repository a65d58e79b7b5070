import * as z from "zod";
import { readAhead } from "../../kit/io/read-ahead.ts";
import type { Pick } from "../../kit/json-pick.ts";
import { asContainerId, type Container, type ContainerId } from "../container.ts";
import { failure, NotOk, within } from "./answer.ts";
import { type EngineEvent, readEvents } from "./events.ts";
import { containerOf, Inspected, inspection, unreadable } from "./inspected.ts";
import { hasLabel, Labels, labelled } from "./labels.ts";
import { engineRequests } from "./requests.ts";

export type { EngineEvent } from "./events.ts";

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
/** Of one container's labels: ECS takes a task definition of 64 KiB, and an image's are no longer as a rule. */
const MOST_KEPT_OF_ONE = 1_048_576;

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
const VERSION: Pick = { members: { Version: true, ApiVersion: true } };
const Listed = z.array(z.object({ Id: z.string(), Labels }));

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
  const { get, read } = engineRequests(socketPath);
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
      return containerOf(id, seen);
    },
  };
}
