import { execFile, spawn } from "node:child_process";
import { chmod, mkdir, open, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { Fatal } from "../../kit/failure.ts";
import { CERTIFICATE_FOLDER } from "../certificates.ts";
import { ADMIN_SOCKET, CERTIFICATE_LIST, CONFIG_FILE, MASTER_SOCKET } from "../engine-files.ts";
import type { EngineText } from "../engine-text.ts";
import type { EngineFiles } from "../flow/engine-keeper.ts";
import { ask, attempt, EngineRefused, run } from "./runtime-socket.ts";

const execute = promisify(execFile);

const PROGRAM = "haproxy";
const LOG_FILE = "engine.log";
/** How long the engine may take to read its files and take over. */
const LOAD_LIMIT_MS = 15_000;
const LOOK_MS = 10;
const OLDEST = [2, 6] as const;

/** The engine as a process of this host, which lives on when this one is killed. */
export interface Haproxy {
  readonly version: string;
  load(files: EngineFiles): Promise<void>;
  write(files: EngineFiles): Promise<void>;
  run(commands: readonly EngineText[]): Promise<void>;
  try(commands: readonly EngineText[]): Promise<readonly boolean[]>;
  isRunning(): boolean;
  heldPorts(): Promise<readonly number[]>;
  /** Lets what is under way end, for as long as it may take; then ends the engine. */
  end(withinMs: number): Promise<void>;
  /** What it uses, where that can be known. */
  pids(): readonly number[];
}

/** The version of the engine that is installed. Throws `Fatal`, with what to do, where there is none or one too old. */
export async function engineVersion(): Promise<string> {
  const { stdout } = await execute(PROGRAM, ["-v"]).catch((error: unknown) => {
    throw new Fatal(
      "HAProxy is not installed: apt-get install haproxy (2.6 or newer), or use the agent's image with the engine",
      { cause: error },
    );
  });
  const [, version = "", major, minor] = /version (([0-9]+)\.([0-9]+)\S*)/.exec(stdout) ?? [];
  const [a, b] = [Number(major), Number(minor)];
  if (a > OLDEST[0] || (a === OLDEST[0] && b >= OLDEST[1])) return version;
  throw new Fatal(
    `expected HAProxy ${OLDEST.join(".")} or newer, got ${version || "one that does not say its version"}`,
  );
}

/**
 * The engine that works in `folder`. One that runs there already, left by a process that was killed, is taken over; one
 * that does not answer any more is ended first, because two must never share a port. `onEnd` is told when it ends by
 * itself.
 */
export async function haproxy({
  folder,
  onEnd,
}: {
  readonly folder: string;
  readonly onEnd: () => void;
}): Promise<Haproxy> {
  const version = await engineVersion();
  const admin = join(folder, ADMIN_SOCKET);
  const master = join(folder, MASTER_SOCKET);
  await makeFolders(folder);
  let pids: readonly number[] = [];
  let watch: NodeJS.Timeout | undefined;
  let isEnding = false;

  const processes = async () => processesIn(await ask(master, "show proc"));
  const ended = (): void => {
    clearInterval(watch);
    watch = undefined;
    const orphans = pids;
    pids = [];
    // A worker whose master was killed would serve on, and share its ports with the next one.
    void endAll(orphans, folder).then(() => {
      if (!isEnding) onEnd();
    });
  };
  /** Looks after one that is nobody's child any more. */
  const watchOver = (pid: number): void => {
    watch = setInterval(() => {
      if (!isAlive(pid)) ended();
    }, 200);
    watch.unref();
  };
  const adopt = async (): Promise<void> => {
    const found = await processes().catch(() => undefined);
    const running = await enginesOf(folder);
    const known = found === undefined ? [] : [found.master, ...found.workers];
    const worker = await workerPid(admin).catch(() => undefined);
    if (found !== undefined && running.includes(found.master) && worker !== undefined) {
      pids = [found.master, ...found.workers];
      watchOver(found.master);
      await endAll(
        running.filter((pid) => !known.includes(pid) && !found.old.includes(pid)),
        folder,
      );
      return;
    }
    await endAll(running, folder);
  };

  const start = async (): Promise<void> => {
    await endAll(await enginesOf(folder), folder);
    await rm(master, { force: true });
    const log = await open(join(folder, LOG_FILE), "w", 0o600);
    const args = [
      "-W",
      "-q",
      "-C",
      folder,
      "-f",
      CONFIG_FILE,
      "-S",
      `unix@${MASTER_SOCKET},mode,600`,
    ];
    const engine = spawn(PROGRAM, args, {
      detached: true,
      stdio: ["ignore", log.fd, log.fd],
      env: { PATH: process.env["PATH"] ?? "" },
    });
    const exited = new Promise<void>((resolve) => {
      engine.once("exit", () => resolve());
      engine.once("error", () => resolve());
    });
    engine.unref();
    await log.close();
    let isUp = false;
    void exited.then(() => {
      if (isUp) ended();
    });
    try {
      pids = await within(LOAD_LIMIT_MS, exited, async () => {
        const { master: pid, workers } = await processes();
        return workers.includes(await workerPid(admin)) ? [pid, ...workers] : undefined;
      });
      isUp = true;
      if (engine.exitCode !== null || engine.signalCode !== null)
        throw new Error("it ended at once");
    } catch (error) {
      engine.kill("SIGKILL");
      await endAll(await enginesOf(folder), folder);
      pids = [];
      throw new EngineRefused(`the engine did not start: ${await lastWords(folder)}`, {
        cause: error,
      });
    }
  };

  const reload = async (): Promise<void> => {
    const before = await processes();
    await ask(master, "reload");
    const never = new Promise<void>(() => {});
    pids = await within(LOAD_LIMIT_MS, never, async () => {
      const now = await processes();
      if (now.failed > before.failed)
        throw new EngineRefused(`the engine did not take its files: ${await lastWords(folder)}`);
      const fresh = now.workers.filter((pid) => !before.workers.includes(pid));
      return fresh.includes(await workerPid(admin))
        ? [now.master, ...now.workers, ...now.old]
        : undefined;
    });
  };

  const write = (files: EngineFiles) => writeFiles(folder, files);
  await adopt();

  return {
    version,
    write,
    async load(files) {
      await write(files);
      await check(folder);
      if (pids.length > 0) await reload();
      else await start();
    },
    run: (commands) => run(admin, commands),
    try: (commands) => attempt(admin, commands),
    isRunning: () => pids.length > 0,
    heldPorts: async () =>
      pids.length === 0 ? [] : portsIn(await ask(admin, "show stat -1 1 -1")),
    pids: () => pids,
    async end(withinMs) {
      isEnding = true;
      const [pid] = pids;
      if (pid === undefined) return;
      signal(pid, "SIGUSR1");
      await untilDead([pid], withinMs);
      await endAll(await enginesOf(folder), folder);
    },
  };
}

async function makeFolders(folder: string): Promise<void> {
  try {
    await mkdir(join(folder, CERTIFICATE_FOLDER), { recursive: true, mode: 0o700 });
    await chmod(folder, 0o700);
  } catch (error) {
    throw new Fatal(`can't write in ${dirname(folder)} (--stateDir)`, { cause: error });
  }
}

/** Each file is replaced whole, and only where it changes; those that nothing names any more are removed. */
async function writeFiles(folder: string, files: EngineFiles): Promise<void> {
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

async function check(folder: string): Promise<void> {
  await execute(PROGRAM, ["-c", "-C", folder, "-f", CONFIG_FILE]).catch((error: unknown) => {
    const { stderr = "" } = error as { readonly stderr?: string };
    throw new EngineRefused(`the engine does not take its configuration: ${oneLine(stderr)}`, {
      cause: error,
    });
  });
}

const oneLine = (text: string): string => text.trim().split("\n").slice(-3).join(" ").slice(0, 400);
const lastWords = async (folder: string): Promise<string> =>
  oneLine(await readFile(join(folder, LOG_FILE), "utf8").catch(() => "")) || "it said nothing";

/** The master's own list of processes. */
function processesIn(text: string) {
  const [live = "", old = ""] = text.split(/^# old workers$/m);
  const pidsOf = (part: string, type: string) =>
    [...part.matchAll(new RegExp(`^(\\d+)\\s+${type}\\b`, "gm"))].map(([, pid]) => Number(pid));
  const [master] = pidsOf(live, "master");
  if (master === undefined) throw new Error("the engine's master does not tell its processes");
  const [, failed = "0"] = /\[failed: (\d+)\]/.exec(live) ?? [];
  return {
    master,
    workers: pidsOf(live, "worker"),
    old: pidsOf(old, "worker"),
    failed: Number(failed),
  };
}

async function workerPid(admin: string): Promise<number> {
  const [, pid] = /^Pid: (\d+)$/m.exec(await ask(admin, "show info")) ?? [];
  if (pid === undefined) throw new Error("the engine's worker does not tell who it is");
  return Number(pid);
}

/** The frontends are named for their ports. */
const portsIn = (stat: string): readonly number[] =>
  [...stat.matchAll(/^p(\d+),FRONTEND,/gm)].map(([, port]) => Number(port));

/** Every process of the engine that works in this folder, whoever started it: by its command line. */
async function enginesOf(folder: string): Promise<readonly number[]> {
  const pids = (await readdir("/proc").catch(() => [])).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      const words = (await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")).split("\0");
      const isEngine = words[0]?.split("/").at(-1) === PROGRAM && words.includes("-W");
      return isEngine && words[words.indexOf("-C") + 1] === folder ? Number(pid) : undefined;
    }),
  );
  return found.filter(
    (pid) => pid !== undefined && pid !== process.pid && isAlive(pid),
  ) as number[];
}

/** A zombie is dead: nobody may have waited for it yet. */
function isAlive(pid: number): boolean {
  return signal(pid, 0);
}

function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}

