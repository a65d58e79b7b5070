import type { Readable } from "node:stream";
import * as z from "zod";
import { Unavailable } from "../../kit/failure.ts";
import { jsonPicker, type Pick } from "../../kit/json-pick.ts";
import { asContainerId, type ContainerId } from "../container.ts";
import { type ContainerEvent, signalNumber } from "../life.ts";
import { healthOf } from "./inspected.ts";
import { hasLabel, Labels, labelled } from "./labels.ts";

/**
 * What the engine's stream says: a container to look at, or something unreadable (or too much of it), after which only
 * looking at all of them is safe.
 */
export type EngineEvent =
  | { readonly kind: "container"; readonly id: ContainerId; readonly event: ContainerEvent }
  | { readonly kind: "unreadable"; readonly problem: string };

/** Type, Action and Actor only: the older fields status, id and from are gone from API 1.52 on. */
const Event = z.object({
  Type: z.string(),
  Action: z.string(),
  Actor: z.object({
    ID: z.string(),
    Attributes: Labels,
  }),
});

export async function* readEvents(
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
