import { describe, expect, it } from "@jest/globals";
import { denied, THROTTLED } from "../../../lib/standins/ecs/control.ts";
import { lambdaLab, SCHEDULED } from "../../support/lambda-lab.ts";

const LAMBDA = new URL("../../../agent/sweep/lambda.ts", import.meta.url).href;
const labFor = () => lambdaLab(LAMBDA);

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
    const env = { ECS_DISCOVERY_MAX_DELETES: "0" };
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
      /ECS_DISCOVERY_MAX_DELETES: expected a whole number such as 20, .*, got "half"/,
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

  it.concurrent("says the same when its time runs out while it waits for ECS: that is no failure of a cluster", async () => {
    await using one = await labFor();
    one.lab.ecs.fail({ operation: "ListTasks", error: THROTTLED });
    const { error, log } = await one.invoke({}, { remainingMs: 6_000 });
    expect(error).toBe("not finished in time: give the function a longer timeout");
    expect(log.filter(({ reason }) => reason === "cluster-unread")).toEqual([]);
  });

  it.concurrent("throws where there is no region", async () => {
    await using one = await labFor();
    expect((await one.invoke({}, { env: { AWS_REGION: "" } })).error).toContain(
      "no region: set AWS_REGION",
    );
    expect(one.lab.ecs.requests).toEqual([]);
  });
});
