import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";

/** The resident memory of a process, in MB; Linux only. */
function residentMb(pid: number): number {
  const [, kilobytes] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  if (kilobytes === undefined) throw new Error(`expected VmRSS of process ${pid}, got none`);
  return Number(kilobytes) / 1024;
}

/** The same once it has come to rest: five readings in a row, 200 ms apart, within half a megabyte; or after 5 s. */
export async function restingMb(pid: number): Promise<number> {
  const readings: number[] = [];
  while (readings.length < 25) {
    readings.push(residentMb(pid));
    const last = readings.slice(-5);
    if (last.length === 5 && Math.max(...last) - Math.min(...last) < 0.5) break;
    await pause(200);
  }
  return readings.at(-1) ?? Number.NaN;
}

/** The same after a collection of its garbage; only for a process started with COLLECTS_AT_SIGUSR2. */
export async function collectedMb(pid: number): Promise<number> {
  process.kill(pid, "SIGUSR2");
  return restingMb(pid);
}
