import { describe, expect, it, test } from "@jest/globals";
import type { Outcome } from "../../../agent/doctor/finding.ts";
import { queueFinding, writerFinding } from "../../../agent/doctor/via-checks.ts";
import { fenceName, moveOf } from "../../../lib/fleet/fence.ts";
import { ZONE } from "../../support/build.ts";

const failed = (problem: string): Outcome<never> => ({ kind: "failed", error: undefined, problem });
const NOW_MS = 1_790_000_000_000;
const fence = (secondsAgo: number) =>
  moveOf(fenceName(ZONE), undefined, {
    writer: "0123456789abcdef",
    count: 7,
    horizonMs: 1,
    atMs: NOW_MS - secondsAgo * 1_000,
  }).after;

describe("the queue of --via", () => {
  it("is well where it can be looked at", () => {
    const value = { waiting: 3, inFlight: 2 };
    expect(queueFinding({ kind: "done", value }, "discovery")).toEqual({
      check: "queue",
      verdict: "ok",
      what: "discovery: about 3 messages wait, 2 are given out",
    });
  });

  test.each([
    ["SQS denied GetQueueAttributes on https://…: allow it", "ok", "which it need not"],
    ["SQS knows no queue https://… in this account and region", "fail", "knows no queue"],
    ["SQS did not take GetQueueAttributes: ECONNREFUSED", "fail", "ECONNREFUSED"],
  ])("%s: %s", (problem, verdict, what) => {
    expect(queueFinding(failed(problem), "discovery")).toMatchObject({
      verdict,
      what: expect.stringContaining(what),
    });
  });
});

describe("the writer behind it", () => {
  test.each([
    ["nobody was asked", undefined, "skip", "not looked for"],
    ["DNS is silent", { texts: undefined }, "warn", "does not answer"],
    ["it has never written", { texts: [] }, "fail", "no writer has written"],
    ["somebody else's record", { texts: ["hello"] }, "fail", "no writer has written"],
    ["it has just written", { texts: [fence(20)] }, "ok", "batch 7, 20 s ago"],
    ["it was there long ago", { texts: [fence(600)] }, "warn", "600 s ago"],
  ] as const)("%s", (_, asked, verdict, what) => {
    const full = asked && { zoneName: ZONE, nowMs: NOW_MS, ...asked };
    const finding = writerFinding(full);
    expect(finding).toMatchObject({ verdict, what: expect.stringContaining(what) });
    expect(finding.todo === undefined).toBe(verdict === "ok");
  });
});
