import { expect, test } from "@jest/globals";
import type { Plan } from "./hosts.ts";
import type { Scenario, Step } from "./scenario.ts";
import { run } from "./world.ts";

/** Faults of the wiring that the property has found, each as the shortest story that shows it. */

const plan = (over: Partial<Plan> = {}): Plan => ({
  host: 0,
  isSidecar: false,
  names: ["web"],
  hasBadName: false,
  mode: "awsvpc",
  hasCheck: false,
  isWell: true,
  hasIpv6: false,
  hasPort: false,
  weight: undefined,
  addressAfterMs: 0,
  startsAtMs: 0,
  stopsInMs: 2_000,
  ...over,
});
const scenario = (over: Partial<Scenario>): Scenario => ({
  seed: 0,
  hosts: 1,
  isOneMachine: false,
  routing: "weighted",
  allUnhealthy: "keep",
  health: "docker",
  onStop: "keep",
  workers: 5,
  leftovers: 0,
  others: 3,
  plans: [plan()],
  steps: [],
  windows: [],
  ...over,
});
const step = (atMs: number, kind: Step["kind"], who = 0): Step => ({ atMs, kind, who });

test.each<readonly [string, Partial<Scenario>]>([
  [
    "a start removes the records of containers that Docker itself shows as paused",
    {
      plans: [plan(), plan(), plan()],
      steps: [
        step(10_000, "agent: killed"),
        step(10_050, "container: pause", 0),
        step(10_050, "container: pause", 1),
        step(10_050, "container: pause", 2),
      ],
    },
  ],
  [
    "a start removes all records of a crashed container though its task goes on",
    {
      plans: [plan({ hasIpv6: true, hasPort: true }), plan({ names: [], isSidecar: true })],
      steps: [step(10_000, "agent: killed"), step(10_050, "container: crash", 0)],
    },
  ],
  [
    "a container that is looked at while an unreadable event tells of its end is looked at again",
    {
      // This one, because it lets events be unreadable in the last part, and one of them be an end at that moment.
      seed: 368,
      workers: 1,
      plans: [plan(), plan()],
    },
  ],
])("%s", async (_, over) => {
  const { violations, story } = await run(scenario(over), true);
  expect(violations.length > 0 ? [...violations, ...story] : []).toEqual([]);
});
