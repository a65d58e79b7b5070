import { Fatal } from "../../lib/kit/failure.ts";
import { print, printJson } from "../cli/terminal.ts";
import type { Answer } from "../process/supervise.ts";
import type { Surroundings } from "../process/surroundings.ts";
import type { SweepConfig } from "./config.ts";
import { textOf } from "./report.ts";
import { sweep } from "./sweep.ts";

/** Deletes the records of dead hosts and tasks once, and prints what it found and did. */
export async function sweepOnce(config: SweepConfig, surroundings: Surroundings): Promise<Answer> {
  const { report, problems } = await sweep(config, surroundings);
  await (config.json ? printJson(report) : print(textOf(report)));
  // The report is the answer; what an operator has to see to is the log's.
  if (problems.length > 0) {
    return { code: 1, why: "failed", cause: new Fatal(problems.join("; ")) };
  }
  return { code: 0, why: "nothing is left to see to" };
}
