import type { Clock, Random } from "../../kit/flow/clock.ts";
import {
  formatJournal,
  type Journal,
  type JournalKeeperId,
  type JournalScope,
  parseJournal,
} from "../journal.ts";

/** How long to wait before a journal that can't be written is tried again. */
const RETRY_MS = 30_000;
/** How long a change may wait for the file system. */
const STEP_MS = 2_000;

/** The file that holds it; every function rejects when the file system refuses. */
export interface JournalStore {
  read(): Promise<string | undefined>;
  /** True while it is the file that was written here last. Never rejects. */
  isOurs(): Promise<boolean>;
  /** Once the signal has aborted, the text takes no effect any more, as far as that is still in anybody's hand. */
  write(text: string, signal?: AbortSignal): Promise<void>;
  remove(): Promise<void>;
  /** Of the agent that keeps it, whichever that is. */
  readonly sign: JournalSign;
}

/** Proof of the life and the death of those who keep a journal. */
export interface JournalSign {
  /** Shows it for as long as this process lives, in the place of one who kept the journal before. */
  show(): Promise<void>;
  /** "dead" only with proof; "unknown" where nobody can tell. Never rejects. */
  see(): Promise<"lives" | "dead" | "unknown">;
  remove(): Promise<void>;
}

export interface JournalKeeper {
  /** What the last process published; undefined when there is no journal that can be believed. Takes it over. */
  load(): Promise<Journal | undefined>;
  /** The same, and who keeps it, without taking it over. */
  peek(): Promise<(Journal & { readonly by: JournalKeeperId }) | undefined>;
  /** Remembers what is published. Never throws: a journal that can't be written is only a dearer next start. */
  remember(journal: Journal): Promise<void>;
  /** Another agent of this host has taken it over: what this one remembers is not remembered any more. */
  isReplaced(): boolean;
}

/**
 * Promises:
 * - it belongs to the agent that loaded it last: an older one finds the newer one's mark in it, and leaves it;
 * - while it bears an agent's mark, that one's sign of life is shown, or nobody takes the agent for dead;
 * - what can't be written any more is removed, so that a next start never believes an old journal; and until that is
 *   done, it is tried again by itself;
 * - what can't be written is not believed either: it would stay as it is from here on;
 * - nobody waits longer than 2 s for a file system, and one that hangs is asked nothing more until it answers;
 * - whether it can be written is told when it changes, not each time.
 */
