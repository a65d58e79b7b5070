import { describe, expect, it } from "@jest/globals";
import type { InstanceId } from "../../../../lib/ecs/arn.ts";
import type { FleetReport, Word } from "../../../../lib/fleet/flow/owners.ts";
import { zoneFleet } from "../../../../lib/fleet/flow/zone-fleet.ts";
import { ROUTE53_BATCH } from "../../../../lib/route53/batches.ts";
import type { Submission } from "../../../../lib/route53/flow/zone-writer.ts";
import type { Change } from "../../../../lib/route53/plan.ts";
import { keyOf, type RecordSet } from "../../../../lib/route53/record-set.ts";
import { del, owner, record, upsert } from "../../../support/build.ts";
import { fakeClock, settle } from "../../../support/fake-clock.ts";

/** A fleet over a zone that answers when the test says so. */
function fleetWithSlowZone() {
  const clock = fakeClock();
  const requests: { readonly changes: readonly Change[]; accept(): Promise<void> }[] = [];
  const released: InstanceId[] = [];
  const reports: FleetReport[] = [];
  let horizonMs = 0;
  const fleet = zoneFleet({
    found: new Map(),
    readAtMs: clock.now(),
    horizonMs: 0,
    joint: {
      submit(changes, sentMs) {
        const { promise, resolve } = Promise.withResolvers<Submission>();
        requests.push({
          changes,
          async accept() {
            horizonMs = Math.max(horizonMs, sentMs);
            resolve({ kind: "accepted" });
            await settle();
          },
        });
        return promise;
      },
      stood(sentMs) {
        horizonMs = Math.max(horizonMs, sentMs);
      },
      horizonMs: () => horizonMs,
    },
    group: async (_, name) => ({ name, own: [], foreign: [], instances: [] }) as never,
    limits: ROUTE53_BATCH,
    clock,
    random: () => 0.5,
    unixMs: clock.now,
    force: false,
    report: (one) => reports.push(one),
    release: (one) => released.push(one),
    fail(error) {
      throw error;
    },
  });
  let seq = 0;
  const word = (records: readonly RecordSet[], last = false): Word => {
    seq += 1;
    return {
      owner: owner.instance,
      set: {
        records: new Map(records.map((one) => [keyOf(one), one])),
        keeps: new Set(),
        drain: last,
        leaves: last,
      },
      stamp: { epoch: 1, seq, sentMs: clock.now() + seq, startedMs: clock.now() },
      direct: false,
    };
  };
  return { fleet, clock, requests, released, reports, word };
}

describe("a word that comes while the owner's request is under way", () => {
  const [one, two, three, four] = [record(1), record(2), record(3), record(4)];

  it("removes what that request adds, though nothing of it was there yet", async () => {
    const { fleet, clock, requests, released, reports, word } = fleetWithSlowZone();
    fleet.take(word([one, two, three, four]));
    await settle();
    expect(requests.map(({ changes }) => changes)).toEqual([
      [upsert(one), upsert(two), upsert(three), upsert(four)],
    ]);
    const last = word([], true);
    fleet.take(last);
    await settle();
    // Nothing is done with before the zone has answered.
    expect(fleet.done(owner.instance)).toBeUndefined();
    expect(released).toEqual([]);
    await requests[0]?.accept();
    await clock.advance(10_000);
    expect(requests[1]?.changes).toEqual([del(one), del(two), del(three), del(four)]);
    expect(fleet.done(owner.instance)).toBeUndefined();
    await requests[1]?.accept();
    expect(fleet.done(owner.instance)).toEqual(last.stamp);
    expect(reports.map(({ kind }) => kind)).toContain("left");
    expect(fleet.size()).toBe(0);
    await fleet.close();
  });

  it("removes the one record that it no longer holds", async () => {
    const { fleet, clock, requests, word } = fleetWithSlowZone();
    fleet.take(word([one]));
    await settle();
    fleet.take(word([two]));
    await settle();
    await requests[0]?.accept();
    await clock.advance(10_000);
    expect(requests[1]?.changes).toEqual([del(one), upsert(two)]);
    await requests[1]?.accept();
    await fleet.close();
  });

  it("is done with once that request has landed, where it asks for the same", async () => {
    const { fleet, clock, requests, word } = fleetWithSlowZone();
    fleet.take(word([one]));
    await settle();
    const again = word([one]);
    fleet.take(again);
    await settle();
    expect(fleet.done(owner.instance)).toBeUndefined();
    await requests[0]?.accept();
    await clock.advance(10_000);
    expect(requests).toHaveLength(1);
    expect(fleet.done(owner.instance)).toEqual(again.stamp);
    await fleet.close();
  });

  it("finds what it has left behind when an owner that fell silent speaks again", async () => {
    const { fleet, clock, requests, word } = fleetWithSlowZone();
    fleet.take(word([one, two, three]));
    await settle();
    await clock.advance(1_300_000);
    fleet.tend();
    await settle();
    expect(fleet.counts()).toMatchObject({ heard: 0, silent: 1 });
    await requests[0]?.accept();
    expect(fleet.size()).toBe(3);
    fleet.take(word([three]));
    await settle();
    await clock.advance(10_000);
    expect(requests[1]?.changes).toEqual([del(one), del(two)]);
    await requests[1]?.accept();
    await fleet.close();
  });
});
