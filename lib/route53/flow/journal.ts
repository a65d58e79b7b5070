import type { Clock } from "../../kit/flow/clock.ts";
import { formatJournal, type Journal, type JournalScope, parseJournal } from "../journal.ts";

/** How long to wait before a journal that can't be written is tried again. */
const RETRY_MS = 30_000;

/** The file that holds it; every function rejects when the file system refuses. */
export interface JournalStore {
  read(): Promise<string | undefined>;
  write(text: string): Promise<void>;
  remove(): Promise<void>;
}

export interface JournalKeeper {
  /** What the last process published; undefined when there is no journal that can be believed. */
  load(): Promise<Journal | undefined>;
  /** Remembers what is published. Never throws: a journal that can't be written is only a dearer next start. */
  remember(journal: Journal): Promise<void>;
}

/**
 * Promises:
 * - what can't be written any more is removed, so that a next start never believes an old journal; and until that is
 *   done, it is tried again by itself;
 * - what can't be written is not believed either: it would stay as it is from here on;
 * - whether it can be written is told when it changes, not each time.
 */
export function journalKeeper({
  store,
  scope,
  clock,
  stop,
  onTrouble,
}: {
  readonly store: JournalStore;
  readonly scope: JournalScope;
  readonly clock: Clock;
  /** Ends the tries that nobody waits for. */
  readonly stop: AbortSignal;
  readonly onTrouble: (error: unknown) => void;
}): JournalKeeper {
  let isTold = false;
  let last: string | undefined;
  let latest: Journal | undefined;
  let isTrying = false;
  let turn: Promise<unknown> = Promise.resolve();

  /** One after the other: a try again and a new text must not meet. */
  const write = (journal: Journal): Promise<boolean> => {
    latest = journal;
    const written = turn.then(() => writeNow(journal));
    turn = written;
    return written;
  };
  const writeNow = async (journal: Journal): Promise<boolean> => {
    const text = formatJournal(scope, journal);
    if (text === last) return true;
    try {
      await replace(text);
      last = text;
      isTold = false;
      return true;
    } catch (error) {
      last = undefined;
      if (!isTold) onTrouble(error);
      isTold = true;
      if (!isTrying) void tryAgain();
      return false;
    }
  };
  const tryAgain = async (): Promise<void> => {
    isTrying = true;
    while (last === undefined && latest !== undefined && !stop.aborted) {
      await clock.sleep(RETRY_MS, stop).catch(() => {});
      if (last === undefined && !stop.aborted) await write(latest);
    }
    isTrying = false;
  };
  /** A full disk has the old one's room at least. */
  const replace = async (text: string): Promise<void> => {
    try {
      await store.write(text);
    } catch {
      // When even that fails, the disk is read-only, and the next load can't write either.
      await store.remove().catch(() => {});
      await store.write(text).catch(async (error: unknown) => {
        // A part of it may be left.
        await store.remove().catch(() => {});
        throw error;
      });
    }
  };

  return {
    async load() {
      const text = await store.read().catch(() => undefined);
      const journal = text === undefined ? undefined : parseJournal(text, scope);
      return journal !== undefined && (await write(journal)) ? journal : undefined;
    },
    remember: async (journal) => void (await write(journal)),
  };
}
