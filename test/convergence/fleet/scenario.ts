import fc from "fast-check";

/** What goes wrong with the queue and the zone, from one moment to another. */
const windowKinds = [
  "queue: lost",
  "queue: doubled",
  "queue: late by minutes",
  "queue: away",
  "queue: answers to a send lost",
  "queue: given out, and never arrives",
  "queue: deletes lost",
  "route 53: throttled",
  "route 53: zone busy",
  "route 53: unreachable",
  "route 53: answer lost, done",
  "route 53: answer lost, not done",
  "route 53: answer lost, done much later",
  "route 53: refused in unknown words",
  "ecs: away",
] as const;
export type WindowKind = (typeof windowKinds)[number];

interface Window {
  readonly kind: WindowKind;
  readonly fromMs: number;
  readonly lengthMs: number;
  readonly chance: number;
}

const stepKinds = [
  "task: starts",
  "task: stops",
  "task: replaced",
  "task: starts, and stops at once",
  "task: unsure, then as before",
  "task: unsure, then gone",
  "host: loses all tasks",
  "agent: killed",
  "agent: SIGTERM",
  "agent: leaves for good",
  "agent: leaves for good, with its records",
  "agent: comes back with its clock set back",
  "writer: killed",
  "writer: killed at a call",
  "writer: SIGTERM",
  "writer: a second one starts",
  "liar: empties another host",
  "liar: adds to another host",
  "stranger: sends garbage",
  "stranger: has no role",
  "by hand: our record deleted",
  "by hand: our record edited",
] as const;
export type StepKind = (typeof stepKinds)[number];

export interface Step {
  readonly atMs: number;
  readonly kind: StepKind;
  readonly who: number;
}

export interface Scenario {
  readonly seed: number;
  readonly hosts: number;
  readonly tasks: number;
  readonly shuffles: boolean;
  readonly steps: readonly Step[];
  readonly windows: readonly Window[];
}

/** Nothing happens, and no fault lasts, after this. */
export const LAST_MS = 600_000;
const ROUND_MS = 30_000;

const moment = (untilMs: number): fc.Arbitrary<number> =>
  fc
    .tuple(fc.nat({ max: untilMs / ROUND_MS - 1 }), fc.nat({ max: 3_000 }))
    .map(([round, afterMs]) => round * ROUND_MS + afterMs);

const tasks = stepKinds.filter((kind) => kind.startsWith("task: "));

export const scenario: fc.Arbitrary<Scenario> = fc.record({
  seed: fc.nat(),
  hosts: fc.integer({ min: 1, max: 4 }),
  tasks: fc.integer({ min: 0, max: 6 }),
  shuffles: fc.boolean(),
  steps: fc.array(
    fc.record({
      atMs: moment(LAST_MS),
      kind: fc.oneof(fc.constantFrom(...tasks), fc.constantFrom(...stepKinds)),
      who: fc.nat({ max: 1_000 }),
    }),
    { maxLength: 30, size: "max" },
  ),
  windows: fc.array(
    fc.record({
      kind: fc.constantFrom(...windowKinds),
      fromMs: moment(LAST_MS - 120_000),
      lengthMs: fc.oneof(
        fc.integer({ min: 100, max: 5_000 }),
        fc.integer({ min: 100, max: 120_000 }),
      ),
      chance: fc.constantFrom(1, 0.5, 0.2),
    }),
    { maxLength: 8, size: "max" },
  ),
});
