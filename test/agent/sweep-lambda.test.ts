import { spawn } from "node:child_process";
import { json, text } from "node:stream/consumers";
import { describe, expect, it } from "@jest/globals";
import { denied } from "../../lib/sandbox/ecs-control.ts";
import { task } from "../support/build.ts";
import { cluster, recordsIn, SWEPT_ZONE, shown, sweepLab } from "../support/sweep-lab.ts";

const LAMBDA = new URL("../../agent/sweep/lambda.ts", import.meta.url).href;

/** What AWS Lambda does with a function: loads its module once, and calls it. The outcome goes to a channel of its own. */
const RUNTIME = `
  import { readFileSync, writeSync } from "node:fs";
  import { handler } from ${JSON.stringify(LAMBDA)};
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
  CONFIRM_AFTER: "1",
};
const SCHEDULED = {
  version: "0",
  id: "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
  "detail-type": "Scheduled Event",
  source: "aws.events",
  resources: ["arn:aws:events:eu-west-1:123456789012:rule/sweep"],
  detail: {},
};

/** One of six tasks is forgotten. */
async function labFor() {
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
    const runtime = spawn(process.execPath, ["--input-type=module", "--eval", RUNTIME], {
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
    expect(stderr).toBe("");
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

describe("the function", () => {
  it.concurrent.each([
    ["an empty event", {}],
    ["a scheduled event", SCHEDULED],
  ])("sweeps for %s, logs what it did, and returns the report", async (_, event) => {
    await using one = await labFor();
    const { report, log } = await one.invoke(event);
    expect(one.lab.zone.now()).toEqual(one.alive);
    expect(report).toMatchObject({
      schemaVersion: 1,
      dryRun: false,
      seen: 6,
      deleted: [{ reason: "task-missing" }],
      unsure: [],
      clusters: [{ name: "prod" }],
    });
    expect(log).toEqual([
      expect.objectContaining({ level: "info", message: "removed", address: "10.1.0.2" }),
      expect.objectContaining({ message: "swept", seen: 6, deleted: 1, kept: 5, unsure: 0 }),
    ]);
  });

  it.concurrent("takes flags from its event before its environment", async () => {
    await using one = await labFor();
    const env = { MAX_DELETES: "0" };
    const dry = await one.invoke({ dryRun: true, maxDeletes: 1 }, { env });
    expect(dry.report).toMatchObject({ dryRun: true });
    expect(one.lab.zone.changeRequests).toBe(0);
    await one.invoke({ dryRun: false, maxDeletes: "20%" }, { env });
    expect(one.lab.zone.now()).toEqual(one.alive);
  });

  it.concurrent.each([
    [
      "an unknown flag",
      { dryrun: true },
      /unknown flag "dryrun" in the event, expected some of hostedZoneId, /,
    ],
    [
      "a bad value",
      { maxDeletes: "half" },
      /MAX_DELETES: expected a whole number such as 20, .*, got "half"/,
    ],
  ])("throws for %s, and touches nothing", async (_, event, sentence) => {
    await using one = await labFor();
    expect((await one.invoke(event)).error).toMatch(sentence);
    expect(one.lab.ecs.requests).toEqual([]);
  });

  it.concurrent("throws where deletes are refused, and logs that for an alarm", async () => {
    await using one = await labFor();
    const { error, log } = await one.invoke({ maxDeletes: 0 });
    expect(error).toContain("would delete 1 of 6 records (17 %, limit 0)");
    expect(log).toContainEqual(expect.objectContaining({ level: "error", message: "refused" }));
    expect(one.lab.zone.changeRequests).toBe(0);
  });

  it.concurrent("throws where a cluster can't be read, and logs what is in doubt", async () => {
    await using one = await labFor();
    one.lab.ecs.fail({ operation: "ListTasks", error: denied("ListTasks") });
    const { error, log } = await one.invoke({});
    expect(error).toContain("allow ecs:ListTasks");
    expect(log.filter(({ reason }) => reason === "cluster-unread")).toHaveLength(6);
    expect(one.lab.zone.changeRequests).toBe(0);
  });

  it.concurrent("throws, and deletes nothing, when its time runs out before the second look", async () => {
    await using one = await labFor();
    const { error } = await one.invoke({ confirmAfter: 600 }, { remainingMs: 5_500 });
    // On a slow machine that is within the first one, which then says what it could not read.
    expect(error).toMatch(/not finished in time: give the function a longer timeout$/);
    expect(one.lab.zone.changeRequests).toBe(0);
  });

  it.concurrent("throws where there is no region", async () => {
    await using one = await labFor();
    expect((await one.invoke({}, { env: { AWS_REGION: "" } })).error).toContain(
      "no region: set AWS_REGION",
    );
    expect(one.lab.ecs.requests).toEqual([]);
  });
});
