import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { MOST_TEXT_BYTES, type TextRead, type TextSource } from "../text-source.ts";

/** A file of this host as text. A folder, a pipe or a file that is too long is a problem, and is not waited for. */
export function fileText(path: string): TextSource {
  let last: string | undefined;
  const read = async (): Promise<TextRead> => {
    // O_NONBLOCK: to open a pipe that nobody writes to would never come back.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const facts = await file.stat();
      if (!facts.isFile() || facts.size > MOST_TEXT_BYTES) {
        const got = facts.isFile() ? `${facts.size} bytes` : "something else";
        return {
          kind: "problem",
          problem: `file://${path}: expected a file of at most ${MOST_TEXT_BYTES} bytes, got ${got}`,
        };
      }
      const text = await file.readFile("utf8");
      if (text === last) return { kind: "unchanged" };
      last = text;
      return { kind: "text", text };
    } finally {
      await file.close();
    }
  };
  return {
    read: () =>
      read().catch((error: NodeJS.ErrnoException): TextRead => {
        const why = error.code === "ENOENT" ? "there is no such file" : error.message;
        return { kind: "problem", problem: `file://${path}: ${why}` };
      }),
    close() {},
  };
}
