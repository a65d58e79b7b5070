import type { Clock } from "../../kit/flow/clock.ts";
import type { ContainerId } from "../container.ts";

/** How long the engine may take to answer a check. */
const ANSWER_LIMIT_MS = 1_200;
/** What a check found holds for this long: however many ask, the engine is not asked more often. */
const FRESH_MS = 300;
/** So long after it was listed, a container must have been heard of. */
const HEARD_WITHIN_MS = 400;

export interface EngineCheckOptions {
  /** Rejects when the engine does not answer within the limit. */
  readonly answers: (limitMs: number) => Promise<unknown>;
  /** The running containers. Rejects as `answers` does. */
  readonly running: (limitMs: number) => Promise<readonly ContainerId[]>;
  /** True when something was ever heard of the container, by an event or a list. */
  readonly knows: (id: ContainerId) => boolean;
  /** Those that are taken to run, but for what was heard and is not looked into yet. */
  readonly takenToRun: () => readonly ContainerId[];
  readonly clock: Clock;
  /** An engine at work may be slow with its list; for longer than this it is not. */
  readonly listLimitMs: number;
}

/** What a list of the engine's is compared with. */
export type Told = Pick<EngineCheckOptions, "knows" | "takenToRun" | "clock"> & {
  /** The running containers. */
  readonly running: () => Promise<readonly ContainerId[]>;
};

/**
 * How many containers the engine's list and its stream disagree about: listed and never heard of, or taken to run and not
 * listed, and still so a moment later. 0 when the stream tells what happens. Rejects as `running` does.
 */
export async function strangers({ running, knows, takenToRun, clock }: Told): Promise<number> {
  const once = async (): Promise<ReadonlySet<ContainerId>> => {
    const before = takenToRun();
    const listed = new Set(await running());
    const now = new Set(takenToRun());
    const unheard = [...listed].filter((id) => !knows(id));
    const ended = before.filter((id) => now.has(id) && !listed.has(id));
    return new Set([...unheard, ...ended]);
  };
  const first = await once();
  if (first.size === 0) return 0;
  await clock.sleep(HEARD_WITHIN_MS);
  const second = await once();
  return [...first].filter((id) => second.has(id)).length;
}

/**
 * Whether the engine answers, and whether its stream of events tells what happens: an open stream alone proves neither,
 * because it holds no heartbeat. Asks the engine only when somebody wants to know. A container that is listed and was
 * never heard of, or that is taken to run and is not listed, is looked for once more a moment later; if the list and the
 * stream still disagree, the stream has stalled.
 * Comes back with what is wrong as a sentence; undefined when nothing is. Never rejects.
 */
export function engineCheck(options: EngineCheckOptions): () => Promise<string | undefined> {
  const { answers, running, knows, takenToRun, clock, listLimitMs } = options;
  let last: { readonly answer: Promise<string | undefined>; endedMs?: number } | undefined;
  let unlistedSinceMs: number | undefined;

  const listed = async (): Promise<readonly ContainerId[]> => {
    const ids = await running(ANSWER_LIMIT_MS);
    unlistedSinceMs = undefined;
    return ids;
  };
  const streamProblem = async (): Promise<string | undefined> => {
    try {
      const count = await strangers({ running: listed, knows, takenToRun, clock });
      if (count === 0) return undefined;
      const what = count === 1 ? "container that has" : "containers that have";
      return `Docker's event stream has stalled: it told nothing of ${count} ${what} started or ended`;
    } catch {
      unlistedSinceMs ??= clock.now();
      const forMs = clock.now() - unlistedSinceMs;
      return forMs < listLimitMs
        ? undefined
        : `Docker has not listed its containers for ${Math.round(forMs / 1000)} s`;
    }
  };
  const check = async (): Promise<string | undefined> => {
    const stream = streamProblem();
    const silent = await answers(ANSWER_LIMIT_MS).then(
      () => false,
      () => true,
    );
    return silent ? `Docker does not answer within ${ANSWER_LIMIT_MS / 1000} s` : stream;
  };
  return () => {
    const isFresh =
      last !== undefined && (last.endedMs === undefined || clock.now() - last.endedMs < FRESH_MS);
    if (last !== undefined && isFresh) return last.answer;
    const started: NonNullable<typeof last> = { answer: check() };
    started.answer.then(
      () => {
        started.endedMs = clock.now();
      },
      () => {},
    );
    last = started;
    return started.answer;
  };
}
