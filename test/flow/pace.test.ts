import { describe, expect, it } from "@jest/globals";
import { pace } from "../../lib/flow/pace.ts";
import { fakeClock } from "../support/fake-clock.ts";

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

  it("is an equal share of four fifths of the account's rate once throttled", () => {
    const { rate } = bench(80);
    rate.throttled();
    expect(rate.waitMs()).toBe(10_000);
  });

  it("halves with each throttling, down to an eighth of the share", () => {
    const { rate } = bench(8);
    const waits = Array.from({ length: 6 }, () => {
      rate.throttled();
      return rate.waitMs();
    });
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 8_000, 8_000]);
  });

  it("grows with each success, until it is unlimited again", () => {
    const { rate } = bench(1);
    rate.throttled();
    for (let n = 0; n < 10; n += 1) rate.accepted();
    rate.sent();
    expect(rate.waitMs()).toBe(0);
  });

  it("lets a host that was silent for long enough send at once", async () => {
    const { rate, clock } = bench(80);
    rate.throttled();
    await clock.advance(10_000);
    expect(rate.waitMs()).toBe(0);
  });

  it("is jittered, so that hosts that were throttled together come back apart", () => {
    const waits = [0, 0.25, 0.999].map((chance) => {
      const { rate } = bench(80, chance);
      rate.throttled();
      return Math.round(rate.waitMs());
    });
    expect(waits).toEqual([5_000, 7_500, 14_990]);
  });
});
