import { randomBytes } from "node:crypto";
import type { BigIntStats } from "node:fs";
import {
  access,
  constants,
  type FileHandle,
  lstat,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
} from "node:fs/promises";
import { dirname, join } from "node:path";
import { makeFolder } from "../../kit/io/folder.ts";
import { type LifeSign, lifeSign } from "../../kit/io/life-sign.ts";

/** One small file. Every function rejects with the file system's error. */
export interface JournalFile {
  /** Its text; undefined when there is none. Rejects for what is no regular file, or larger than any journal. */
  read(): Promise<string | undefined>;
  /** True while it is the very file that was written here last: nobody else has put another in its place, or into it. Never rejects. */
  isOurs(): Promise<boolean>;
  /** Replaces it whole: a reader sees the old text or the new one. Not once the signal has aborted. */
  write(text: string, signal?: AbortSignal): Promise<void>;
  remove(): Promise<void>;
}

/** Some 50,000 records; a zone has 10,000. */
const LARGEST = 16 << 20;
/** What a process left that was killed while it wrote; nobody takes that long. */
const CUT_SHORT_MS = 60_000;

/**
 * The file `name` in `folder`, which is created when it is missing. Who may write into the folder can put anything in the
 * file's place: no link is followed, and nothing is waited for that is no file.
 */
export function journalFile(folder: string, name: string): JournalFile {
  const path = join(folder, name);
  let ours: string | undefined;
  const openNew = async (next: string): Promise<FileHandle> => {
    // wx: never into something that is there.
    try {
      return await open(next, "wx", 0o600);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      await makeFolder(folder);
      return open(next, "wx", 0o600);
    }
  };
  return {
    async isOurs() {
      if (ours === undefined) return false;
      const there = await lstat(path, { bigint: true }).catch(() => undefined);
      return there !== undefined && identityOf(there) === ours;
    },
    async read() {
      await removeCutShort(folder, name);
      let file: FileHandle;
      try {
        file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
        throw error;
      }
      try {
        const facts = await file.stat();
        if (!facts.isFile()) throw new Error(`${path}: expected a regular file`);
        if (facts.size > LARGEST) {
          throw new Error(`${path}: expected at most ${LARGEST} bytes, got ${facts.size}`);
        }
        return await file.readFile("utf8");
      } finally {
        await file.close();
      }
    },
    async write(text, signal) {
      const next = `${path}.${randomBytes(16).toString("hex")}.new`;
      try {
        const file = await openNew(next);
        let identity: string;
        try {
          await file.writeFile(text);
          identity = identityOf(await file.stat({ bigint: true }));
        } finally {
          await file.close();
        }
        signal?.throwIfAborted();
        await rename(next, path);
        ours = identity;
      } catch (error) {
        await rm(next, { force: true });
        throw error;
      }
    },
    async remove() {
      await rm(path, { force: true });
    },
  };
}

/** Tells one written file from any other, and from itself once it is written into. */
const identityOf = ({ dev, ino, size, mtimeNs }: BigIntStats): string =>
  [dev, ino, size, mtimeNs].join(" ");

/** The same file, and beside it the sign of life of the agent that keeps it. */
export const journalStore = (
  folder: string,
  name: string,
): JournalFile & { readonly sign: LifeSign } => ({
  ...journalFile(folder, name),
  sign: lifeSign(folder, `${name}.alive`),
});

/** The names of all files in the folder; none where it can't be read. */
export const namesIn = (folder: string): Promise<readonly string[]> =>
  readdir(folder).catch(() => []);

/** Removes new files that nobody finished. Never throws: they only take up room. */
async function removeCutShort(folder: string, name: string): Promise<void> {
  for (const one of await namesIn(folder)) {
    if (!one.startsWith(`${name}.`) || !/^\.(?:[0-9a-f]{32}\.)?new$/.test(one.slice(name.length))) {
      continue;
    }
    const path = join(folder, one);
    const ageMs = await stat(path).then(
      ({ mtimeMs }) => Date.now() - mtimeMs,
      () => 0,
    );
    if (ageMs > CUT_SHORT_MS) await rm(path, { force: true }).catch(() => {});
  }
}

/**
 * Whether files can be written in the folder, or, while it is missing, whether it can be made: nothing is written to find
 * out. The error says why not.
 */
export async function writeProblem(folder: string): Promise<NodeJS.ErrnoException | undefined> {
  try {
    await access(folder, constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    const problem = error as NodeJS.ErrnoException;
    const parent = dirname(folder);
    return problem.code === "ENOENT" && parent !== folder ? writeProblem(parent) : problem;
  }
}

/** What changes with each boot of this host; undefined where the system does not say. */
export const readBootId = (): Promise<string | undefined> =>
  readFile("/proc/sys/kernel/random/boot_id", "utf8").then(
    (text) => text.trim() || undefined,
    () => undefined,
  );
