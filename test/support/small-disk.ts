import { execFile } from "node:child_process";
import { appendFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const SIZE = 64 * 1024;

/** A disk of its own, which can be filled and made read-only. */
export interface SmallDisk extends AsyncDisposable {
  readonly folder: string;
  /** Writes until nothing more goes in. */
  fill(): Promise<void>;
  /** Takes away what filled it. */
  clear(): Promise<void>;
  set(mode: "ro" | "rw"): Promise<void>;
}

/** Of 64 KiB, in memory. To mount it takes root, on Linux. */
export async function smallDisk(): Promise<SmallDisk> {
  if (process.platform !== "linux" || process.getuid?.() !== 0) {
    throw new Error(
      "These tests fill up a disk of their own: expected to run as root on Linux, got " +
        `user ${process.getuid?.()} on ${process.platform}. Leave them out with --testPathIgnorePatterns=outages`,
    );
  }
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "eda-test-disk-"));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  await run("mount", ["-t", "tmpfs", "-o", `size=${SIZE}`, "eda-test", folder]);
  stack.defer(async () => void (await run("umount", [folder])));
  const filling = join(folder, "filling");
  const held = stack.move();
  return {
    folder,
    async fill() {
      for (const bytes of [4096, 512, 1]) {
        await appendUntilFull(filling, Buffer.alloc(bytes));
      }
    },
    clear: () => rm(filling, { force: true }),
    set: async (mode) => void (await run("mount", ["-o", `remount,${mode}`, folder])),
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}

async function appendUntilFull(file: string, bytes: Buffer): Promise<void> {
  for (;;) {
    try {
      await appendFile(file, bytes);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOSPC") return;
      throw error;
    }
  }
}
