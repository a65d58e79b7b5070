import { readFileSync } from "node:fs";
import { expect, it } from "@jest/globals";
import { NAME_LABEL, simulatedLab } from "../support/lab.ts";

/** Real events of a Docker engine, oldest first. */
const recorded = readFileSync(
  new URL("../lib/standins/docker/docker-events.jsonl", import.meta.url),
  "utf8",
)
  .trimEnd()
  .split("\n")
  .toSorted((a, b) => timeOf(a) - timeOf(b))
  .map((line) => ({ line, ...(JSON.parse(line) as Event) }));

interface Event {
  readonly Type: string;
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> };
}

function timeOf(line: string): number {
  return (JSON.parse(line) as { timeNano: number }).timeNano;
}

/** The container's state after `action`, where that follows from it. */
const AFTER: Readonly<Record<string, "running" | "exited" | "removed">> = {
  create: "exited",
  start: "running",
  restart: "running",
  die: "exited",
  destroy: "removed",
};
/** Beside the labels, an event's attributes hold these. */
const DETAILS = new Set(["image", "name", "exitCode", "signal", "oldName", "execID"]);

/** Every container of the recording, as its history leaves it. */
const containers = [
  ...Map.groupBy(
    recorded.filter(({ Type }) => Type === "container"),
    ({ Actor }) => Actor.ID,
  ),
].map(([id, events]) => {
  const attributes = Object.entries(events.at(-1)?.Actor.Attributes ?? {});
  return {
    id,
    state: events.reduce((state, { Action }) => AFTER[Action] ?? state, "running"),
    labels: Object.fromEntries(attributes.filter(([key]) => !DETAILS.has(key))),
  };
});

it.each([
  ["1.41", (line: string) => line],
  // Since Docker 23 an end tells how long the container ran.
  [
    "1.44",
    (line: string) => line.replace(/"exitCode":"[^"]*"/, (told) => `"execDuration":"7",${told}`),
  ],
  // The three fields that are gone from API 1.52 on; every other byte stays.
  [
    "1.52",
    (line: string) =>
      line
        .replace(/"(?:status|id|from)":"[^"]*",(?=.*"Actor")/g, "")
        .replace(/"exitCode":"[^"]*"/, (told) => `"execDuration":"7",${told}`),
  ],
] as const)(
  "recorded events in the shape of API %s give the same records",
  async (apiVersion, shape) => {
    await using lab = await simulatedLab({ apiVersion });
    for (const [index, { id, state, labels }] of containers.entries()) {
      if (state === "removed") continue;
      const address = labels["com.amazonaws.ecs.task-arn"] ? "10.0.0.100" : `10.0.0.${index}`;
      lab.engine.adopt({ id, labels, address }, state === "running");
    }
    const agent = lab.agent();
    await lab.engine.untilStreams(1);
    for (const { line } of recorded) lab.engine.emit(shape(line));
    lab.engine.run({ labels: { [NAME_LABEL]: "marker" }, address: "10.0.0.200" });
    // One task with two running containers, and two containers that are no task's; the destroyed one has no record.
    await lab.zone.until([
      "fromimage.example.internal 10.0.0.5",
      "marker.example.internal 10.0.0.200",
      "web.example.internal 10.0.0.100",
      "web.example.internal 10.0.0.4",
    ]);
    expect(lab.zone.landed).toHaveLength(4);
    expect(agent.log.filter(({ level }) => level === "warn")).toEqual([]);
  },
);