/** Ends them, kindly at first. Only those that are engines of this folder: a number may belong to another by now. */
async function endAll(pids: readonly number[], folder: string): Promise<void> {
  const ours = new Set(await enginesOf(folder));
  const left = pids.filter((pid) => ours.has(pid));
  if (left.length === 0) return;
  for (const pid of left) signal(pid, "SIGTERM");
  await untilDead(left, 1_000);
  for (const pid of left) signal(pid, "SIGKILL");
  await untilDead(left, 1_000);
}

async function untilDead(pids: readonly number[], withinMs: number): Promise<void> {
  const untilMs = performance.now() + withinMs;
  while (performance.now() < untilMs) {
    const states = await Promise.all(
      pids.map((pid) => readFile(`/proc/${pid}/stat`, "utf8").catch(() => "")),
    );
    if (states.every((state) => state === "" || /^\d+ \(.*\) [ZX]/s.test(state))) return;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

/** What `look` finds, asked again until it finds something, `ended` comes or the time is over. */
async function within<T>(
  limitMs: number,
  ended: Promise<void>,
  look: () => Promise<T | undefined>,
): Promise<T> {
  let isOver = false;
  void ended.then(() => {
    isOver = true;
  });
  const untilMs = performance.now() + limitMs;
  for (;;) {
    const found = await look().catch((error: unknown) => {
      if (error instanceof EngineRefused) throw error;
      return undefined;
    });
    if (found !== undefined) return found;
    if (isOver) throw new Error("it ended");
    if (performance.now() > untilMs) throw new Error(`nothing within ${limitMs / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}
