#!/usr/bin/env node
import { causes } from "../lib/kit/failure.ts";
import { systemClock } from "../lib/kit/flow/clock.ts";
import { secretsOf } from "../lib/kit/redact.ts";
import { dispatch } from "./cli/dispatch.ts";
import type { ReadyMode } from "./cli/mode.ts";
import { modes } from "./modes.ts";
import { supervise } from "./process/supervise.ts";
import { version } from "./process/version.ts";

const EXIT_USAGE = 2;

/** argv → mode → supervise → exit code. Nothing else in the program ends the process. */
async function main(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const isTerminal = process.stdin.isTTY === true;
  const line = await dispatch(argv, env, { modes, version, isTerminal });
  switch (line.kind) {
    case "text":
      return say(line.text);
    case "lost":
      process.stderr.write(line.text);
      return EXIT_USAGE;
    case "problems":
      return complain(line.problems);
    case "config":
      return run(line);
  }
}

async function run({ name, common, effective, logsTo, run }: ReadyMode): Promise<number> {
  const { createLog } = await import("./process/log.ts");
  const log = createLog({
    level: common.logLevel,
    format: common.logFormat,
    to: logsTo,
    secrets: secretsOf(process.env),
  });
  log.info("starts", { mode: name, version: version(), flags: effective });
  const ending = await supervise(
    (stop) => run({ stop, clock: systemClock, random: Math.random, log, env: process.env }),
    {
      signals: process,
      clock: systemClock,
      drainMs: common.drainTimeout * 1000,
      onStop(why, cause) {
        if (cause === undefined) log.info(`${why}: work in flight lands, then the process ends`);
        else log.error(`${causes(cause)}; work in flight lands, then the process ends`);
      },
    },
  );
  const cause = ending.cause === undefined ? undefined : causes(ending.cause);
  log[ending.code === 1 ? "error" : "info"](`ends: ${ending.why}`, {
    exitCode: ending.code,
    cause,
  });
  return ending.code;
}

function say(text: string): number {
  process.stdout.write(`${text.trimEnd()}\n`);
  return 0;
}

function complain(problems: readonly string[]): number {
  for (const problem of problems) process.stderr.write(`ecs-discovery-agent: ${problem}\n`);
  return EXIT_USAGE;
}

// What is still open by now (idle connections, a drain given up) must not hold the process.
process.exit(await main(process.argv.slice(2), process.env));
