import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { type World, ZONE } from "./world.ts";

/** A process that keeps the zone. */
export interface Writer extends AsyncDisposable {
  /** Rejects when the process ends before it was asked to. */
  readonly failure: Promise<never>;
}

/** The real agent, or the baseline. Nothing of this environment could lead them to a real AWS account. */
export function startWriter(
  kind: "agent" | "baseline",
  { environment, introspectionUrl }: Pick<World, "environment" | "introspectionUrl">,
): Writer {
  const command = {
    agent: [
      fileURLToPath(import.meta.resolve("../../agent/main.ts")),
      "discover",
      `--hostedZoneId=${ZONE.id}`,
      "--logLevel=error",
    ],
    baseline: [fileURLToPath(import.meta.resolve("./baseline.ts"))],
  }[kind];
  const child = spawn(process.execPath, [...command, `--introspectionUrl=${introspectionUrl}`], {
    // Standard output is for the table.
    stdio: ["ignore", 2, "inherit"],
    env: {
      ...environment,
      AWS_REGION: "eu-west-1",
      AWS_ACCESS_KEY_ID: "bench",
      AWS_SECRET_ACCESS_KEY: "bench",
      AWS_CONFIG_FILE: "/dev/null",
      AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
    },
  });
  const ended = once(child, "exit");
  const failure = ended.then(([code, signal]) => {
    throw new Error(`the ${kind} ended, with ${code ?? signal}`);
  });
  // Whoever waits for the writer sees it; at the end nobody does.
  failure.catch(() => {});
  return {
    failure,
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await ended;
    },
  };
}
