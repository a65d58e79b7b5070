import { describe, expect, it, test } from "@jest/globals";
import { type HealthInputs, problemsOf } from "../../../../agent/discover/status/health.ts";
import { statusAddress } from "../../../../agent/page/status-address.ts";
import type { Waiting } from "../../../../lib/route53/flow/zone-writer.ts";
import { overdueAfter } from "../../../../lib/route53/overdue.ts";
import { record, upsert } from "../../../support/build.ts";

const waits: Waiting = { change: upsert(record(1)) };
const refused: Waiting = {
  change: upsert(record(2)),
  refused: { message: "no", untilMs: 300_000 },
};
const well: HealthInputs = {
  nowMs: 1_000_000,
  patienceMs: 60_000,
  isStreamOpen: true,
  engineProblem: undefined,
  standing: { waiting: [], overdueSinceMs: undefined, turnedAwaySinceMs: undefined },
  lastMiss: undefined,
};
const standing = (
  waiting: readonly Waiting[],
  lateMs?: number,
  awayMs?: number,
): Pick<HealthInputs, "standing"> => ({
  standing: {
    waiting,
    overdueSinceMs: lateMs === undefined ? undefined : well.nowMs - lateMs,
    turnedAwaySinceMs: awayMs === undefined ? undefined : well.nowMs - awayMs,
  },
});

describe("the agent is well", () => {
  test.each<[string, Partial<HealthInputs>]>([
    ["when nothing waits", {}],
    ["before the first difference is planned", { standing: undefined }],
    ["while a change waits for less than half the patience", standing([waits], 30_000)],
    ["when all that waits was refused for what it is", standing([refused], 90_000)],
    ["while it waits for its turn, throttled", standing([waits], undefined, 200_000)],
    ["while it is turned away, but not for so long", standing([waits], 200_000, 300_000)],
  ])("%s", (_, over) => {
    expect(problemsOf({ ...well, ...over })).toEqual([]);
  });
});

describe("the agent is not well", () => {
  test.each<[string, Partial<HealthInputs>, string]>([
    ["without a stream", { isStreamOpen: false }, "Docker's event stream is not open"],
    ["when the engine does not answer", { engineProblem: "Docker hangs" }, "Docker hangs"],
    [
      "when nothing was accepted for longer than half the patience",
      { ...standing([waits, refused], 30_001), lastMiss: "Route 53 did not answer" },
      "1 change waits, and none was accepted for 30 s; the last request: Route 53 did not answer",
    ],
    [
      "when it is turned away for five times the patience",
      standing([waits], 1, 300_001),
      "Route 53 has turned every request away for 300 s",
    ],
  ])("%s", (_, over, problem) => {
    expect(problemsOf({ ...well, ...over })).toEqual([problem]);
  });

  it("and says everything that is wrong", () => {
    const both = { isStreamOpen: false, ...standing([waits], 60_000) };
    expect(problemsOf({ ...well, ...both })).toHaveLength(2);
  });
});

test.each([
  [0, 5_000, 60_000],
  [10_000, 5_000, 60_000],
  [60_000, 30_000, 300_000],
  [86_400_000, 60_000, 432_000_000],
])("with a patience of %d ms a change is overdue after %d, turned away after %d", (...row) => {
  const [patienceMs, overdueMs, turnedAwayMs] = row;
  expect(overdueAfter(patienceMs)).toEqual({ overdueMs, turnedAwayMs });
});

describe("--statusAddress", () => {
  const read = (text: string) => statusAddress.schema.safeParse(text);
  test.each([
    ["127.0.0.1:51680", { host: "127.0.0.1", port: 51_680 }],
    ["0.0.0.0:0", { host: "0.0.0.0", port: 0 }],
    ["[::1]:80", { host: "::1", port: 80 }],
    ["Status.Internal:65535", { host: "status.internal", port: 65_535 }],
    ["off", undefined],
  ])("takes %s", (text, data) => {
    expect(read(text)).toMatchObject({ success: true, data });
  });
  test.each([
    "",
    ":80",
    "localhost",
    "localhost:65536",
    "::1:80",
    "[1]:80",
    "http://a:80",
    "on",
    "a b:1",
  ])("refuses %j", (text) => {
    expect(read(text).success).toBe(false);
  });
});
