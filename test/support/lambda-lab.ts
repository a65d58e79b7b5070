import { spawn } from "node:child_process";
import { json, text } from "node:stream/consumers";
import { task } from "./build.ts";
import { cluster, recordsIn, SWEPT_ZONE, shown, sweepLab } from "./sweep-lab.ts";

/** What AWS Lambda does with a function: loads its module once, and calls it. The outcome goes to a channel of its own. */
const runtimeOf = (module: string): string => `
  import { readFileSync, writeSync } from "node:fs";
  import { handler } from ${JSON.stringify(module)};
  const { event, remainingMs } = JSON.parse(readFileSync(0, "utf8"));
  const outcome = await handler(event, { getRemainingTimeInMillis: () => remainingMs }).then(
    (report) => ({ report }),
    (error) => ({ error: error.message }),
  );
  writeSync(3, JSON.stringify(outcome));
`;

/** What AWS Lambda gives a function, as far as it matters, and its flags. */
const ENVIRONMENT = {
  AWS_REGION: "eu-west-1",
  AWS_ACCESS_KEY_ID: "test",
  AWS_SECRET_ACCESS_KEY: "test",
  AWS_CONFIG_FILE: "/dev/null",
  AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
  AWS_EC2_METADATA_DISABLED: "true",
  HOSTED_ZONE_ID: SWEPT_ZONE.id,
  ECS_DISCOVERY_CONFIRM_AFTER: "1",
};
/** What EventBridge sends. */
export const SCHEDULED = {
  version: "0",
  id: "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
  "detail-type": "Scheduled Event",
  source: "aws.events",
  resources: ["arn:aws:events:eu-west-1:123456789012:rule/sweep"],
  detail: {},
};

/** The function of a module, and a fleet of which one of six tasks is forgotten. */
export async function lambdaLab(module: string) {
  const prod = cluster("prod", { instances: 3, tasks: 6 });
  const records = recordsIn(prod);
  const lab = await sweepLab([prod], records);
  prod.tasks.delete(task(2));
  const alive = records.filter(({ setIdentifier = "" }) => !setIdentifier.endsWith(task(2)));
  async function invoke(
    event: unknown,
    {
      remainingMs = 60_000,
      env = {},
    }: { readonly remainingMs?: number; readonly env?: Readonly<Record<string, string>> } = {},
  ) {
    const runtime = spawn(process.execPath, ["--input-type=module", "--eval", runtimeOf(module)], {
      stdio: ["pipe", "pipe", "pipe", "pipe"],
      env: { ...ENVIRONMENT, ...lab.env, ...env },
    });
    runtime.stdin.end(JSON.stringify({ event, remainingMs }));
    const [, , , channel] = runtime.stdio;
    if (channel === null || channel === undefined || !("read" in channel))
      throw new Error("no channel");
    const [outcome, log, stderr] = await Promise.all([
      json(channel) as Promise<{ readonly report?: unknown; readonly error?: string }>,
      text(runtime.stdout),
      text(runtime.stderr),
    ]);
    if (stderr !== "") throw new Error(`expected nothing on standard error, got ${stderr}`);
    const lines = log.split("\n").filter((line) => line !== "");
    return { ...outcome, log: lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
  }
  return {
    lab,
    invoke,
    alive: alive.map(shown).toSorted(),
    [Symbol.asyncDispose]: () => lab[Symbol.asyncDispose](),
  };
}
