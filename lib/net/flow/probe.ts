import { connect } from "node:net";
import type { Clock, Random } from "../../kit/flow/clock.ts";
import { type Backend, backendKey, endpointOf } from "../backend.ts";

/** Asks whether a connection is accepted there; resolves with the problem when it is not. */
export type Ask = (backend: Backend, limitMs: number) => Promise<string | undefined>;

export interface Probe {
  /** Who failed the last check, by `backendKey`, each with the problem. */
  down(): ReadonlyMap<string, string>;
  /** Checks until the stop. */
  run(stop: AbortSignal): Promise<void>;
}

const PAUSE_MS = 500;
const LIMIT_MS = 250;
/** So many checks a second from one process at most, however many tasks there are. */
const MOST_A_SECOND = 200;

/**
 * Connects to each backend twice a second, and less often where they are many. The first failure counts: a client that is
 * sent to a task that is silent waits for a second, and one that is wrongly passed over costs nobody anything. A task is
 * back with the first success.
 */
export function probe({
  targets,
  ask = accepts,
  clock,
  random,
  onChange,
}: {
  readonly targets: () => readonly Backend[];
  readonly ask?: Ask;
  readonly clock: Clock;
  readonly random: Random;
  /** The set of those that are down is another one now. */
  readonly onChange: () => void;
}): Probe {
  let down: ReadonlyMap<string, string> = new Map();

  const round = async (backends: readonly Backend[], pauseMs: number, stop: AbortSignal) => {
    const found = new Map<string, string>();
    const seen = new Map<string, Promise<string | undefined>>();
    const step = pauseMs / Math.max(1, backends.length);
    await Promise.all(
      backends.map(async (backend, at) => {
        const endpoint = endpointOf(backend);
        const asked =
          seen.get(endpoint) ??
          // Spread over the pause: a thousand tasks are not asked in one moment.
          clock.sleep(at * step, stop).then(() => ask(backend, LIMIT_MS));
        seen.set(endpoint, asked);
        const problem = await asked;
        if (problem !== undefined) found.set(backendKey(backend), problem);
        if ((problem !== undefined) !== down.has(backendKey(backend))) {
          // Told at once: the round may last as long as the pause.
          const next = new Map(down);
          if (problem === undefined) next.delete(backendKey(backend));
          else next.set(backendKey(backend), problem);
          down = next;
          onChange();
        }
      }),
    );
    down = found;
  };

  return {
    down: () => down,
    async run(stop) {
      while (!stop.aborted) {
        const backends = targets();
        const pauseMs = Math.max(PAUSE_MS, (backends.length / MOST_A_SECOND) * 1_000);
        const startMs = clock.now();
        try {
          await round(backends, pauseMs / 2, stop);
          const leftMs = pauseMs * (0.9 + 0.2 * random()) - (clock.now() - startMs);
          await clock.sleep(Math.max(10, leftMs), stop);
        } catch (error) {
          if (!stop.aborted) throw error;
        }
      }
    },
  };
}

/** A TCP connection, closed as soon as it is there. */
export const accepts: Ask = (backend, limitMs) => {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const socket = connect({ host: backend.address, port: backend.port });
  const end = (problem: string | undefined) => {
    resolve(problem);
    socket.destroy();
  };
  socket.setTimeout(limitMs, () => end(`no answer within ${limitMs} ms`));
  socket.once("connect", () => end(undefined));
  socket.once("error", (error: NodeJS.ErrnoException) => end(error.code ?? "an error"));
  return promise;
};
