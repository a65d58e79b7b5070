import { describe, expect, it } from "@jest/globals";
import { Unavailable } from "../../../../lib/kit/failure.ts";
import { keyOf } from "../../../../lib/route53/record-set.ts";
import { record, upsert, ZONE } from "../../../support/build.ts";
import { settle } from "../../../support/fake-clock.ts";
import { rulesZone } from "../../../support/rules-zone.ts";
import { absolute, bench } from "../../../support/writer-bench.ts";

/** Somebody else's record set number `n` of the name `web`. */
const theirs = (n: number) => ({ ...absolute(record(n)), setIdentifier: `theirs-${n}` });

describe("a name that is full", () => {
  const mine = Array.from({ length: 12 }, (_, n) => record(n));

  it("takes in those that waited as soon as one of this host's own has gone", async () => {
    const { writer, want, drop, zone, stop, clock, refusals } = bench();
    zone.edit(
      ...Array.from({ length: 90 }, (_, n) => ({ action: "UPSERT" as const, record: theirs(n) })),
    );
    want(...mine);
    void writer.run(stop.signal);
    await clock.advance(2_000);
    expect(zone.weighted()).toHaveLength(100);
    expect(refusals()).toHaveLength(2);
    const held = new Set(zone.weighted().map(keyOf));
    drop(...mine.filter((one) => held.has(keyOf(one))).slice(0, 2));
    await clock.advance(2_000);
    expect(zone.weighted()).toHaveLength(100);
    expect(writer.standing().waiting).toEqual([]);
  });

  it("takes them in, too, once a look at it has found room", async () => {
    const { writer, want, zone, stop, clock } = bench([], { auditMs: 60_000 });
    zone.edit(
      ...Array.from({ length: 99 }, (_, n) => ({ action: "UPSERT" as const, record: theirs(n) })),
    );
    want(...mine.slice(0, 2));
    void writer.run(stop.signal);
    await clock.advance(2_000);
    expect(writer.standing().waiting).toHaveLength(1);
    zone.edit({ action: "DELETE", record: theirs(0) });
    await clock.advance(120_000);
    expect(writer.standing().waiting).toEqual([]);
  });
});

describe("a throttled host keeps its turn while it sorts out a refusal", () => {
  const GAP_MS = 125_000;
  const names = Array.from({ length: 30 }, (_, n) => record(n, { name: `web-${n}.${ZONE}` }));
  /** The most requests that fall into one gap of a host whose turn comes every 125 s, on average. */
  const inOneGap = (atMs: readonly number[]) =>
    Math.max(
      ...atMs.map((from) => atMs.filter((one) => one >= from && one < from + GAP_MS).length),
    );

  it("though each of its names has to be read", async () => {
    const { writer, want, zone, stop, clock, requestsAtMs } = bench([], { hosts: 1_000 });
    const other = (n: number) => ({ ...theirs(n), name: `web-${n}.${ZONE}.`, ttlSeconds: 300 });
    zone.edit(...names.map((_, n) => ({ action: "UPSERT" as const, record: other(n) })));
    zone.fates.push("throttled");
    want(...names);
    void writer.run(stop.signal);
    await clock.advance(600_000);
    expect(requestsAtMs.length).toBeGreaterThan(3);
    expect(inOneGap(requestsAtMs)).toBeLessThanOrEqual(3);
  });

  it("though one to blame has to be searched for", async () => {
    const zone = rulesZone();
    const { submit } = zone;
    zone.submit = async (batch) => {
      const answer = await submit(batch);
      const isBad = batch.some(({ record: one }) => one.name.startsWith("web-17."));
      return isBad && answer.kind === "accepted"
        ? { kind: "refused", message: "[Nobody has read this before]" }
        : answer;
    };
    const { writer, want, stop, clock, requestsAtMs } = bench([], { zone, hosts: 1_000 });
    zone.fates.push("throttled");
    want(...names);
    void writer.run(stop.signal);
    await clock.advance(600_000);
    expect(requestsAtMs.length).toBeGreaterThan(3);
    expect(inOneGap(requestsAtMs)).toBeLessThanOrEqual(3);
  });

  it("and what changes meanwhile has its turn, too", async () => {
    const { writer, want, zone, stop, clock } = bench([], { hosts: 8 });
    const other = (n: number) => ({ ...theirs(n), name: `web-${n}.${ZONE}.`, ttlSeconds: 300 });
    zone.edit(...names.map((_, n) => ({ action: "UPSERT" as const, record: other(n) })));
    zone.fates.push("throttled");
    want(...names);
    void writer.run(stop.signal);
    await clock.advance(3_000);
    const late = record(99, { name: `late.${ZONE}` });
    want(late);
    await clock.advance(5_000);
    expect(zone.weighted()).toContainEqual(late);
    expect(zone.reads.length).toBeLessThan(names.length);
  });
});

