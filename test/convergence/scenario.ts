import fc from "fast-check";
import { type Window, type WindowKind, windowKinds } from "./faults.ts";
import type { Plan } from "./hosts.ts";

/** Something that happens at one moment. `who` picks a container, a host or a record, among those that there are. */
const stepKinds = [
  "container: crash",
  "container: crash and start again",
  "container: stop",
  "container: stop and start again",
  "container: other signal",
  "container: remove",
  "container: pause",
  "container: unpause",
  "container: ill",
  "container: well",
  "container: replaced by a new one",
  "docker: stream cut",
  "docker: restart",
  "docker: back empty",
  "agent: killed",
  "agent: killed before a call",
  "agent: killed after a call",
  "agent: SIGTERM",
  "agent: two signals",
  "agent: replaced while it drains",
  "docker: a container flaps",
  "ecs: registered anew",
  "host: reboot",
  "journal: garbage",
  "journal: lost",
  "foreign: another TTL",
  "foreign: another host's record",
  "foreign: simple record in the way",
  "foreign: CNAME in the way",
  "foreign: name filled up",
  "foreign: gone again",
  "by hand: our record deleted",
  "by hand: our record edited",
] as const;
export type StepKind = (typeof stepKinds)[number];

export interface Step {
  readonly atMs: number;
  readonly kind: StepKind;
  readonly who: number;
}

/** All that chance decides about a run; the same scenario is the same run. */
export interface Scenario {
  readonly seed: number;
  readonly hosts: number;
  /** The hosts are container instances of one machine, whose agents have the same --stateDir. */
  readonly isOneMachine: boolean;
  readonly routing: "weighted" | "multivalue";
  readonly allUnhealthy: "keep" | "remove";
  readonly health: "docker" | "off";
  readonly onStop: "keep" | "remove";
  readonly workers: number;
  /** Records in the zone, in this host's form, that no task of today has: what an earlier life left. */
  readonly leftovers: number;
  /** Other records in the zone: with many, the start does not read it all. */
  readonly others: number;
  readonly plans: readonly Plan[];
  readonly steps: readonly Step[];
  readonly windows: readonly Window[];
}

export const SERVICES = ["web", "api"] as const;
const HOSTS = 3;
/** Nothing happens, and no fault lasts, after this. */
export const LAST_MS = 240_000;
const LONGEST_FAULT_MS = 60_000;

const mostly = <T>(usual: T, ...others: readonly T[]): fc.Arbitrary<T> =>
  fc.oneof(
    { weight: 3 * others.length, arbitrary: fc.constant(usual) },
    ...others.map((other) => ({ weight: 1, arbitrary: fc.constant(other) })),
  );

const plan: fc.Arbitrary<Plan> = fc.record({
  host: fc.nat({ max: HOSTS - 1 }),
  isSidecar: mostly(false, true),
  names: mostly<readonly string[]>(["web"], ["api"], ["web", "api"], []),
  hasBadName: mostly(false, true),
  mode: mostly<Plan["mode"]>("awsvpc", "bridge", "no task"),
  hasCheck: fc.boolean(),
  isWell: mostly(true, false),
  hasIpv6: mostly(false, true),
  hasPort: mostly(false, true),
  weight: mostly<number | undefined>(undefined, 5),
  addressAfterMs: mostly(0, 3_000, 40_000),
  startsAtMs: fc.oneof(fc.constant(0), fc.nat({ max: 60_000 })),
  stopsInMs: mostly<number | undefined>(2_000, 20, 30_000, undefined),
});

/** Faults matter where something happens meanwhile, so most of it happens soon after one of a few moments. */
const ROUND_MS = 30_000;
const moment = (untilMs: number): fc.Arbitrary<number> =>
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc
        .tuple(fc.nat({ max: untilMs / ROUND_MS - 1 }), fc.nat({ max: 4_000 }))
        .map(([round, afterMs]) => round * ROUND_MS + afterMs),
    },
    { weight: 1, arbitrary: fc.nat({ max: untilMs }) },
  );

export const ofContainers = stepKinds.filter((kind) => kind.startsWith("container: "));

const step: fc.Arbitrary<Step> = fc.record({
  atMs: moment(LAST_MS),
  kind: fc.oneof(fc.constantFrom(...ofContainers), fc.constantFrom(...stepKinds)),
  who: fc.nat({ max: 1_000 }),
});

/** What is sent, and done or not: nothing else leaves so much in doubt. */
const lostAnswers = [
  "route 53: 5xx, yet applied",
  "route 53: reset before the change",
  "route 53: reset after the change",
  "route 53: hangs after the change",
  "route 53: answer cut in its body",
  "route 53: half-open after the change",
] as const satisfies readonly WindowKind[];

const kindsOf = (of: string): readonly WindowKind[] =>
  windowKinds.filter((kind) => kind.startsWith(of));

const window: fc.Arbitrary<Window> = fc.record({
  kind: fc.oneof(
    fc.constantFrom(...kindsOf("docker: ")),
    fc.constantFrom(...kindsOf("ecs: ")),
    fc.constantFrom(...kindsOf("route 53: "), ...kindsOf("journal: ")),
    fc.constantFrom(...lostAnswers),
  ),
  host: fc.nat({ max: HOSTS - 1 }),
  fromMs: moment(LAST_MS - LONGEST_FAULT_MS),
  lengthMs: fc.oneof(
    fc.integer({ min: 100, max: 5_000 }),
    fc.integer({ min: 100, max: LONGEST_FAULT_MS }),
  ),
  chance: fc.constantFrom(1, 1, 0.5, 0.2),
});

export const scenario: fc.Arbitrary<Scenario> = fc.record({
  seed: fc.nat(),
  hosts: fc.integer({ min: 1, max: HOSTS }),
  isOneMachine: mostly(false, true),
  routing: mostly<Scenario["routing"]>("weighted", "multivalue"),
  allUnhealthy: mostly<Scenario["allUnhealthy"]>("keep", "remove"),
  health: mostly<Scenario["health"]>("docker", "off"),
  onStop: mostly<Scenario["onStop"]>("keep", "remove"),
  workers: fc.integer({ min: 1, max: 5 }),
  leftovers: mostly(0, 1, 2),
  others: mostly(3, 1_500),
  plans: fc.array(plan, { minLength: 1, maxLength: 8 }),
  steps: fc.array(step, { maxLength: 24, size: "max" }),
  windows: fc.array(window, { maxLength: 8, size: "max" }),
});
