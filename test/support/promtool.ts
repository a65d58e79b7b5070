import { execFile } from "node:child_process";
import { access, mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const CACHE = fileURLToPath(new URL("../../node_modules/.cache/promtool/", import.meta.url));
const UNPACKED = join(CACHE, "usr/bin/promtool");

/** Prometheus' own checker: PROMTOOL, the one on the PATH, or, on Debian, the one of its package, unpacked but not installed. */
export async function promtool(...args: readonly string[]): Promise<string> {
  const { stdout } = await run(await found(), [...args]);
  return stdout;
}

async function found(): Promise<string> {
  const given = process.env["PROMTOOL"];
  if (given !== undefined) return given;
  const works = (path: string) =>
    run(path, ["--version"]).then(
      () => true,
      () => false,
    );
  if (await works("promtool")) return "promtool";
  if (await works(UNPACKED)) return UNPACKED;
  await mkdir(CACHE, { recursive: true });
  try {
    await run("apt-get", ["download", "prometheus"], { cwd: CACHE });
    const [archive] = (await readdir(CACHE)).filter((name) => name.endsWith(".deb"));
    if (archive === undefined) throw new Error("no package came");
    await run("dpkg", ["-x", archive, "."], { cwd: CACHE });
    await access(UNPACKED);
  } catch (cause) {
    throw new Error("expected promtool, found none: install Prometheus, or set PROMTOOL", {
      cause,
    });
  }
  return UNPACKED;
}