export function journalKeeper({
  store,
  scope,
  clock,
  random,
  stop,
  onTrouble,
}: {
  readonly store: JournalStore;
  readonly scope: JournalScope;
  readonly clock: Clock;
  readonly random: Random;
  /** Ends the tries that nobody waits for. */
  readonly stop: AbortSignal;
  readonly onTrouble: (error: unknown) => void;
}): JournalKeeper {
  const file = markedFile({ store, scope, random });
  const inTime = oneAtATime(clock);
  let isTold = false;
  let latest: Journal | undefined;
  let isTrying = false;
  let turn: Promise<unknown> = Promise.resolve();

  /**
   * One after the other: a try again and a new text must not meet. Undefined when the file system refuses or hangs,
   * which is told.
   */
  const attempt = <T>(act: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> => {
    const done = turn.then(async () => {
      try {
        const result = await inTime(act);
        if (file.isWritten()) isTold = false;
        return result;
      } catch (error) {
        file.doubt();
        if (!isTold) onTrouble(error);
        isTold = true;
        if (!isTrying) void tryAgain();
        return undefined;
      }
    });
    turn = done;
    return done;
  };

  const remember = async (journal: Journal): Promise<void> => {
    latest = journal;
    if (file.isReplaced()) return;
    await attempt(async (signal) => {
      await file.look();
      await file.write(journal, signal);
    });
  };

  const tryAgain = async (): Promise<void> => {
    isTrying = true;
    while (!file.isWritten() && latest !== undefined && !stop.aborted && !file.isReplaced()) {
      await clock.sleep(RETRY_MS, stop).catch(() => {});
      if (!file.isWritten() && !stop.aborted) await remember(latest);
    }
    isTrying = false;
  };

  return {
    peek: () => attempt(async () => parseJournal((await store.read()) ?? "", scope)),
    load: () =>
      attempt(async (signal) => {
        const found = await file.look();
        if (found === undefined) return undefined;
        latest = found;
        await file.write(found, signal);
        return found;
      }),
    remember,
    isReplaced: file.isReplaced,
  };
}

/** The file under one agent's mark; its functions reject when the file system refuses. */
function markedFile({
  store,
  scope,
  random,
}: {
  readonly store: JournalStore;
  readonly scope: JournalScope;
  readonly random: Random;
}) {
  const writer = Array.from({ length: 16 }, () => Math.floor(random() * 16).toString(16)).join("");
  /** Unknown before the file was read: then it is one more than the file's. */
  let generation: number | undefined;
  let isReplaced = false;
  /** This agent's own last text, while the file is sure to hold it. */
  let last: string | undefined;

  const isNewer = (by: JournalKeeperId): boolean =>
    generation !== undefined &&
    (by.generation > generation || (by.generation === generation && by.writer !== writer));

  /** A full disk has the old one's room at least. */
  const replace = async (text: string, signal: AbortSignal): Promise<void> => {
    try {
      await store.write(text, signal);
    } catch {
      signal.throwIfAborted();
      // When even that fails, the disk is read-only, and the next load can't write either.
      await store.remove().catch(() => {});
      await store.write(text, signal).catch(async (error: unknown) => {
        // A part of it may be left.
        await store.remove().catch(() => {});
        throw error;
      });
    }
  };

  return {
    /** What the file holds, unless it is this agent's own last text. Takes the journal over if nobody newer has it. */
    async look(): Promise<Journal | undefined> {
      // Nobody has to read what this agent has written itself.
      if (last !== undefined && (await store.isOurs())) return undefined;
      const text = await store.read().catch(() => undefined);
      if (text === undefined || text !== last) last = undefined;
      const found = text === undefined || text === last ? undefined : parseJournal(text, scope);
      if (found !== undefined && isNewer(found.by)) isReplaced = true;
      generation ??= (found?.by.generation ?? 0) + 1;
      return found && { published: found.published, hosts: found.hosts };
    },
    /** Leaves it alone when it is somebody else's by now. */
    async write(journal: Journal, signal: AbortSignal): Promise<void> {
      const text = formatJournal(scope, journal, { generation: generation ?? 1, writer });
      if (isReplaced || text === last) return;
      // Where it can't be shown, an earlier one's must not stand for it.
      await store.sign.show().catch(() => store.sign.remove().catch(() => {}));
      signal.throwIfAborted();
      await replace(text, signal);
      last = text;
    },
    /** Nobody knows what it holds now. */
    doubt(): void {
      last = undefined;
    },
    isWritten: () => last !== undefined,
    isReplaced: () => isReplaced,
  };
}

/**
 * What a step comes to, or an error once it takes longer than `STEP_MS`; its signal has aborted by then. Until a late
 * step has ended, every other one fails at once: each would keep one of the process's few threads for files waiting.
 */
function oneAtATime(clock: Clock) {
  let isLate = false;
  const late = () => new Error(`the file system did not answer within ${STEP_MS / 1000} s`);
  return async <T>(step: (signal: AbortSignal) => Promise<T>): Promise<T> => {
    if (isLate) throw late();
    const limit = new AbortController();
    const done = new AbortController();
    const over = clock.sleep(STEP_MS, done.signal).then(
      () => {
        isLate = true;
        const error = late();
        limit.abort(error);
        throw error;
      },
      () => new Promise<never>(() => {}),
    );
    const taken = step(limit.signal);
    const settled = () => {
      isLate = false;
      done.abort();
    };
    taken.then(settled, settled);
    return Promise.race([taken, over]);
  };
}
