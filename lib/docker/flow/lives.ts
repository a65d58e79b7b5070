import type { Clock } from "../../kit/flow/clock.ts";
import type { Container, ContainerId } from "../container.ts";
import {
  type ContainerEvent,
  KILL_SIGNAL,
  LIFELESS,
  type Life,
  lifeOf,
  live,
  type Vitals,
} from "../life.ts";

export interface Lives {
  /** An event of the engine, in its order. */
  hear(id: ContainerId, event: ContainerEvent): void;
  /** How many events were told so far, of all containers: to be asked before a look asks the engine. */
  heard(): number;
  /**
   * A look at the container, undefined when it is gone, which began when so many events were told. Returns its life, and
   * when to look again, in ms.
   */
  see(
    id: ContainerId,
    container: Container | undefined,
    heard?: number,
  ): { readonly life: Life; readonly againInMs?: number };
  /** Those that were heard of or seen, and not seen dead since. */
  ids(): readonly ContainerId[];
}

interface Known {
  readonly vitals: Vitals;
  /** Signals heard since the last look: which of them is the stop signal, only the container's configuration says. */
  readonly signals: readonly number[];
  /** Which event its last start was. */
  readonly startedAt?: number;
  readonly stoppingSinceMs?: number;
  /** Docker calls it unhealthy because it was paused, and has not probed it since. */
  readonly isUnprobed?: boolean;
}

/**
 * The lives of the host's containers, from what the engine tells and what a look shows. A look is the truth but for one
 * thing: that a container was sent its stop signal is told by an event alone. Once it has outlived that signal by the
 * grace, it is taken to go on.
 */
export function lives({
  clock,
  stopGraceMs,
  withHealth,
}: {
  readonly clock: Clock;
  readonly stopGraceMs: number;
  /** False leaves health checks out of account. */
  readonly withHealth: boolean;
}): Lives {
  const table = new Map<ContainerId, Known>();
  const nothing: Known = { vitals: LIFELESS, signals: [] };
  let heardSoFar = 0;

  return {
    heard: () => heardSoFar,
    hear(id, event) {
      heardSoFar += 1;
      const known = table.get(id) ?? nothing;
      switch (event.kind) {
        case "signal":
          table.set(id, { ...known, signals: [...known.signals, event.signal].slice(-64) });
          return;
        case "start":
        case "die":
          // What was sent to the process before does not concern the one that runs next.
          table.set(id, {
            vitals: live(known.vitals, event),
            signals: [],
            ...(event.kind === "start" && { startedAt: heardSoFar }),
          });
          return;
        case "other":
          return;
        default:
          table.set(id, {
            ...known,
            vitals: live(known.vitals, event),
            isUnprobed:
              event.kind === "pause" || (known.isUnprobed === true && event.kind !== "health"),
          });
      }
    },
    ids: () => [...table.keys()],
    see(id, container, heard = heardSoFar) {
      if (container?.running !== true) {
        // One that was started since is seen by the next look, with what it was sent.
        if ((table.get(id)?.startedAt ?? 0) <= heard) table.delete(id);
        return { life: "dead" };
      }
      const known = table.get(id) ?? nothing;
      const { running, paused } = container;
      const isUnprobed = paused || known.isUnprobed === true;
      const probed = isUnprobed && container.health === "unhealthy" ? "starting" : container.health;
      const health = withHealth ? probed : "none";
      let vitals = live(known.vitals, { kind: "seen", vitals: { running, paused, health } });
      const isStop = (signal: number) => signal === container.stopSignal || signal === KILL_SIGNAL;
      if (known.signals.some(isStop)) vitals = live(vitals, { kind: "stop-signal" });

      const nowMs = clock.now();
      const sinceMs = known.vitals.stopping ? (known.stoppingSinceMs ?? nowMs) : nowMs;
      const leftMs = sinceMs + stopGraceMs - nowMs;
      if (vitals.stopping && leftMs <= 0) vitals = live(vitals, { kind: "survived" });
      const { stopping } = vitals;
      table.set(id, {
        vitals,
        signals: [],
        ...(stopping && { stoppingSinceMs: sinceMs }),
        ...(isUnprobed && container.health === "unhealthy" && { isUnprobed }),
      });
      return { life: lifeOf(vitals), ...(stopping && { againInMs: leftMs }) };
    },
  };
}
