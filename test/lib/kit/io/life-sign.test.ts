import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { lifeSign } from "../../../../lib/kit/io/life-sign.ts";

const MODULE = fileURLToPath(new URL("../../../../lib/kit/io/life-sign.ts", import.meta.url));
const NAME = "journal.json.alive";
let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "eda-test-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Another process that shows the sign and then does this; it has shown it once this resolves. */
async function another(then: string): Promise<ChildProcess> {
  const script = `
    const { lifeSign } = await import(${JSON.stringify(MODULE)});
    await lifeSign(${JSON.stringify(folder)}, ${JSON.stringify(NAME)}).show();
    console.log("shown");
    ${then}`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", script], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  await once(child.stdout as NonNullable<typeof child.stdout>, "data");
  return child;
}

describe("a sign of life", () => {
  it("is unknown where nobody ever showed it, and where the folder is missing", async () => {
    expect(await lifeSign(folder, NAME).see()).toBe("unknown");
    expect(await lifeSign(join(folder, "none"), NAME).see()).toBe("unknown");
  });

  it("is seen while its process lives, even one that is stopped, and is proof of its death afterwards", async () => {
    const child = await another("process.stdin.resume();");
    const sign = lifeSign(folder, NAME);
    expect(await sign.see()).toBe("lives");
    child.kill("SIGSTOP");
    expect(await sign.see()).toBe("lives");
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
    expect(await sign.see()).toBe("dead");
  });

  it.each([
    ["by itself", ""],
    ["by process.exit", "process.exit(0);"],
  ])("is proof, too, of one that ended in order: %s", async (_, then) => {
    // It ends though the sign is shown: nothing waits for that.
    const child = await another(then);
    if (child.exitCode === null) await once(child, "exit");
    expect(await lifeSign(folder, NAME).see()).toBe("dead");
  });

  it("is its successor's from the moment when that one shows it", async () => {
    const child = await another("process.stdin.resume();");
    const mine = lifeSign(folder, NAME);
    await mine.show();
    await mine.show();
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
    expect(await mine.see()).toBe("lives");
    await mine.remove();
    expect(await mine.see()).toBe("unknown");
    expect(await readdir(folder)).toEqual([]);
  });

  it("makes the folder, however long its path is, and is in nobody's way who connects and says nothing", async () => {
    const long = join(folder, "a".repeat(120), "b".repeat(120));
    const sign = lifeSign(long, NAME);
    await sign.show();
    expect(await sign.see()).toBe("lives");
    await sign.remove();
    const near = lifeSign(folder, NAME);
    await near.show();
    const idle = Array.from({ length: 300 }, () => connect(join(folder, NAME)));
    await Promise.all(idle.map((one) => once(one, "close")));
    expect(await near.see()).toBe("lives");
    await near.remove();
  });

  it("can't be shown where no folder can be made, and is never taken for proof there", async () => {
    const sign = lifeSign("/proc/none/state", NAME);
    await expect(sign.show()).rejects.toThrow();
    expect(await sign.see()).toBe("unknown");
    await writeFile(join(folder, "file"), "");
    expect(await lifeSign(join(folder, "file"), NAME).see()).toBe("unknown");
  });
});
