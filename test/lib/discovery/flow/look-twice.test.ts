import { describe, expect, it } from "@jest/globals";
import { lookTwice } from "../../../../lib/discovery/flow/look-twice.ts";
import type { Author } from "../../../../lib/discovery/sweep.ts";
import type { Fleet, ReadCluster } from "../../../../lib/ecs/fleet.ts";
import type { RecordSet } from "../../../../lib/route53/record-set.ts";
import { instance, record, task } from "../../../support/build.ts";
import { fakeClock, settle } from "../../../support/fake-clock.ts";

const WAIT_MS = 30_000;

/** All live on one instance; these tasks have stopped. */
const fleetWith = (...stopped: readonly number[]): Fleet => [
  {
    kind: "read",
    name: "prod",
    listed: new Set([instance(1)]),
    running: new Set([1, 2, 3, 4].filter((n) => !stopped.includes(n)).map(task)),
    instances: new Map([[instance(1), { kind: "found", status: "ACTIVE", agentConnected: true }]]),
    tasks: new Map(stopped.map((n) => [task(n), { kind: "found", status: "STOPPED" }])),
  } satisfies ReadCluster,
];
const unread: Fleet = [{ kind: "unread", name: "prod", problem: "throttled" }];

/** What each look finds, in order. */
function looksAt(found: readonly { readonly zone: readonly RecordSet[]; readonly fleet: Fleet }[]) {
  const clock = fakeClock();
  const stop = new AbortController();
  const asked: (readonly Author[])[] = [];
  let zones = 0;
  const looked = lookTwice({
    readZone: async () => found[zones++]?.zone ?? [],
    async readFleet(owners) {
      asked.push(owners);
      return found[asked.length - 1]?.fleet ?? [];
    },
    rules: { emptyClusters: new Set(), unknownInstances: "delete" },
    limit: { kind: "share", percent: 50 },
    confirmAfterMs: WAIT_MS,
    clock,
    stop: stop.signal,
  });
  const fates = async () => (await looked).judged.map(({ fate }) => `${fate.kind}: ${fate.reason}`);
  return { clock, stop, asked, looked, fates, zones: () => zones };
}

const all = [1, 2, 3, 4].map((n) => record(n));
const runs = "kept: task-runs";

describe("looking twice", () => {
  it("waits exactly as long as it was told, and asks for what looked dead alone", async () => {
    const { clock, asked, fates, zones } = looksAt([
      { zone: all, fleet: fleetWith(2) },
      { zone: all, fleet: fleetWith(2) },
    ]);
    await clock.advance(WAIT_MS - 1);
    expect([asked.length, zones()]).toEqual([1, 1]);
    await clock.advance(1);
    expect(await fates()).toEqual([runs, "dead: task-stopped", runs, runs]);
    expect(asked.map((owners) => owners.map((one) => one.task))).toEqual([
      [1, 2, 3, 4].map(task),
      [task(2)],
    ]);
    expect(zones()).toBe(2);
  });

  it("looks once where nothing looks dead", async () => {
    const { fates, clock, zones } = looksAt([{ zone: all, fleet: fleetWith() }]);
    expect(await fates()).toEqual([runs, runs, runs, runs]);
    expect([clock.sleepers, zones()]).toEqual([0, 1]);
  });

  it.each<[string, readonly RecordSet[], Fleet, string]>([
    ["alive", all, fleetWith(), runs],
    ["in a cluster that can't be read", all, unread, "unsure: cluster-unread"],
    ["gone by itself", all.filter((_, n) => n !== 1), fleetWith(2), "kept: changed-meanwhile"],
    [
      "another record",
      [record(2, { values: ["10.9.9.9"] })],
      fleetWith(2),
      "kept: changed-meanwhile",
    ],
    ["of another weight", [record(2, { weight: 7 })], fleetWith(2), "kept: changed-meanwhile"],
  ])("deletes nothing that is %s at the second look", async (_, zone, fleet, fate) => {
    const { clock, fates } = looksAt([
      { zone: all, fleet: fleetWith(2) },
      { zone, fleet },
    ]);
    await clock.advance(WAIT_MS);
    expect(await fates()).toEqual([runs, fate, runs, runs]);
  });

  it("does not take for dead what only the second look finds so", async () => {
    const { clock, fates } = looksAt([
      { zone: all, fleet: fleetWith(2) },
      { zone: all, fleet: fleetWith(2, 3) },
    ]);
    await clock.advance(WAIT_MS);
    expect(await fates()).toEqual([runs, "dead: task-stopped", runs, runs]);
  });

  it("is over after the first look where there are more than the limit", async () => {
    const { looked, clock } = looksAt([{ zone: all, fleet: fleetWith(1, 2, 3) }]);
    expect((await looked).refusal).toContain("would delete 3 of 4 records (75 %, limit 50 %)");
    expect(clock.sleepers).toBe(0);
  });

  it("rejects with the stop's reason between the looks", async () => {
    const { looked, stop } = looksAt([{ zone: all, fleet: fleetWith(2) }]);
    const rejected = expect(looked).rejects.toThrow("enough");
    await settle();
    stop.abort(new Error("enough"));
    await rejected;
  });
});
