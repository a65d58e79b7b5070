import { createHash } from "node:crypto";
import { basename } from "node:path";
import { filesIn, readIfThere } from "../../lib/registry/io/files.ts";
import { type LoginLine, parseLogins } from "../../lib/registry/login-lines.ts";

/** A line of one of the files. */
export type FileLine = LoginLine & { readonly file: string };

export interface Lines {
  readonly lines: readonly FileLine[];
  /** A file that could not be read, and why. */
  readonly unread: readonly { readonly file: string; readonly why: string }[];
  /** The same for the same content of the same files. */
  readonly hash: string;
}

/** Even a file that looks as it did is read again so often: a clock may have been set, a server may have a cache. */
const READ_AGAIN_POLLS = 12;

/**
 * Reads the lines of a file, or of all files of a folder, when size, time or number of one has changed, and once a minute
 * anyway: EFS tells nobody what another host wrote, so it is looked for.
 */
export function lineReader(path: string) {
  let stamp: string | undefined;
  let last: Lines | undefined;
  let polls = 0;
  return async (): Promise<Lines> => {
    let files: Awaited<ReturnType<typeof filesIn>>;
    try {
      files = await filesIn(path);
    } catch (error) {
      return failed(path, error);
    }
    const now = files.map((file) => `${file.path} ${file.stamp}`).join("\n");
    polls += 1;
    if (last !== undefined && stamp === now && polls % READ_AGAIN_POLLS !== 0) return last;
    const hash = createHash("sha256");
    const lines: FileLine[] = [];
    const unread: { readonly file: string; readonly why: string }[] = [];
    for (const { path: file } of files) {
      try {
        const text = (await readIfThere(file)) ?? "";
        hash.update(`${file}\n${text.length}\n${text}`);
        const name = basename(file);
        lines.push(...parseLogins(text).map((line) => ({ ...line, file: name })));
      } catch (error) {
        unread.push(...failed(file, error).unread);
      }
    }
    last = { lines, unread, hash: hash.digest("hex") };
    // What could not be read is tried at the next look.
    stamp = unread.length === 0 ? now : undefined;
    return last;
  };
}

function failed(file: string, error: unknown): Lines {
  const code = (error as NodeJS.ErrnoException).code;
  const why =
    code === "ENOENT"
      ? "it is not there (yet)"
      : code === "EACCES"
        ? "this process may not read it"
        : `it can't be read (${code ?? "too long"})`;
  return { lines: [], unread: [{ file, why }], hash: `unread ${file} ${why}` };
}
