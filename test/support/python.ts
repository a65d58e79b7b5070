import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { installPackages, isRootOnDebian } from "./debian.ts";

const run = promisify(execFile);
const REQUIREMENTS = fileURLToPath(new URL("requirements.txt", import.meta.url));
const CACHE = fileURLToPath(new URL("../../node_modules/.cache/", import.meta.url));

/**
 * The path of a Python interpreter with the packages of requirements.txt, each checked against its hash. They are
 * installed once, which takes about 20 s, into a folder that is named for the content of that file.
 * Throws, with what to do, where there is no Python to start from or no package index in reach.
 */
export async function pinnedPython(): Promise<string> {
  const hash = createHash("sha256")
    .update(await readFile(REQUIREMENTS))
    .digest("hex");
  const home = join(CACHE, `python-${hash.slice(0, 12)}`);
  const python = join("bin", "python");
  if (existsSync(home)) return join(home, python);

  // Renamed when it is whole, so that one that was interrupted, or is made twice at once, is never used half.
  // Its programs have its first name in their first line: start modules (`-m`), not programs.
  const unfinished = `${home}.${process.pid}`;
  await mkdir(CACHE, { recursive: true });
  try {
    await run(await basePython(), ["-m", "venv", unfinished]);
    await run(join(unfinished, python), [
      ...["-m", "pip", "install", "--quiet", "--no-compile", "--disable-pip-version-check"],
      ...["--require-hashes", "--only-binary=:all:", "--requirement", REQUIREMENTS],
    ]);
    await rename(unfinished, home).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
    });
  } catch (error) {
    throw new Error(
      "these tests need the Python packages of test/support/requirements.txt, and they could not be installed; " +
        "to check against an AWS emulator of yours instead, set MOTO_ENDPOINT",
      { cause: error },
    );
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
  return join(home, python);
}

/** As root on Debian the set-up helps itself; anywhere else it says what is missing. */
async function basePython(): Promise<string> {
  if (await hasVenv()) return "python3";
  if (!isRootOnDebian()) {
    throw new Error("expected python3, version 3.10 or newer, with its venv module: install them");
  }
  await installPackages("python3", "python3-venv");
  return "python3";
}

const hasVenv = (): Promise<boolean> =>
  run("python3", ["-c", "import sys, venv, ensurepip; assert sys.version_info >= (3, 10)"]).then(
    () => true,
    () => false,
  );
