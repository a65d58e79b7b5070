import type { Random } from "../../lib/kit/flow/clock.ts";
import type { Window, WindowKind } from "./faults.ts";
import { ms } from "./flags.ts";
import { ofContainers, type Step, type StepKind } from "./scenario.ts";

/**
 * What comes last: containers change in quick succession while nothing fails, or something for a moment. No resync and no
 * audit is waited for, so what one of these would heal sooner or later is found here.
 */
export interface Prompt {
  readonly windows: readonly Window[];
  readonly steps: readonly Step[];
  /** How long the zone may take to follow. */
  readonly withinMs: number;
  /** When each of some containers ends or starts, in turn: in ms from its beginning. */
  readonly flickersInMs: () => readonly number[];
  /** Route 53 refuses some records all the while: what it must be asked to take is only the others. */
  readonly isRefusing: boolean;
}

/** Some requests, and a health check's first probe. */
const USUAL_MS = ms(12);
/** Besides, some starts of the agent: one that is refused comes again until the ECS agent calls the tasks stopped. */
const RESTART_MS = ms(25);
const MOMENT_MS = 500;
const LONGEST_GAP_MS = 60;
const GAPS_MS = [12, LONGEST_GAP_MS] as const;
const MOST_STEPS = 10;
/** Docker has started an agent again that was killed, and it is about to subscribe and to list. */
const BACK_MS = 150;

/** What else happens, in turn with the seed. */
const besides: readonly {
  readonly faults?: readonly WindowKind[];
  readonly step?: StepKind;
}[] = [
  {},
  { faults: ["docker: events unreadable"] },
  { step: "agent: killed" },
  { faults: ["route 53: reset after the change"] },
  { faults: ["docker: events unreadable", "ecs: slow"] },
  { faults: ["route 53: refused in unknown words"] },
  { step: "agent: killed before a call" },
  { faults: ["route 53: reset before the change"] },
  { faults: ["docker: events reordered"] },
  { step: "agent: killed", faults: ["docker: slow"] },
  { faults: ["route 53: refused with a name in unknown words"] },
  { step: "agent: SIGTERM" },
  { faults: ["ecs: garbage", "journal: disk full"] },
];

export function prompt(seed: number, atMs: number, random: Random): Prompt {
  const some = (limit: number): number => Math.floor(random() * limit);
  const { faults = [], step: other } = besides[seed % besides.length] ?? {};
  const step = (kind: StepKind, inMs: number): Step => ({
    atMs: atMs + inMs,
    kind,
    who: some(1_001),
  });
  const gapMs = GAPS_MS[some(GAPS_MS.length)] ?? 0;
  // An agent that was killed is back, and finds out what runs, just when the containers change.
  let inMs = other === undefined ? 0 : some(300);
  const steps = Array.from({ length: some(MOST_STEPS + 1) }, () => {
    inMs += random() * gapMs;
    return step(ofContainers[some(ofContainers.length)] ?? "container: crash", inMs);
  });
  const isRefusing = faults.some((kind) => kind.startsWith("route 53: refused"));
  const withinMs = other === undefined ? USUAL_MS : RESTART_MS;
  const lengthMs = isRefusing ? withinMs : MOMENT_MS;
  return {
    windows: faults.map((kind) => ({ kind, host: 0, fromMs: atMs, lengthMs, chance: 1 })),
    steps: [...(other === undefined ? [] : [step(other, 0)]), ...steps],
    withinMs,
    flickersInMs() {
      if (other !== undefined) return [random() * 100, BACK_MS + random() * 60];
      const gaps = Array.from({ length: 1 + some(4) }, () => random() * LONGEST_GAP_MS);
      return gaps.map((_, n) => gaps.slice(0, n + 1).reduce((sum, gap) => sum + gap));
    },
    isRefusing,
  };
}
