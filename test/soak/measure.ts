import { readdirSync, readFileSync } from "node:fs";

/** What a process took at one moment; Linux only. */
export interface Sample {
  readonly minute: number;
  /** Resident memory. */
  readonly rssMb: number;
  readonly descriptors: number;
}

/** Throws when the process has ended. */
export function sampleOf(pid: number, minute: number): Sample {
  const [, kilobytes] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return {
    minute,
    rssMb: Number(kilobytes) / 1024,
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
  };
}

/** By how much `y` grows with each `x`, by least squares. NaN for fewer than two different `x`. */
export function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const mean = (values: readonly number[]) =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  const meanX = mean(points.map(([x]) => x));
  const meanY = mean(points.map(([, y]) => y));
  const covariance = mean(points.map(([x, y]) => (x - meanX) * (y - meanY)));
  return covariance / mean(points.map(([x]) => (x - meanX) ** 2));
}
