import { access, constants, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

/** One small file. Every function rejects with the file system's error. */
export interface JournalFile {
  /** Its text; undefined when there is none. */
  read(): Promise<string | undefined>;
  /** Replaces it whole: a reader sees the old text or the new one. */
  write(text: string): Promise<void>;
  remove(): Promise<void>;
}

/** The file `name` in `folder`, which is created when it is missing. */
export function journalFile(folder: string, name: string): JournalFile {
  const path = join(folder, name);
  const next = `${path}.new`;
  return {
    read: () =>
      readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
        if (error.code === "ENOENT") return undefined;
        throw error;
      }),
    async write(text) {
      await makeFolder(folder);
      await writeFile(next, text, { mode: 0o600 });
      await rename(next, path);
    },
    async remove() {
      await rm(next, { force: true });
      await rm(path, { force: true });
    },
  };
}

/**
 * Makes the folder and those above it that are missing. Node's own recursive mkdir never comes back from /proc, where a
 * folder that is there can't hold another.
 */
async function makeFolder(folder: string): Promise<void> {
  try {
    await makeOne(folder);
  } catch (error) {
    const parent = dirname(folder);
    if ((error as NodeJS.ErrnoException).code !== "ENOENT" || parent === folder) throw error;
    await makeFolder(parent);
    await makeOne(folder);
  }
}

/** A folder that is there is as good as made. */
const makeOne = (folder: string): Promise<void> =>
  mkdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EEXIST") throw error;
  });

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
