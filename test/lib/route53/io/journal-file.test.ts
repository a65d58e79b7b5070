import { execFileSync } from "node:child_process";
import {
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from "node:fs/promises";
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

  it("is ours until somebody else puts another in its place, or into it", async () => {
    const [file, other] = [journalFile(folder, NAME), journalFile(folder, NAME)];
    expect(await file.isOurs()).toBe(false);
    await file.write(TEXT);
    expect(await file.isOurs()).toBe(true);
    expect(await other.isOurs()).toBe(false);
    await other.write(TEXT);
    expect(await file.isOurs()).toBe(false);
    await file.write(TEXT);
    expect(await file.isOurs()).toBe(true);
    await writeFile(path(), `${TEXT}more`);
    expect(await file.isOurs()).toBe(false);
    await file.write(TEXT);
    await file.remove();
    expect(await file.isOurs()).toBe(false);
  });

  it("can't be written where no folder can be made, and says so", async () => {
    const file = journalFile("/proc/none/state", NAME);
    await expect(file.write(TEXT)).rejects.toMatchObject({ code: "ENOENT", syscall: "mkdir" });
    expect(await file.read()).toBeUndefined();
  });

  it("takes up no room once it is removed, though a write was cut short", async () => {
    const file = journalFile(folder, NAME);
    await file.write(TEXT);
    const cut = `${path()}.0123456789abcdef0123456789abcdef.new`;
    await writeFile(cut, TEXT.slice(0, 7));
    // Another agent may be writing its own just now.
    await file.read();
    expect(await readdir(folder)).toHaveLength(2);
    await utimes(cut, 1, 1);
    await file.read();
    await file.remove();
    expect(await readdir(folder)).toEqual([]);
  });

  it("does not take effect when it comes too late", async () => {
    const file = journalFile(folder, NAME);
    await file.write(TEXT);
    await expect(file.write("{}\n", AbortSignal.abort(new Error("too late")))).rejects.toThrow(
      "too late",
    );
    expect(await file.read()).toBe(TEXT);
    expect(await readdir(folder)).toEqual([NAME]);
  });
});

describe("what somebody else put in the journal's place", () => {
  it("a link is neither read nor written through", async () => {
    const other = join(folder, "other");
    await writeFile(other, "theirs");
    await symlink(other, path());
    const file = journalFile(folder, NAME);
    await expect(file.read()).rejects.toMatchObject({ code: "ELOOP" });
    await file.write(TEXT);
    expect(await readFile(other, "utf8")).toBe("theirs");
    expect(await file.read()).toBe(TEXT);
  });

  it("a link in the place of the new file leads nowhere: nobody can guess its name", async () => {
    const other = join(folder, "other");
    await writeFile(other, "theirs");
    await symlink(other, `${path()}.new`);
    await journalFile(folder, NAME).write(TEXT);
    expect(await readFile(other, "utf8")).toBe("theirs");
  });

  it("a pipe that nobody writes to is refused at once, and replaced", async () => {
    execFileSync("mkfifo", [path()]);
    const file = journalFile(folder, NAME);
    await expect(file.read()).rejects.toThrow("expected a regular file");
    await file.write(TEXT);
    expect((await stat(path())).isFile()).toBe(true);
  });

  it("a file of a size that no journal has is not read", async () => {
    await writeFile(path(), "");
    await truncate(path(), 2 ** 31);
    const before = process.memoryUsage().rss;
    await expect(journalFile(folder, NAME).read()).rejects.toThrow("at most 16777216 bytes");
    expect(process.memoryUsage().rss - before).toBeLessThan(50 << 20);
  });

  it("is written for this user alone", async () => {
    await journalFile(folder, NAME).write(TEXT);
    expect((await stat(path())).mode & 0o777).toBe(0o600);
  });
});
