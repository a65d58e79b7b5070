import { describe, expect, it, test } from "@jest/globals";
import { figures } from "./bench/scenarios/fleet.ts";
import { gathered } from "./bench/virtual/burst.ts";
import { runFleet } from "./bench/virtual/fleet.ts";
import { BATCH, poisoned } from "./bench/virtual/poison.ts";
import { firstMinute } from "./bench/virtual/restart.ts";
import { runUpdate } from "./bench/virtual/update.ts";

/** What `npm run bench` measures, as far as it is a count, or a time of the virtual clock: the same on every machine. */
const seed = 1;

describe("a burst", () => {
  it("costs no more requests than fit into it one after another", async () => {
    const latencyMs = 100;
    const overMs = 2_000;
    const { requests, accepted, afterLastMs } = await gathered({
      containers: 500,
      overMs,
      latencyMs,
      seed,
    });
    expect(accepted).toBe(500);
    // One for the first event, and one for what came while the last of the others was under way.
    expect(requests).toBeLessThanOrEqual(overMs / latencyMs + 2);
    expect(afterLastMs).toBeLessThanOrEqual(350);
  });
});

describe("the first minute of a restart, where nothing changed, in a zone of 10,000 records", () => {
  it("is two requests at most, and none to write, where there is a journal", async () => {
    const { writes, requests } = await firstMinute({ remembers: true, seed });
    expect(writes).toBe(0);
    expect(requests).toBeLessThanOrEqual(2);
  });

  it("reads its own names and few pages, and writes nothing, where there is none", async () => {
    const { writes, requests } = await firstMinute({ remembers: false, seed });
    expect(writes).toBe(0);
    expect(requests).toBeLessThanOrEqual(30);
  });
});

describe("one bad record in a batch of 400", () => {
  test.each([
    ["names it", 3, {}],
    ["names none", 12, { words: "[The request is not valid]" }],
  ])("where Route 53 %s, all others take at most %d requests", async (_, atMost, words) => {
    const { requests, accepted } = await poisoned({ seed, ...words });
    expect(accepted).toBe(BATCH - 1);
    expect(requests).toBeLessThanOrEqual(atMost);
  });
});

describe("a deployment that rolls over a fleet with one account's limit", () => {
  test.each([10, 100])("%d hosts: few throttled, none left behind", async (hosts) => {
    const fleet = figures(await runFleet({ kind: "agent", hosts, seed }));
    expect(fleet).toMatchObject({ missing: 0, ended: 0 });
    expect(fleet.throttled).toBeLessThanOrEqual(20);
    expect(fleet.fairness).toBeLessThanOrEqual(3);
    expect(fleet.registered.p99).toBeLessThanOrEqual(15);
  });

  it("is the same each time", async () => {
    const [one, other] = [
      await runFleet({ kind: "agent", hosts: 10, seed }),
      await runFleet({ kind: "agent", hosts: 10, seed }),
    ];
    expect(one).toEqual(other);
  });
});

describe("agents that are all replaced within 10 s", () => {
  test.each([
    [1_000, 3_000, 600],
    [100, 150, 60],
  ])("%d of them: none gives up, at most %d requests", async (hosts, atMost, seconds) => {
    const update = await runUpdate({ seed, hosts });
    expect(update).toMatchObject({ gaveUp: 0, missing: 0 });
    expect(update.requests).toBeLessThanOrEqual(atMost);
    expect(update.landedMs).toBeLessThanOrEqual(seconds * 1_000);
  });
});
