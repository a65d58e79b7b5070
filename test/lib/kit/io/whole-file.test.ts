import { existsSync, readdirSync, statSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "@jest/globals";
import { createWhole } from "../../../../lib/kit/io/whole-file.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "whole-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

it("a new file is there whole or not at all, at every moment of its writing", async () => {
  const path = join(folder, "a.params");
  const text = "x".repeat(32 << 20);
  let isDone = false;
  const writing = createWhole(path, text).then(() => {
    isDone = true;
  });
  const sizes = new Set<number>();
  while (!isDone) {
    if (existsSync(path)) sizes.add(statSync(path).size);
    await new Promise(setImmediate);
  }
  await writing;
  expect([...sizes].filter((size) => size !== text.length)).toEqual([]);
  expect((await readFile(path, "utf8")).length).toBe(text.length);
  expect(readdirSync(folder)).toEqual(["a.params"]);
});

it("a file that is there stays, and nothing is left beside it", async () => {
  const path = join(folder, "a.params");
  await writeFile(path, "theirs");
  await expect(createWhole(path, "ours")).rejects.toMatchObject({ code: "EEXIST" });
  expect(await readFile(path, "utf8")).toBe("theirs");
  expect(readdirSync(folder)).toEqual(["a.params"]);
});
