import { describe, expect, it } from "@jest/globals";
import { Unavailable } from "../../../../lib/kit/failure.ts";
import { del, owner, record, upsert } from "../../../support/build.ts";
import { settle } from "../../../support/fake-clock.ts";
import { fleetWithSlowZone, tableOf } from "../../../support/slow-fleet.ts";

describe("a word that comes while the owner's request is under way", () => {
  const [one, two, three, four] = [record(1), record(2), record(3), record(4)];

  it("removes what that request adds, though nothing of it was there yet", async () => {
    const { fleet, clock, requests, released, reports, word } = fleetWithSlowZone();
    fleet.take(word([one, two, three, four]));
    await settle();
    expect(requests.map(({ changes }) => changes)).toEqual([
      [upsert(one), upsert(two), upsert(three), upsert(four)],
    ]);
    const last = word([], { drain: true, leaves: true });
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

describe("a last word that Route 53 refuses", () => {
  it("is not the last that is done: its owner leaves only when all of it is in the zone", async () => {
    const one = record(1);
    const { fleet, clock, requests, word, kinds } = fleetWithSlowZone({ found: [one] });
    fleet.take(word([], { drain: true, leaves: true }));
    await settle();
    await requests[0]?.refuse("[nobody knows these words]");
    await clock.advance(10_000);
    fleet.tend();
    expect(kinds()).not.toContain("left");
    expect(fleet.done(owner.instance)).toBeDefined();
    await clock.advance(300_000);
    expect(requests[1]?.changes).toEqual([del(one)]);
    await requests[1]?.accept();
    await clock.advance(1_000);
    fleet.tend();
    await settle();
    expect(kinds()).toContain("left");
    expect(fleet.size()).toBe(0);
    await fleet.close();
  });
});

describe("a word that takes most records away", () => {
  const all = [1, 2, 3, 4].map((n) => record(n));

  it("is held, too, while those records are only under way to the zone", async () => {
    const { fleet, clock, requests, word, kinds } = fleetWithSlowZone();
    fleet.take(word(all));
    await settle();
    fleet.take(word([]));
    await requests[0]?.accept();
    await clock.advance(10_000);
    expect(kinds()).toContain("held");
    expect(requests).toHaveLength(1);
    expect(fleet.views()).toMatchObject([{ records: 4, held: 4 }]);
    await fleet.close();
  });

  it("is not held for records that are on their way out already", async () => {
    const { fleet, clock, requests, word, kinds } = fleetWithSlowZone({ found: all });
    fleet.take(word(all.slice(2)));
    await settle();
    expect(requests[0]?.changes).toHaveLength(2);
    fleet.take(word(all.slice(3)));
    await requests[0]?.accept();
    await clock.advance(10_000);
    expect(kinds()).not.toContain("held");
    expect(requests[1]?.changes).toHaveLength(1);
    await requests[1]?.accept();
    await fleet.close();
  });

  it("is given up, and may be deleted from the queue, when its owner falls silent before it says so again", async () => {
    const { fleet, clock, released, word, kinds } = fleetWithSlowZone({ found: all });
    fleet.take(word([]));
    await settle();
    expect(kinds()).toContain("held");
    expect(released).toEqual([]);
    await clock.advance(1_300_000);
    fleet.tend();
    await settle();
    expect(released).toEqual([owner.instance]);
    expect(fleet.size()).toBe(4);
    await fleet.close();
  });
});

describe("a word whose deletes are stopped, as those of a fifth of the zone are", () => {
  const all = Array.from({ length: 40 }, (_, n) => record(n + 1));

  it("is not done with, though nothing of it is sent", async () => {
    const { fleet, clock, requests, released, word, kinds } = fleetWithSlowZone({ found: all });
    fleet.take(word(all.slice(0, 10), { drain: true }));
    await clock.advance(10_000);
    expect(kinds()).toContain("stopped");
    // It says the same again while they are.
    fleet.take(word(all.slice(0, 10), { drain: true }));
    await clock.advance(10_000);
    expect(requests).toEqual([]);
    expect(released).toEqual([]);
    expect(fleet.done(owner.instance)).toBeUndefined();
    await fleet.close();
  });

  it("counts what is deleted once, however often its answer gets lost", async () => {
    const { fleet, clock, requests, word, kinds } = fleetWithSlowZone({ found: all });
    fleet.take(word(all.slice(6)));
    await settle();
    for (const at of [0, 1]) {
      expect(requests[at]?.changes).toHaveLength(6);
      await requests[at]?.fail(new Unavailable("Route 53", "is silent"));
      await clock.advance(10_000);
    }
    await requests[2]?.accept();
    await clock.advance(1_000);
    expect(kinds()).not.toContain("stopped");
    expect(fleet.size()).toBe(34);
    await fleet.close();
  });
});

describe("a look at the zone that ends while a request is under way", () => {
  const [one, two] = [record(1), record(2)];

  it("takes what that request has added already for nobody else's", async () => {
    const { fleet, clock, requests, released, word, kinds } = fleetWithSlowZone({ found: [one] });
    const begun = clock.now();
    await clock.advance(1_000);
    const said = word([one, two]);
    fleet.take(said);
    await settle();
    expect(requests[0]?.changes).toEqual([upsert(two)]);
    // The zone has it, and its answer is still on the way.
    const compared = fleet.compare(new Map([[owner.instance, tableOf([one, two])]]), begun);
    await settle();
    await requests[0]?.accept();
    await clock.advance(10_000);
    await compared;
    expect(kinds()).not.toContain("drift");
    expect(kinds()).not.toContain("silent");
    expect(fleet.done(owner.instance)).toEqual(said.stamp);
    expect(released).toContain(owner.instance);
    expect(requests).toHaveLength(1);
    await fleet.close();
  });

  it("still finds what somebody else has changed meanwhile", async () => {
    const { fleet, clock, requests, word, acceptAll } = fleetWithSlowZone({ found: [one, two] });
    fleet.take(word([one, two]));
    await clock.advance(1_000);
    const begun = clock.now();
    await clock.advance(1_000);
    const compared = fleet.compare(new Map([[owner.instance, tableOf([one])]]), begun);
    await acceptAll();
    await compared;
    expect(requests.map(({ changes }) => changes)).toEqual([[upsert(two)]]);
    await fleet.close();
  });

  it("does not settle what came to be doubted after it began", async () => {
    const { fleet, clock, word } = fleetWithSlowZone({ found: [one] });
    fleet.take(word([one], { direct: true }));
    await clock.advance(1_000);
    const { owners, names } = fleet.unsure();
    const begun = clock.now();
    await clock.advance(1_000);
    fleet.take(word([one], { direct: true }));
    await fleet.settle(owners, new Map([[owner.instance, tableOf([one])]]), names, begun);
    expect(fleet.unsure().owners.size).toBe(1);
    await fleet.settle(owners, new Map([[owner.instance, tableOf([one])]]), names, clock.now() + 1);
    expect(fleet.unsure().owners.size).toBe(0);
    await fleet.close();
  });
});

describe("an owner that speaks again while its last request is still under way", () => {
  it("waits for its answer, so that no two of its requests overtake each other", async () => {
    const [one, two, three] = [record(1), record(2), record(3)];
    const { fleet, clock, requests, word, acceptAll } = fleetWithSlowZone();
    fleet.take(word([one, two]));
    await settle();
    await clock.advance(1_300_000);
    fleet.tend();
    await settle();
    expect(fleet.counts()).toMatchObject({ heard: 0, silent: 1 });
    fleet.take(word([two]));
    fleet.take(word([three]));
    await clock.advance(10_000);
    expect(requests).toHaveLength(1);
    await requests[0]?.accept();
    await clock.advance(10_000);
    expect(requests[1]?.changes).toEqual([del(one), del(two), upsert(three)]);
    await acceptAll();
    expect(fleet.views()).toMatchObject([{ records: 1, pending: 0 }]);
    await fleet.close();
  });
});
