import type { Clock, Random } from "../../lib/kit/flow/clock.ts";
import type { Tally } from "./tally.ts";

/** Faults that last for a while. What each does is beside the part of the world that it befalls. */
export const windowKinds = [
  "docker: unavailable",
  "docker: slow",
  "docker: events lost",
  "docker: events doubled",
  "docker: events reordered",
  "docker: events unreadable",
  "ecs: down",
  "ecs: slow",
  "ecs: garbage",
  "ecs: knows no task",
  "ecs: gives no address",
  "route 53: throttled",
  "route 53: zone busy",
  "route 53: 5xx",
  "route 53: 5xx, yet applied",
  "route 53: reset before the change",
  "route 53: reset after the change",
  "route 53: answer cut in its body",
  "route 53: half-open before the change",
  "route 53: half-open after the change",
  "route 53: a proxy's page",
  "route 53: hangs before the change",
  "route 53: hangs after the change",
  "route 53: unreachable",
  "route 53: denied",
  "route 53: refused in unknown words",
  "route 53: refused with a name in unknown words",
  "route 53: refused in the old wire format",
  "journal: disk full",
  "journal: read-only",
] as const;
export type WindowKind = (typeof windowKinds)[number];

/** A fault of one kind from one moment to another, at one host, or, for Route 53, at all of them. */
export interface Window {
  readonly kind: WindowKind;
  readonly host: number;
  readonly fromMs: number;
  readonly lengthMs: number;
  /** How likely it befalls each call, 0..1. */
  readonly chance: number;
}

export interface Faults {
  /** The first of the kinds that befalls this call at this host. */
  befall<K extends WindowKind>(kinds: readonly K[], host: number): K | undefined;
}

export function faults({
  windows,
  clock,
  random,
  tally,
}: {
  readonly windows: readonly Window[];
  readonly clock: Clock;
  readonly random: Random;
  readonly tally: Tally;
}): Faults {
  return {
    befall(kinds, host) {
      const nowMs = clock.now();
      for (const { kind, host: at, fromMs, lengthMs, chance } of windows) {
        const isHere = at === host || kind.startsWith("route 53");
        if (!isHere || nowMs < fromMs || nowMs >= fromMs + lengthMs) continue;
        const known = kinds.find((one) => one === kind);
        if (known === undefined || random() >= chance) continue;
        tally.count(known);
        return known;
      }
      return undefined;
    },
  };
}
