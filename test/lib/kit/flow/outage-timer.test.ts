import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { outageTimer } from "../../../../lib/kit/flow/outage-timer.ts";
import { fakeClock } from "../../../support/fake-clock.ts";

const patient = (limitMs: number, chance = 0.5) => {
  const clock = fakeClock();
  return { clock, ...outageTimer<string>({ clock, random: () => chance, limitMs }) };
};

describe("the outage timer", () => {
  it("waits longer from miss to miss, up to 5 s", () => {
    const { miss } = patient(60_000);
    const delaysMs = Array.from({ length: 7 }, () => miss("a"));
    expect(delaysMs).toEqual([100, 200, 400, 800, 1_600, 2_500, 2_500]);
  });

  it("waits anywhere between nothing and that, so that hosts do not come back together", () => {
    expect(patient(60_000, 0).miss("a")).toBe(0);
    expect(patient(60_000, 0.999).miss("a")).toBeCloseTo(199.8);
  });

  it("ends once the limit has passed since the first miss in a row", async () => {
    const { clock, miss } = patient(1_000);
    expect(miss("a")).toBeDefined();
    await clock.advance(999);
    expect(miss("a")).toBeDefined();
    await clock.advance(1);
    expect(miss("a")).toBeUndefined();
    expect(miss("a")).toBeUndefined();
  });

  it("has its last try on the limit itself", async () => {
    const { clock, miss } = patient(1_000, 0.999);
    miss("a");
    await clock.advance(950);
    expect(miss("a")).toBe(50);
  });

  it("without any ends at the first miss", () => {
    expect(patient(0).miss("a")).toBeUndefined();
  });

  it("is whole again after a hit", async () => {
    const { clock, miss, hit } = patient(1_000);
    miss("a");
    await clock.advance(900);
    hit("a");
    await clock.advance(900);
    expect(miss("a")).toBe(100);
    await clock.advance(999);
    expect(miss("a")).toBeDefined();
  });

  it("is whole again once nobody waits for the end of an outage any more", async () => {
    const { clock, miss, gone } = patient(1_000);
    miss("a", "one");
    miss("a", "other");
    await clock.advance(600);
    gone("one");
    await clock.advance(400);
    expect(miss("a", "other")).toBeUndefined();
    gone("other");
    expect(miss("a", "third")).toBe(100);
  });

  it("is kept for each thing by itself", async () => {
    const { clock, miss, hit } = patient(1_000);
    miss("a");
    await clock.advance(600);
    expect(miss("b")).toBe(100);
    hit("b");
    await clock.advance(400);
    expect(miss("a")).toBeUndefined();
    expect(miss("b")).toBe(100);
  });

  it("whatever chance says: tries never go on past the limit, nor stop short of it", async () => {
    const limits = fc.integer({ min: 0, max: 120_000 });
    const chances = fc.infiniteStream(fc.double({ min: 0.01, max: 0.999, noNaN: true }));
    await fc.assert(
      fc.asyncProperty(limits, chances, async (limitMs, chance) => {
        const clock = fakeClock();
        const startMs = clock.now();
        const { miss } = outageTimer<"a">({ clock, limitMs, random: () => chance.next().value });
        for (let delayMs = miss("a"); delayMs !== undefined; delayMs = miss("a")) {
          expect(delayMs).toBeGreaterThanOrEqual(0);
          await clock.advance(delayMs);
        }
        expect(clock.now() - startMs).toBeCloseTo(limitMs, 3);
      }),
      { numRuns: 30 },
    );
  });
});
