import { Fatal } from "../../lib/core/failure.ts";
import type { Surroundings } from "../modes.ts";
import type { SweepConfig } from "./config.ts";
import { textOf } from "./report.ts";
import { sweep } from "./sweep.ts";

/** Deletes the records of dead hosts and tasks once, and prints what it found and did. */
export async function sweepOnce(config: SweepConfig, surroundings: Surroundings): Promise<void> {
  const { report, problems } = await sweep(config, surroundings);
  const lines = config.json ? [JSON.stringify(report)] : textOf(report);
  await print(lines.map((line) => `${line}\n`).join(""));
  if (problems.length > 0) throw new Fatal(problems.join("; "));
}

function print(text: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  process.stdout.write(text, (error) => (error ? reject(error) : resolve()));
  return promise;
}
