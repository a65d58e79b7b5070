#!/usr/bin/env node
import type { ReadyMode } from "./cli/mode.ts";

// A signal counts from here on, before anything is loaded: as PID 1, one that nobody listens for is lost.
const early: string[] = [];
process.on("SIGTERM", (name) => early.push(name));
process.on("SIGINT", (name) => early.push(name));

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

/** argv → mode → supervise → exit code. Nothing else in the program ends the process. */
async function main(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const [{ dispatch }, { modes }, { version }] = await Promise.all([
    import("./cli/dispatch.ts"),
    import("./modes.ts"),
    import("./process/version.ts"),
  ]);
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
      return run(line, version());
  }
}

async function run(
  { name, common, effective, logsTo, run }: ReadyMode,
  version: string,
): Promise<number> {
  const [{ causes }, { systemClock }, { secretsOf }, { createLog }, { supervise }] =
    await Promise.all([
      import("../lib/kit/failure.ts"),
      import("../lib/kit/flow/clock.ts"),
      import("../lib/kit/redact.ts"),
      import("./process/log.ts"),
      import("./process/supervise.ts"),
    ]);
  const log = createLog({
    level: common.logLevel,
    format: common.logFormat,
    to: logsTo,
    secrets: secretsOf(process.env),
  });
  log.info("starts", { mode: name, version, flags: effective });
  let broken: unknown;
  const ending = await supervise(
    (stop) => {
      process.stdout.on("error", (error: NodeJS.ErrnoException) => {
        // A command's reader that has gone (`| head`) wants no more of the answer.
        if (logsTo === "stderr" && error.code === "EPIPE") return;
        broken ??= error;
        stop.fail(new Error("standard output is broken", { cause: error }));
      });
      process.stderr.on("error", (error) => {
        if (logsTo === "stderr") stop.fail(new Error("standard error is broken", { cause: error }));
      });
      return run({ stop, clock: systemClock, random: Math.random, log, env: process.env });
    },
    {
      signals: process,
      early,
      clock: systemClock,
      drainMs: common.drainTimeout * 1000,
      onStop(why, cause) {
        if (cause === undefined) log.info(`${why}: work in flight lands, then the process ends`);
        else log.error(`${causes(cause)}; work in flight lands, then the process ends`);
      },
    },
  );
  const cause = ending.cause === undefined ? undefined : causes(ending.cause);
  log[ending.code === EXIT_FAILED ? "error" : "info"](`ends: ${ending.why}`, {
    exitCode: ending.code,
    cause,
  });
  if (broken !== undefined) complain([cause ?? ending.why]);
  // A command that has answered says no more on standard output.
  if (
    cause !== undefined &&
    ending.hasAnswered !== true &&
    "json" in common &&
    common.json === true
  ) {
    say(JSON.stringify({ error: cause }));
  }
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

/**
 * What is still open by now (idle connections, a drain given up) must not hold the process. A file that does not answer,
 * on a hung network disk, would: exit waits for the thread that reads it. Then the process is killed instead.
 */
async function leave(code: number): Promise<never> {
  const isOnFile = () => process.getActiveResourcesInfo().some((one) => one.startsWith("FSReq"));
  for (let tries = 0; isOnFile() && tries < 50; tries += 1) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  if (isOnFile()) {
    process.kill(process.pid, "SIGKILL");
    // As PID 1 it can't be killed.
    process.abort();
  }
  process.exit(code);
}

const code = await main(process.argv.slice(2), process.env).catch((error: unknown) => {
  complain([error instanceof Error ? error.message : String(error)]);
  return EXIT_FAILED;
});
await leave(code);
