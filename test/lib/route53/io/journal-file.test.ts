import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { journalFile } from "../../../../lib/route53/io/journal-file.ts";

const NAME = "journal.json";
const TEXT = '{"published":["web.example.internal 10.0.0.1"]}\n';
let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "eda-test-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const path = () => join(folder, NAME);

describe("the journal's file", () => {
  it("reads what was written last, and nothing where there is none", async () => {
    const file = journalFile(join(folder, "new", "folder"), NAME);
    expect(await file.read()).toBeUndefined();
    await file.write("{}\n");
    await file.write(TEXT);
    expect(await file.read()).toBe(TEXT);
    await file.remove();
    expect(await file.read()).toBeUndefined();
  });

  it("can't be written where no folder can be made, and says so", async () => {
    const file = journalFile("/proc/none/state", NAME);
    await expect(file.write(TEXT)).rejects.toMatchObject({ code: "ENOENT", syscall: "mkdir" });
    expect(await file.read()).toBeUndefined();
  });

  it("takes up no room once it is removed, though a write was cut short", async () => {
    const file = journalFile(folder, NAME);
    await file.write(TEXT);
    await writeFile(`${path()}.new`, TEXT.slice(0, 7));
    await file.remove();
    expect(await readdir(folder)).toEqual([]);
  });
});
