import { randomUUID } from "node:crypto";
import { chmod, chown, mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";

const MAX_FILE = 1_048_576;

/** A file's text; undefined where there is no such file. Throws for one that can't be read, or is longer than a mebibyte. */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    const { size } = await stat(path);
    if (size > MAX_FILE)
      throw new Error(`${path}: expected at most ${MAX_FILE} bytes, got ${size}`);
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** The files of a folder that are no dot files, or the one file itself, with what tells that one has changed. */
export async function filesIn(
  path: string,
): Promise<readonly { readonly path: string; readonly stamp: string }[]> {
  const found = await stat(path);
  const paths = found.isDirectory()
    ? (await readdir(path))
        .filter((name) => !name.startsWith(".") && !name.endsWith("~"))
        .toSorted()
        .map((name) => join(path, name))
    : [path];
  const all = await Promise.all(paths.map(async (one) => ({ one, facts: await stat(one) })));
  return all
    .filter(({ facts }) => facts.isFile())
    .map(({ one, facts }) => ({
      path: one,
      stamp: `${facts.ino} ${facts.size} ${facts.mtimeMs}`,
    }));
}

/**
 * Puts a text in a file's place at once: whoever reads it finds the old one whole or the new one whole. An old file's
 * owner and mode stay, but for one that is `secret`, which only its owner may read.
 */
export async function replaceFile(
  path: string,
  text: string,
  { secret }: { readonly secret: boolean },
): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const before = await stat(path).catch(() => undefined);
  const beside = join(dirname(path), `.${randomUUID()}.new`);
  try {
    const file = await open(beside, "wx", 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    if (before !== undefined) {
      // Only root may give a file away; anybody else owns what they write anyway.
      await chown(beside, before.uid, before.gid).catch(() => {});
      if (!secret) await chmod(beside, before.mode & 0o777);
    }
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
}
