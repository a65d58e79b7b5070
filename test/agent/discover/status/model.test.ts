import { describe, expect, it } from "@jest/globals";
import { statusModel } from "../../../../agent/discover/status/model.ts";
import {
  fullnessOf,
  livesOf,
  skippedOf,
  stateOf,
  unreadyOf,
} from "../../../../agent/discover/status/view.ts";
import { State } from "../../../../agent/host/state.ts";
import type { Desired } from "../../../../lib/discovery/desired.ts";
import type { Life } from "../../../../lib/docker/life.ts";
import { Unavailable } from "../../../../lib/kit/failure.ts";
import type { Waiting } from "../../../../lib/route53/flow/zone-writer.ts";
import type { Published } from "../../../../lib/route53/plan.ts";
import { keyOf, type RecordKey, type RecordSet } from "../../../../lib/route53/record-set.ts";
import {
  container,
  containerId,
  del,
  owner,
  record,
  upsert,
  ZONE,
} from "../../../support/build.ts";
import { fakeClock } from "../../../support/fake-clock.ts";

const BOOT_MS = 1_795_000_000_000;

const serves = (...records: RecordSet[]): Desired => ({
  kind: "serve",
  records,
  source: "ecs",
  well: true,
  problems: [],
});
const absent = (reason: "bad-name" | "stopping" | "gone"): Desired => ({
  kind: "absent",
  reason,
  detail: `because ${reason}`,
});

function bench() {
  const clock = fakeClock();
  const known = statusModel({
    clock,
    unixMs: () => BOOT_MS + clock.now(),
    version: "1.2.3",
    dryRun: false,
    workers: 5,
  });
  const desired = new Map<RecordKey, RecordSet>();
  const published = new Map<RecordKey, Published>();
  const waiting: Waiting[] = [];
  return {
    ...known,
    // As those who ask for one thing see it.
    unready: () => {
      const { memory, standing } = known.snapshot();
      return unreadyOf(memory, standing);
    },
    fullness: () => fullnessOf(known.snapshot().memory.groups),
    lives: () => livesOf(known.snapshot().memory.rows),
    skipped: () => skippedOf(known.snapshot().memory.rows),
    lastMiss: () => known.snapshot().memory.lastMiss,
    clock,
    desired,
    published,
    waiting,
    begin() {
      known.found({ kind: "host", owner, cluster: "prod" });
      known.found({ kind: "zone", id: "Z1", name: ZONE, recordSets: 2 });
      known.streamOpened();
      known.found({
        kind: "parts",
        queue: { size: () => ({ waiting: 1, working: 2, later: 3 }), holds: () => false },
        desired: { ids: () => [], records: () => desired },
      });
      known.found({
        kind: "writer",
        standing: () => ({
          published,
          waiting,
          underWay: [],
          settledAtMs: undefined,
          overdueSinceMs: undefined,
          turnedAwaySinceMs: undefined,
        }),
      });
    },
    see: (n: number, what: Desired, life: Life = "healthy", againInMs?: number) =>
      known.seen(containerId(n), {
        container: container(n),
        desired: what,
        life,
        ...(againInMs !== undefined && { againInMs }),
      }),
    /** As a client reads it. */
    shown: (problems: readonly string[] = []) =>
      State.parse(JSON.parse(JSON.stringify(stateOf(known.snapshot(), problems)))),
  };
}

