import type { Clock } from "../../kit/flow/clock.ts";

/** A port in use is tried again. */
const RETRY_MS = 10_000;
/** A port that nobody asks for any more is closed so much later: whoever asked may only be starting anew. */
const LINGER_MS = 30_000;
/** Each is a listener with maps of its own. */
const MOST_PORTS = 128;

export interface ListenPorts {
  /**
   * Of the wanted ports those that can be listened on, in order, and those held ones that linger. A held port is the
   * engine's own already.
   */
  usable(wanted: ReadonlySet<number>, held: ReadonlySet<number>): Promise<readonly number[]>;
  /** Ports that can't be listened on, and why. */
  blocked(): ReadonlyMap<number, string>;
  /** When to look again though nothing changes, in the clock's ms. */
  nextMs(): number;
}

/** Which ports the engine can listen on. */
export function listenPorts({
  listenProblem,
  clock,
  onBlocked,
}: {
  /** Why nobody can listen there; undefined when somebody can. */
  readonly listenProblem: (port: number) => Promise<string | undefined>;
  readonly clock: Clock;
  readonly onBlocked: (port: number, problem: string) => void;
}): ListenPorts {
  const blocked = new Map<number, { readonly problem: string; readonly untilMs: number }>();
  const unusedSinceMs = new Map<number, number>();

  const lingering = (wanted: ReadonlySet<number>, held: ReadonlySet<number>): readonly number[] => {
    const nowMs = clock.now();
    for (const port of unusedSinceMs.keys()) {
      if (wanted.has(port) || !held.has(port)) unusedSinceMs.delete(port);
    }
    return [...held].filter((port) => {
      if (wanted.has(port)) return false;
      const sinceMs = unusedSinceMs.get(port) ?? nowMs;
      unusedSinceMs.set(port, sinceMs);
      return nowMs - sinceMs < LINGER_MS;
    });
  };

  const problemOf = async (
    port: number,
    isHeld: boolean,
    count: number,
  ): Promise<string | undefined> => {
    if (count >= MOST_PORTS) return `a host listens on at most ${MOST_PORTS} ports`;
    return isHeld ? undefined : listenProblem(port);
  };

  return {
    async usable(wanted, held) {
      const nowMs = clock.now();
      const usable = [...lingering(wanted, held)];
      for (const port of blocked.keys()) if (!wanted.has(port)) blocked.delete(port);
      for (const port of wanted) {
        const known = blocked.get(port);
        if (known !== undefined && nowMs < known.untilMs) continue;
        const problem = await problemOf(port, held.has(port), usable.length);
        if (problem === undefined) {
          blocked.delete(port);
          usable.push(port);
        } else {
          blocked.set(port, { problem, untilMs: nowMs + RETRY_MS });
          if (known?.problem !== problem) onBlocked(port, problem);
        }
      }
      return usable.toSorted((a, b) => a - b);
    },
    blocked: () => new Map([...blocked].map(([port, { problem }]) => [port, problem])),
    nextMs: () =>
      Math.min(
        Number.POSITIVE_INFINITY,
        ...[...blocked.values()].map(({ untilMs }) => untilMs),
        ...[...unusedSinceMs.values()].map((sinceMs) => sinceMs + LINGER_MS),
      ),
  };
}
