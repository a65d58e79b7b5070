import type { Readable } from "node:stream";

/** An event's line holds all labels of its container; Docker takes megabytes of them, we do not. */
const MAX_LINE = 1_048_576;

/**
 * The lines of a text stream, whatever its chunks; blank ones are left out. A line longer than a mebibyte comes as
 * undefined, and none of it is kept. A fragment after the last line break is dropped: a cut stream cut it, too.
 */
export async function* splitLines(stream: Readable): AsyncGenerator<string | undefined> {
  stream.setEncoding("utf8");
  let rest = "";
  let tooLong = false;
  for await (const chunk of stream as AsyncIterable<string>) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (tooLong || line.length > MAX_LINE) yield undefined;
      else if (line.trim() !== "") yield line;
      tooLong = false;
    }
    if (rest.length > MAX_LINE) {
      rest = "";
      tooLong = true;
    }
  }
}