describe("the state", () => {
  it("can be read from the first moment on, before anything is found", () => {
    const state = bench().shown(["Docker's event stream is not open"]);
    expect(state).toMatchObject({
      agent: { version: "1.2.3", startedAt: 1_795_000_001 },
      health: {
        ok: false,
        ready: false,
        problems: ["Docker's event stream is not open", expect.stringContaining("the ECS agent")],
      },
      flow: { stream: { open: false }, queue: { workers: 5 } },
      containers: [],
    });
    expect(state).not.toHaveProperty("owner");
  });

  it("says what the first sync waits for, from the first moment to the last", () => {
    const { begin, see, waiting, unready, listed, found } = bench();
    const waits = (what: string) => [expect.stringContaining(`it waits for ${what}`)];
    expect(unready()).toEqual(waits("Docker, and for the ECS agent"));
    found({ kind: "host", owner, cluster: "prod" });
    expect(unready()).toEqual(waits("Route 53 to say which zone"));
    found({ kind: "zone", id: "Z1", name: ZONE, recordSets: 2 });
    expect(unready()).toEqual(waits("Docker's list"));
    listed([containerId(1), containerId(2)]);
    see(1, absent("gone"));
    expect(unready()).toEqual(waits("1 of the listed containers"));
    see(2, serves(record(2)));
    listed([containerId(3)]);
    expect(unready()).toEqual(waits("the records that this host has already"));
    begin();
    waiting.push({ change: upsert(record(2)) });
    expect(unready()).toEqual(waits("1 change to be accepted"));
  });

  it("shows of each record how it fares", () => {
    const { begin, see, desired, published, waiting, shown } = bench();
    begin();
    const all = [1, 2, 3, 4, 5].map((n) => record(n));
    const [there, waits, doubtful, refused] = all as [RecordSet, RecordSet, RecordSet, RecordSet];
    for (const one of [there, waits, doubtful, refused]) desired.set(keyOf(one), one);
    published.set(keyOf(there), { record: there, certain: true });
    published.set(keyOf(doubtful), { record: doubtful, certain: false });
    waiting.push(
      { change: upsert(waits) },
      { change: upsert(doubtful) },
      { change: upsert(refused), refused: { message: "no", untilMs: 301_000 } },
    );
    see(1, serves(...all));
    const state = shown();
    expect(state.containers[0]?.records.map(({ standing }) => standing)).toEqual([
      "published",
      "pending",
      "uncertain",
      "refused",
      "withheld",
    ]);
    expect(state.pending[2]?.refused).toEqual({ message: "no", retryAt: 1_795_000_301 });
    expect(state.flow.records).toEqual({ desired: 4, published: 2, pending: 3, refused: 1 });
  });

  it("says since when a container is so, however often it is looked at, and forgets it when it ends", async () => {
    const { see, shown, clock } = bench();
    see(1, absent("bad-name"));
    await clock.advance(5_000);
    see(1, absent("bad-name"));
    see(2, absent("stopping"), "stopping", 120_000);
    const [bad, stopping] = shown().containers;
    expect(bad).toMatchObject({
      name: "web-1",
      reason: "bad-name",
      since: 1_795_000_001,
      lookedAt: 1_795_000_006,
    });
    expect(stopping).toMatchObject({ life: "stopping", againAt: 1_795_000_126 });
    expect(shown().skipped).toEqual({ "bad-name": 1 });
    see(1, absent("gone"), "dead");
    expect(shown().containers).toHaveLength(1);
    expect(shown().skipped).toEqual({});
  });

  it("holds the last 50 changes, the newest first, each with its cause", () => {
    const { wrote, shown } = bench();
    const cause = { container: containerId(1), name: "web-1", reason: "stopping", seconds: 0.5 };
    for (let n = 0; n < 60; n += 1)
      wrote({ kind: "landed", changes: [del(record(n))] }, () => cause);
    wrote(
      { kind: "refused", change: upsert(record(9)), message: "no", retryMs: 1 },
      () => undefined,
    );
    const { changes } = shown();
    expect(changes).toHaveLength(50);
    expect(changes[0]).toMatchObject({ seq: 61, result: "refused", message: "no" });
    expect(changes[1]).toMatchObject({
      seq: 60,
      action: "DELETE",
      result: "accepted",
      containerName: "web-1",
      reason: "stopping",
      seconds: 0.5,
    });
  });

  it("sums up failures, keeps the last 20 kinds, and tells throttling apart", async () => {
    const { asked, shown, clock } = bench();
    const fails = (message: string, demand?: "fewer") =>
      asked({
        system: "Route 53",
        operation: "ChangeResourceRecordSets",
        result: demand === undefined ? "unavailable" : "throttled",
        seconds: 1,
        problem: new Unavailable("Route 53", message, { ...(demand && { demand }) }),
      });
    for (let n = 0; n < 17; n += 1) {
      fails("is away");
      await clock.advance(1_000);
    }
    fails("is busy", "fewer");
    expect(shown().errors).toMatchObject([
      { message: "Route 53 is busy", times: 1 },
      { message: "Route 53 is away", times: 17, firstAt: 1_795_000_001, lastAt: 1_795_000_017 },
    ]);
    expect(shown().flow.requests).toMatchObject({ total: 18, failed: 18, throttled: 1 });
    for (let n = 0; n < 100; n += 1) fails(`fails in way ${n}`);
    expect(shown().errors).toHaveLength(20);
  });

  it("shows of each name what is ours, and what the last look at the zone found", () => {
    const { begin, published, read, shown, fullness } = bench();
    begin();
    for (const n of [1, 2]) {
      published.set(keyOf(record(n)), { record: record(n, { weight: 3 }), certain: true });
    }
    const { name } = record(1);
    expect(shown().names).toEqual([{ name, type: "A", own: 2, ownWeight: 6 }]);
    read({
      name,
      own: [],
      types: new Map([["A", { size: 85, weight: 90 }]]),
      instances: [],
    });
    expect(shown().names[0]?.zone).toEqual({ size: 85, weight: 90, at: 1_795_000_001 });
    expect(fullness()).toEqual({ fullest: 85, nearlyFull: 1 });
    // A name that is no longer ours is forgotten with the next look.
    published.clear();
    read({ name: "other", own: [], types: new Map(), instances: [] });
    expect(fullness()).toEqual({ fullest: 0, nearlyFull: 0 });
  });
});

it("remembers a bounded number of ids, the latest, and those of containers that run", () => {
  const { heard, knows, see } = bench();
  see(20_000, serves(record(1)));
  for (let n = 0; n <= 10_000; n += 1) heard(containerId(n));
  expect([knows(containerId(0)), knows(containerId(1)), knows(containerId(10_000))]).toEqual([
    false,
    true,
    true,
  ]);
  expect(knows(containerId(20_000))).toBe(true);
});
