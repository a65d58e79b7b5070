import { execFile } from "node:child_process";
import { chmod, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { Fatal } from "../../kit/failure.ts";
import { CERTIFICATE_FOLDER } from "../certificates.ts";
import { CERTIFICATE_LIST, CONFIG_FILE, type EngineFiles } from "../engine-files.ts";
import { engineEnvironment, PROGRAM } from "./processes.ts";
import { EngineRefused } from "./runtime-socket.ts";

const execute = promisify(execFile);
export const LOG_FILE = "engine.log";

export async function makeFolders(folder: string): Promise<void> {
  // A Unix socket's path holds 107 characters.
  if (folder.length > 90)
    throw new Fatal(`expected a --stateDir of at most 80 characters, got ${folder.length - 6}`);
  try {
    await mkdir(join(folder, CERTIFICATE_FOLDER), { recursive: true, mode: 0o700 });
    await chmod(folder, 0o700);
  } catch (error) {
    throw new Fatal(`can't write in ${dirname(folder)} (--stateDir)`, { cause: error });
  }
}

/** Each file is replaced whole, and only where it changes; those that nothing names any more are removed. */
export async function writeFiles(folder: string, files: EngineFiles): Promise<void> {
  const texts = new Map([
    ...files.certificates.map(({ file, pem }) => [file, pem] as const),
    [CERTIFICATE_LIST, files.list],
    ...files.maps,
    [CONFIG_FILE, files.config],
  ]);
  for (const [name, text] of texts) {
    const path = join(folder, name);
    const before = await readFile(path, "utf8").catch(() => undefined);
    if (before === text) continue;
    await writeFile(`${path}.new`, text, { mode: 0o600 });
    await rename(`${path}.new`, path);
  }
  const isOld = (name: string) => name.endsWith(".map") && !files.maps.has(name);
  for (const name of (await readdir(folder)).filter(isOld)) await rm(join(folder, name));
}

export async function check(folder: string): Promise<void> {
  await execute(PROGRAM, ["-c", "-C", folder, "-f", CONFIG_FILE], {
    env: engineEnvironment(),
  }).catch((error: unknown) => {
    const { stderr = "" } = error as { readonly stderr?: string };
    throw new EngineRefused(`the engine does not take its configuration: ${oneLine(stderr)}`, {
      cause: error,
    });
  });
}

const oneLine = (text: string): string => text.trim().split("\n").slice(-3).join(" ").slice(0, 400);
/** What the engine said last on its own. */
export const lastWords = async (folder: string): Promise<string> =>
  oneLine(await readFile(join(folder, LOG_FILE), "utf8").catch(() => "")) || "it said nothing";