describe("what a refusal has taught is forgotten with the name", () => {
  it("a name that comes back begins with its own TTL", async () => {
    const { writer, want, drop, zone, stop, clock, told } = bench();
    const other = { ...theirs(1), ttlSeconds: 300 };
    zone.edit({ action: "UPSERT", record: other });
    want(record(1));
    void writer.run(stop.signal);
    await clock.advance(1_000);
    expect(told("adopts-ttl")).toHaveLength(1);
    drop(record(1));
    await clock.advance(1_000);
    zone.edit({ action: "DELETE", record: other });
    want(record(1));
    await clock.advance(1_000);
    expect(zone.weighted()).toEqual([record(1)]);
  });
});

describe("a record that comes and goes", () => {
  it("waits longer before it is added again, never before it is removed, and no other waits with it", async () => {
    const { writer, want, drop, zone, stop, clock, told } = bench();
    void writer.run(stop.signal);
    let adds = 0;
    for (let second = 0; second < 300; second += 1) {
      const before = zone.batches.length;
      want(record(1));
      await clock.advance(500);
      if (zone.weighted().length > 0) adds += 1;
      drop(record(1));
      await clock.advance(500);
      expect(zone.weighted()).toEqual([]);
      expect(zone.batches.length - before).toBeLessThanOrEqual(2);
    }
    expect(adds).toBeGreaterThanOrEqual(8);
    expect(adds).toBeLessThanOrEqual(30);
    expect(told("flaps").length).toBeGreaterThanOrEqual(1);
    want(record(1), record(2));
    await settle();
    expect(zone.weighted()).toEqual([record(2)]);
    expect(writer.standing().waiting).toMatchObject([{ change: upsert(record(1)) }]);
    expect(writer.standing().overdueSinceMs).toBeUndefined();
    await clock.advance(60_000);
    expect(zone.weighted()).toHaveLength(2);
  });

  it("a few times in a minute is held back by nothing", async () => {
    const { writer, want, drop, zone, stop, clock } = bench();
    void writer.run(stop.signal);
    for (let n = 0; n < 6; n += 1) {
      want(record(1));
      await clock.advance(100);
      expect(zone.weighted()).toEqual([record(1)]);
      drop(record(1));
      await clock.advance(100);
    }
  });
});

describe("looking at the writer", () => {
  it("changes nothing, however often and whenever it is done", async () => {
    const runOnce = async (isLookedAt: boolean) => {
      const { writer, want, drop, zone, stop, clock } = bench([], { hosts: 3, auditMs: 30_000 });
      zone.edit({ action: "UPSERT", record: { ...theirs(1), ttlSeconds: 300 } });
      zone.fates.push("answered", "throttled", "request lost");
      void writer.run(stop.signal);
      const trail: unknown[] = [];
      for (let n = 0; n < 40; n += 1) {
        if (n % 3 === 0) want(record(n % 6));
        if (n % 7 === 3) drop(record((n - 3) % 6));
        if (isLookedAt) writer.standing();
        await clock.advance(700);
        if (isLookedAt) for (let again = 0; again < 3; again += 1) writer.standing();
        const { overdueSinceMs, settledAtMs } = writer.standing();
        if (n % 10 === 9) trail.push([overdueSinceMs, settledAtMs, zone.batches.length]);
      }
      return trail;
    };
    expect(await runOnce(true)).toEqual(await runOnce(false));
  });

  it("does not prolong an outage that nobody waits for any more", async () => {
    const { writer, want, drop, zone, stop, clock } = bench();
    zone.submit = async () => {
      throw new Unavailable("Route 53", "is not there", { mayHaveLanded: false });
    };
    const running = writer.run(stop.signal).then(
      () => "ended",
      (error: unknown) => String(error),
    );
    want(record(1));
    await settle();
    drop(record(1));
    await clock.advance(600_000);
    want(record(2));
    await settle();
    await clock.advance(1_000);
    expect(await Promise.race([running, Promise.resolve("still trying")])).toBe("still trying");
  });
});

describe("a request of the agent before, which was under way when this one started", () => {
  it("may land late: its names are looked at once more, and what it left is removed", async () => {
    const { writer, zone, stop, clock, told } = bench([], { doubtful: [record(1).name] });
    void writer.run(stop.signal);
    await clock.advance(5_000);
    zone.edit({ action: "UPSERT", record: absolute(record(1)) });
    await clock.advance(20_000);
    expect(zone.weighted()).toEqual([]);
    expect(told("drift")).toHaveLength(1);
    await clock.advance(600_000);
    expect(zone.reads).toHaveLength(1);
  });
});
