import { randomUUID } from "node:crypto";
import { link, rm, writeFile } from "node:fs/promises";

/**
 * Creates the file with all of its text, so that a process killed meanwhile leaves none rather than half of it. Rejects
 * with EEXIST where there is one; that stays as it is.
 */
export async function createWhole(path: string, text: string): Promise<void> {
  const beside = `${path}.${randomUUID()}.new`;
  try {
    await writeFile(beside, text, { flag: "wx" });
    await link(beside, path);
  } finally {
    await rm(beside, { force: true });
  }
}
