import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Whether this is a machine on which tests may help themselves to Debian's packages. */
export const isRootOnDebian = (): boolean =>
  process.getuid?.() === 0 && existsSync("/usr/bin/apt-get");

/** Installs packages; somebody else who does so at the same time is waited for. */
export async function installPackages(...names: readonly string[]): Promise<void> {
  const patiently = ["-qq", "-o", "DPkg::Lock::Timeout=300"];
  await run("apt-get", ["update", ...patiently]);
  await run("apt-get", ["install", "-y", "--no-install-recommends", ...patiently, ...names], {
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    maxBuffer: 64 * 1024 * 1024,
  });
}
