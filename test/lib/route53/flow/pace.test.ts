import { describe, expect, it } from "@jest/globals";
import { pace } from "../../../../lib/route53/flow/pace.ts";
import { fakeClock } from "../../../support/fake-clock.ts";

function bench(hosts: number, chance = 0.5) {
  const clock = fakeClock();
  return { clock, rate: pace({ clock, random: () => chance, hosts: () => hosts }) };
}

describe("the pace of one host", () => {
  it("is unlimited while nothing was throttled", () => {
    const { rate } = bench(1_000);
    for (let n = 0; n < 100; n += 1) {
      rate.sent();
      rate.accepted();
      expect(rate.waitMs()).toBe(0);
    }
  });

  it("is its turn among the hosts it knows of, once throttled: anywhere within the first gap, then a gap apart", () => {
    const waits = [0, 0.5, 0.999].map((chance) => {
      const { rate } = bench(80, chance);
      rate.throttled();
      return Math.round(rate.waitMs());
    });
    expect(waits).toEqual([500, 5_250, 9_991]);
    const { rate } = bench(80);
    rate.throttled();
    rate.sent();
    expect(rate.waitMs()).toBe(10_000);
  });

  it("slows down further only after many throttled requests in a row, and recovers with each success", () => {
    const { rate } = bench(8);
    const gaps = (times: number, tell: () => void) =>
      Array.from({ length: times }, () => {
        tell();
        rate.sent();
        return Math.round(rate.waitMs());
      });
    expect(gaps(6, rate.throttled)).toEqual([1_000, 1_000, 1_000, 1_000, 1_000, 1_000]);
    expect(gaps(2, rate.throttled)).toEqual([2_000, 4_000]);
    expect(gaps(2, rate.accepted)).toEqual([3_600, 3_240]);
  });

  it("is never slower than one request in five minutes", () => {
    const { rate } = bench(100_000);
    rate.throttled();
    rate.sent();
    expect(rate.waitMs()).toBe(300_000);
  });

  it("is forgotten after a time without throttling", async () => {
    const { rate, clock } = bench(80);
    rate.throttled();
    await clock.advance(80_000);
    rate.sent();
    expect(rate.waitMs()).toBe(0);
  });

  it("is not changed by meeting another host's change in the zone", () => {
    const { rate } = bench(1_000);
    rate.sent();
    rate.collided();
    expect(rate.waitMs()).toBe(0);
  });

  it("has a gap of its own for looks, which takes no change's turn", () => {
    const { rate } = bench(10);
    rate.looked();
    expect(rate.lookWaitMs()).toBe(10_000);
    expect(rate.waitMs()).toBe(0);
  });
});
