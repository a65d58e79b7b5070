import { Readable } from "node:stream";
import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { splitLines } from "../../../../lib/kit/io/lines.ts";

const MEBIBYTE = 1_048_576;

async function linesOf(chunks: readonly (Buffer | string)[]) {
  const bytes = chunks.map((chunk) => Buffer.from(chunk));
  const lines: (string | undefined)[] = [];
  for await (const line of splitLines(Readable.from(bytes, { objectMode: false })))
    lines.push(line);
  return lines;
}

/** The bytes, cut at these places. */
const cutAt = (bytes: Buffer, places: readonly number[]): readonly Buffer[] => {
  const cuts = [0, ...places.map((place) => place % (bytes.length + 1)), bytes.length];
  const sorted = cuts.toSorted((a, b) => a - b);
  return sorted.slice(1).map((end, index) => bytes.subarray(sorted[index], end));
};

describe("splitLines", () => {
  it("gives the same lines whatever the chunks, also when they cut a character", async () => {
    const line = fc
      .string({ unit: "binary", minLength: 1 })
      .map((text) => `x${text.replaceAll("\n", "")}`);
    await fc.assert(
      fc.asyncProperty(fc.array(line), fc.array(fc.nat()), async (lines, places) => {
        const bytes = Buffer.from(lines.map((one) => `${one}\n`).join(""));
        // Through bytes once: a lone surrogate has no bytes of its own.
        const wanted = lines.map((one) => Buffer.from(one).toString());
        expect(await linesOf(cutAt(bytes, places))).toEqual(wanted);
      }),
    );
  });

  it("leaves out blank lines and drops a fragment at the end", async () => {
    expect(await linesOf(["a\n\n  \nb\nfragm", "ent"])).toEqual(["a", "b"]);
  });

  it("gives a line of a mebibyte, and undefined for a longer one, then goes on", async () => {
    const fits = "a".repeat(MEBIBYTE);
    expect(await linesOf([`${fits}\n`])).toEqual([fits]);
    expect(await linesOf([`before\n${fits}`, fits, "a\nafter\n"])).toEqual([
      "before",
      undefined,
      "after",
    ]);
    expect(await linesOf([`${fits}a\nafter\n`])).toEqual([undefined, "after"]);
  });

  it("rejects when the stream breaks, after the lines before", async () => {
    const broken = Readable.from(
      (async function* () {
        yield Buffer.from("a\nb");
        throw new Error("cut");
      })(),
      { objectMode: false },
    );
    const seen: (string | undefined)[] = [];
    const read = async () => {
      for await (const line of splitLines(broken)) seen.push(line);
    };
    await expect(read()).rejects.toThrow("cut");
    expect(seen).toEqual(["a"]);
  });
});
