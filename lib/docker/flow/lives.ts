import type { Clock } from "../../kit/flow/clock.ts";
import type { Container, ContainerId } from "../container.ts";
import {
  type ContainerEvent,
  KILL_SIGNAL,
  LIFELESS,
  type Life,
  lifeOf,
  nextVitals,
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
  /** Those that were heard of or seen, and neither seen nor told dead since. */
  ids(): readonly ContainerId[];
  /** Its start was told, and no end since. */
  hasStarted(id: ContainerId): boolean;
  /** Its start was the last that was told of it, and nobody has looked since. */
  hasJustStarted(id: ContainerId): boolean;
  /**
   * What `act` gives, or undefined as soon as the container's end is told, also where it was told before; then `act` is
   * given up, or never called.
   */
  unlessEnded<T>(id: ContainerId, act: (ended: AbortSignal) => Promise<T>): Promise<T | undefined>;
  /** What was told may be wrong: an end counts from now on only once it is told again, or seen. */
  doubt(): void;
}

/** Ends that are remembered; of one that is forgotten a look finds out by asking. */
const MOST_ENDED = 10_000;

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
 *
 * An end needs no look: Docker tells of a container's end and of its next start in their order, and holds an answer
 * about it back until it is taken down, which takes seconds where many end at once.
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
  const ends = toldEnds();
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
        case "die":
          ends.told(id);
          table.delete(id);
          return;
        case "start":
          ends.isOver(id);
          // What was sent to the process before does not concern this one.
          table.set(id, {
            vitals: nextVitals(known.vitals, event),
            signals: [],
            startedAt: heardSoFar,
          });
          return;
        case "other":
          return;
        default:
          table.set(id, {
            ...known,
            vitals: nextVitals(known.vitals, event),
            isUnprobed:
              event.kind === "pause" || (known.isUnprobed === true && event.kind !== "health"),
          });
      }
    },
    ids: () => [...table.keys()],
    hasStarted: (id) => table.get(id)?.startedAt !== undefined,
    hasJustStarted(id) {
      const known = table.get(id);
      return known?.startedAt !== undefined && known.signals.length === 0;
    },
    ...ends,
    see(id, container, heard = heardSoFar) {
      if (container?.running !== true) {
        // One that was started since is seen by the next look, with what it was sent.
        if ((table.get(id)?.startedAt ?? 0) <= heard) table.delete(id);
        return { life: "dead" };
      }
      const known = table.get(id) ?? nothing;
      const now = seenAt(clock.now(), known, container, { stopGraceMs, withHealth });
      table.set(id, now.known);
      const { vitals } = now.known;
      return { life: lifeOf(vitals), ...(vitals.stopping && { againInMs: now.leftMs }) };
    },
  };
}

/** What is known of a running container after a look at it, and in how many ms its stop signal counts as survived. */
function seenAt(
  nowMs: number,
  known: Known,
  container: Container,
  { stopGraceMs, withHealth }: { readonly stopGraceMs: number; readonly withHealth: boolean },
): { readonly known: Known; readonly leftMs: number } {
  const { running, paused } = container;
  const isUnprobed = paused || known.isUnprobed === true;
  const probed = isUnprobed && container.health === "unhealthy" ? "starting" : container.health;
  const health = withHealth ? probed : "none";
  let vitals = nextVitals(known.vitals, { kind: "seen", vitals: { running, paused, health } });
  const isStop = (signal: number) => signal === container.stopSignal || signal === KILL_SIGNAL;
  if (known.signals.some(isStop)) vitals = nextVitals(vitals, { kind: "stop-signal" });

  const sinceMs = known.vitals.stopping ? (known.stoppingSinceMs ?? nowMs) : nowMs;
  const leftMs = sinceMs + stopGraceMs - nowMs;
  if (vitals.stopping && leftMs <= 0) vitals = nextVitals(vitals, { kind: "survived" });
  return {
    known: {
      vitals,
      signals: [],
      ...(vitals.stopping && { stoppingSinceMs: sinceMs }),
      ...(isUnprobed && container.health === "unhealthy" && { isUnprobed }),
    },
    leftMs,
  };
}

/** The ends that were told, and the looks that one of them makes needless. */
function toldEnds(): Pick<Lives, "unlessEnded" | "doubt"> & {
  told(id: ContainerId): void;
  /** It runs again. */
  isOver(id: ContainerId): void;
} {
  const ended = new Set<ContainerId>();
  const looks = new Map<ContainerId, AbortController>();
  return {
    told(id) {
      ended.add(id);
      const [oldest] = ended;
      if (ended.size > MOST_ENDED && oldest !== undefined) ended.delete(oldest);
      looks.get(id)?.abort();
    },
    isOver: (id) => void ended.delete(id),
    doubt: () => ended.clear(),
    async unlessEnded(id, act) {
      if (ended.has(id)) return undefined;
      const look = new AbortController();
      looks.set(id, look);
      const { promise, resolve } = Promise.withResolvers<undefined>();
      look.signal.addEventListener("abort", () => resolve(undefined), { once: true });
      const acted = act(look.signal);
      // Given up, it may still fail, and nobody is left to be told.
      acted.catch(() => {});
      try {
        return await Promise.race([promise, acted]);
      } finally {
        if (looks.get(id) === look) looks.delete(id);
      }
    },
  };
}
