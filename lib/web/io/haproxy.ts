import { execFile, spawn } from "node:child_process";
import { open, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { Fatal } from "../../kit/failure.ts";
import { ADMIN_SOCKET, CONFIG_FILE, type EngineFiles, MASTER_SOCKET } from "../engine-files.ts";
import type { EngineText } from "../engine-text.ts";
import { check, LOG_FILE, lastWords, makeFolders, writeFiles } from "./engine-folder.ts";
import {
  endAll,
  engineEnvironment,
  enginesOf,
  isAlive,
  PROGRAM,
  signal,
  untilDead,
  within,
} from "./processes.ts";
import { ask, attempt, EngineRefused, run } from "./runtime-socket.ts";

const execute = promisify(execFile);

/** How long the engine may take to read its files and take over. */
const LOAD_LIMIT_MS = 15_000;
/** How often an engine that is nobody's child is looked at. */
const WATCH_MS = 200;
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
async function engineVersion(): Promise<string> {
  const { stdout } = await execute(PROGRAM, ["-v"], { env: engineEnvironment() }).catch(
    (error: unknown) => {
      throw new Fatal(
        "HAProxy was not found on the PATH: apt-get install haproxy (2.6 or newer), or use the agent's image with the engine",
        { cause: error },
      );
    },
  );
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
  await makeFolders(folder);
  let pids: readonly number[] = [];
  let watch: NodeJS.Timeout | undefined;
  let isEnding = false;

  const ended = (): void => {
    clearInterval(watch);
    const orphans = pids;
    pids = [];
    // A worker whose master was killed would serve on, and share its ports with the next one.
    void endAll(orphans, folder).then(() => {
      if (!isEnding) onEnd();
    });
  };
  const adopted = await adopt(folder);
  if (adopted !== undefined) {
    pids = adopted;
    const [master = 0] = adopted;
    watch = setInterval(() => {
      if (!isAlive(master)) ended();
    }, WATCH_MS).unref();
  }

  return {
    version,
    write: (files) => writeFiles(folder, files),
    async load(files) {
      await writeFiles(folder, files);
      await check(folder);
      pids = pids.length > 0 ? await reload(folder) : await start(folder, ended);
    },
    run: (commands) => run(admin, commands),
    try: (commands) => attempt(admin, commands),
    isRunning: () => pids.length > 0,
    heldPorts: async () =>
      pids.length === 0 ? [] : portsIn(await ask(admin, "show stat -1 1 -1")),
    pids: () => pids,
    async end(withinMs) {
      isEnding = true;
      const [master] = pids;
      if (master === undefined) return;
      signal(master, "SIGUSR1");
      await untilDead([master], withinMs);
      await endAll(await enginesOf(folder), folder);
    },
  };
}

const processes = async (folder: string) =>
  processesIn(await ask(join(folder, MASTER_SOCKET), "show proc"));
const workerOf = (folder: string) => workerPid(join(folder, ADMIN_SOCKET));

/** The master and worker that run in the folder and answer; whatever else of the engine runs there is ended. */
async function adopt(folder: string): Promise<readonly number[] | undefined> {
  const running = await enginesOf(folder);
  if (running.length === 0) return undefined;
  const found = await processes(folder).catch(() => undefined);
  const worker = await workerOf(folder).catch(() => undefined);
  const isWhole =
    found !== undefined &&
    worker !== undefined &&
    found.workers.includes(worker) &&
    running.includes(found.master);
  const ours = isWhole ? [found.master, ...found.workers] : [];
  // Those that a reload left behind listen on nothing, and end with their last connection.
  const old = isWhole ? found.old : [];
  await endAll(
    running.filter((pid) => !ours.includes(pid) && !old.includes(pid)),
    folder,
  );
  return isWhole ? ours : undefined;
}

/** Starts it, away from this process, so that it lives on when this one is killed. Rejects with `EngineRefused`. */
async function start(folder: string, onEnd: () => void): Promise<readonly number[]> {
  await endAll(await enginesOf(folder), folder);
  await rm(join(folder, MASTER_SOCKET), { force: true });
  const log = await open(join(folder, LOG_FILE), "w", 0o600);
  const master = `unix@${MASTER_SOCKET},mode,600`;
  const engine = spawn(PROGRAM, ["-W", "-q", "-C", folder, "-f", CONFIG_FILE, "-S", master], {
    detached: true,
    stdio: ["ignore", log.fd, log.fd],
    env: engineEnvironment(),
  });
  const exited = new Promise<void>((resolve) => {
    engine.once("exit", () => resolve());
    engine.once("error", () => resolve());
  });
  engine.unref();
  await log.close();
  try {
    const pids = await within(LOAD_LIMIT_MS, exited, async () => {
      const { master: pid, workers } = await processes(folder);
      return workers.includes(await workerOf(folder)) ? [pid, ...workers] : undefined;
    });
    void exited.then(onEnd);
    return pids;
  } catch (error) {
    engine.kill("SIGKILL");
    await endAll(await enginesOf(folder), folder);
    throw new EngineRefused(`the engine did not start: ${await lastWords(folder)}`, {
      cause: error,
    });
  }
}

/** Has it read its files; the worker before ends with its last connection. Rejects with `EngineRefused`. */
async function reload(folder: string): Promise<readonly number[]> {
  const before = await processes(folder);
  await ask(join(folder, MASTER_SOCKET), "reload");
  return within(LOAD_LIMIT_MS, NEVER, async () => {
    const now = await processes(folder);
    if (now.failed > before.failed) {
      throw new EngineRefused(`the engine did not take its files: ${await lastWords(folder)}`);
    }
    const fresh = now.workers.filter((pid) => !before.workers.includes(pid));
    const isTaken = fresh.includes(await workerOf(folder));
    return isTaken ? [now.master, ...now.workers, ...now.old] : undefined;
  });
}

const NEVER = new Promise<void>(() => {});

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
