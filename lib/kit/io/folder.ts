import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";

/**
 * Makes the folder and those above it that are missing. Node's own recursive mkdir never comes back from /proc, where a
 * folder that is there can't hold another.
 */
export async function makeFolder(folder: string): Promise<void> {
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
