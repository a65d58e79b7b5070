import { constants } from "node:fs";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { makeFolder } from "./folder.ts";

/** One small file that outlives a power cut. Every function rejects with the file system's error. */
export interface DurableFile {
  readonly path: string;
  /** Its text; undefined when there is none. */
  read(): Promise<string | undefined>;
  /** Replaces it whole. Once it resolves, the new text is on the disk; before that a reader sees the old one or the new. */
  write(text: string): Promise<void>;
  /** Gives it another name, so that somebody can look into it. */
  setAside(suffix: string): Promise<void>;
}

const LARGEST = 16 << 20;

/** The file `name` in `folder`, which is created when it is missing. No link is followed. */
export function durableFile(folder: string, name: string): DurableFile {
  const path = join(folder, name);
  const next = `${path}.new`;
  return {
    path,
    async read() {
      let file: FileHandle;
      try {
        file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
        throw error;
      }
      try {
        const facts = await file.stat();
        if (!facts.isFile() || facts.size > LARGEST) {
          throw new Error(`${path}: expected a file of at most ${LARGEST} bytes`);
        }
        return await file.readFile("utf8");
      } finally {
        await file.close();
      }
    },
    async write(text) {
      await makeFolder(folder);
      // What is there by that name was cut short, or is somebody's trap: it is never written into.
      await rm(next, { force: true });
      const file = await open(next, "wx", 0o600);
      try {
        await file.writeFile(text);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(next, path);
      await syncFolder(folder);
    },
    setAside: (suffix) => rename(path, `${path}.${suffix}`),
  };
}

/** A rename is on the disk once its folder is (Linux, fsync(2)). */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
