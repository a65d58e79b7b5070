import type { Random } from "../../lib/flow/clock.ts";
import type { Window, WindowKind } from "./faults.ts";
import { ms } from "./flags.ts";
import { ofContainers, type Step, type StepKind } from "./scenario.ts";

/**
 * What comes last: containers change in quick succession while nothing fails, or one thing for a moment. No resync and no
 * audit is awaited, so what one of these would heal sooner or later is found here.
 */
export interface Prompt {
  readonly windows: readonly Window[];
  readonly steps: readonly Step[];
  /** How long the zone may take to follow. */
  readonly withinMs: number;
}

/** Some requests, and a health check's first probe. */
const USUAL_MS = ms(12);
/** Besides, some starts of the agent: one that is refused comes again until the ECS agent calls the tasks stopped. */
const RESTART_MS = ms(25);
const FAILS_MS = 500;
const LONGEST_GAP_MS = 60;
const MOST_STEPS = 10;

/** What else happens, in turn with the seed; nothing, most often. */
const besides = [
  undefined,
  "docker: events unreadable",
  "agent: killed before a call",
  "route 53: reset after the change",
  undefined,
  "agent: killed after a call",
  "route 53: reset before the change",
  "docker: events reordered",
  "agent: SIGTERM",
  "journal: disk full",
  "ecs: garbage",
] as const satisfies readonly (WindowKind | StepKind | undefined)[];

export function prompt(seed: number, atMs: number, random: Random): Prompt {
  const some = (limit: number): number => Math.floor(random() * limit);
  const other = besides[seed % besides.length];
  const step = (kind: StepKind, inMs: number): Step => ({
    atMs: atMs + inMs,
    kind,
    who: some(1_001),
  });
  let inMs = 0;
  const steps = Array.from({ length: some(MOST_STEPS + 1) }, () => {
    inMs += random() * LONGEST_GAP_MS;
    return step(ofContainers[some(ofContainers.length)] ?? "container: crash", inMs);
  });
  const usual = { windows: [], steps, withinMs: USUAL_MS };
  if (other === undefined) return usual;
  if (!isStep(other)) {
    const window = { kind: other, host: 0, fromMs: atMs, lengthMs: FAILS_MS, chance: 1 };
    return { ...usual, windows: [window] };
  }
  return { ...usual, steps: [step(other, 0), ...steps], withinMs: RESTART_MS };
}

const isStep = (kind: WindowKind | StepKind): kind is StepKind => kind.startsWith("agent: ");
