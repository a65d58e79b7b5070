#!/usr/bin/env node
import { causes } from "../lib/kit/failure.ts";
import { systemClock } from "../lib/kit/flow/clock.ts";
import { quote } from "../lib/kit/quote.ts";
import { secretsOf } from "../lib/kit/redact.ts";
import { DEFAULT_MODE, type ReadyMode } from "./cli/mode.ts";
import { modes } from "./modes.ts";
import { supervise } from "./process/supervise.ts";
import { version } from "./process/version.ts";

const EXIT_USAGE = 2;

/** argv → mode → supervise → exit code. Nothing else in the program ends the process. */
async function main(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const [first] = argv;
  const isMode = first !== undefined && !first.startsWith("-");
  const name = isMode ? first : DEFAULT_MODE;
  const rest = isMode ? argv.slice(1) : argv;

  if (rest.includes("--version")) return say(version());
  const mode = modes.find((one) => one.name === name);
  if (mode === undefined) {
    return complain([
      `unknown mode ${quote(name)}, expected one of ${modes.map((one) => one.name).join(", ")}`,
    ]);
  }
  const read = await mode.read(rest, env);
  switch (read.kind) {
    case "help":
      return say(`${read.text}${isMode ? "" : modeList()}`);
    case "text":
      return say(read.text);
    case "problems":
      return complain(read.problems);
    case "config":
      return run(read);
  }
}

async function run({ common, logsTo, run }: ReadyMode): Promise<number> {
  const { createLog } = await import("./process/log.ts");
  const log = createLog({
    level: common.logLevel,
    format: common.logFormat,
    to: logsTo,
    secrets: secretsOf(process.env),
  });
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

const modeList = (): string =>
  `\nModes (the first word, ${DEFAULT_MODE} when there is none; each has its own --help):\n${modes
    .map((one) => `  ${one.name.padEnd(12)}${one.summary}\n`)
    .join("")}`;

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
