import {
  type Begun,
  EMPTY_JOURNAL,
  formatJournal,
  type Journal,
  type JournalScope,
  keyOfBegun,
  keyOfTarget,
  type OwnTarget,
  parseJournal,
} from "../journal.ts";

/** Where the journal lies. Every function rejects with the file system's error. */
export interface JournalStore {
  read(): Promise<string | undefined>;
  /** Resolves once the text is on the disk. */
  write(text: string): Promise<void>;
  setAside(suffix: string): Promise<void>;
}

/**
 * What a crash must not lose. Each change is on the disk when its function resolves: the delete of a listener, or the
 * registration of a target, comes after that. Writes follow one another.
 */
export interface KeptJournal {
  readonly begun: () => readonly Begun[];
  readonly targets: () => readonly OwnTarget[];
  begin(one: Begun): Promise<void>;
  finish(one: Begun): Promise<void>;
  own(targets: readonly OwnTarget[]): Promise<void>;
  disown(targets: readonly OwnTarget[]): Promise<void>;
}

/**
 * The journal as the last process left it. One that can't be believed is set aside, and said; one of another region or
 * instance, too (a disk that moved): its listeners are not this process's to bring back.
 * Rejects with the file system's error, where the file can't be read.
 */
export async function openJournal(
  store: JournalStore,
  scope: JournalScope,
  warn: (problem: string) => void,
): Promise<KeptJournal> {
  let journal = await readJournal(store, scope, warn);
  let last: Promise<unknown> = Promise.resolve();
  const change = (edit: (before: Journal) => Journal): Promise<void> => {
    const written = last.then(async () => {
      const after = edit(journal);
      await store.write(formatJournal(scope, after));
      journal = after;
    });
    // One that fails is the business of whoever asked for it.
    last = written.catch(() => {});
    return written;
  };
  return {
    begun: () => journal.begun,
    targets: () => journal.targets,
    begin: (one) =>
      change(({ begun, targets }) => ({
        begun: [...begun.filter((other) => keyOfBegun(other) !== keyOfBegun(one)), one],
        targets,
      })),
    finish: (one) =>
      change(({ begun, targets }) => ({
        begun: begun.filter((other) => keyOfBegun(other) !== keyOfBegun(one)),
        targets,
      })),
    own: (added) =>
      change(({ begun, targets }) => ({
        begun,
        targets: [
          ...new Map([...targets, ...added].map((one) => [keyOfTarget(one), one])).values(),
        ],
      })),
    disown(gone) {
      const keys = new Set(gone.map(keyOfTarget));
      return change(({ begun, targets }) => ({
        begun,
        targets: targets.filter((one) => !keys.has(keyOfTarget(one))),
      }));
    },
  };
}

async function readJournal(
  store: JournalStore,
  scope: JournalScope,
  warn: (problem: string) => void,
): Promise<Journal> {
  const text = await store.read();
  if (text === undefined) return EMPTY_JOURNAL;
  const read = parseJournal(text, scope);
  if (read.kind === "journal") return read.journal;
  if (read.kind === "damaged") {
    warn(
      "the journal is damaged and set aside as .damaged: compare the listeners of your load balancers with what it holds",
    );
    await store.setAside("damaged");
  } else {
    warn(
      `the journal is of instance ${read.instance} in ${read.region}, and is set aside as .foreign: what was under way there may need you`,
    );
    await store.setAside("foreign");
  }
  return EMPTY_JOURNAL;
}
