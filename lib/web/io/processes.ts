import { readdir, readFile } from "node:fs/promises";
import { EngineRefused } from "./runtime-socket.ts";

export const PROGRAM = "haproxy";
/** Nothing else of this process's environment is the engine's business. Without a PATH of ours, the system's usual one. */
export const engineEnvironment = (): NodeJS.ProcessEnv => ({
  PATH: process.env["PATH"] || "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
});
const LOOK_MS = 10;

/** Every process of the engine that works in this folder, whoever started it: by its command line. */
export async function enginesOf(folder: string): Promise<readonly number[]> {
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
export function isAlive(pid: number): boolean {
  return signal(pid, 0);
}

export function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}

/** Ends them, kindly at first. Only those that are engines of this folder: a number may belong to another by now. */
export async function endAll(pids: readonly number[], folder: string): Promise<void> {
  const ours = new Set(await enginesOf(folder));
  const left = pids.filter((pid) => ours.has(pid));
  if (left.length === 0) return;
  for (const pid of left) signal(pid, "SIGTERM");
  await untilDead(left, 1_000);
  for (const pid of left) signal(pid, "SIGKILL");
  await untilDead(left, 1_000);
}

export async function untilDead(pids: readonly number[], withinMs: number): Promise<void> {
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
export async function within<T>(
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
