import { describe, expect, it, test } from "@jest/globals";
import fc from "fast-check";
import { median, percentile } from "./bench/stats.ts";
import { alignedTable, ratio } from "./bench/table.ts";

const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
const values = fc.array(fc.integer(), { minLength: 1, maxLength: 50 });

describe("a percentile", () => {
  test.each([
    [hundred, 0.5, 50],
    [hundred, 0.95, 95],
    [hundred, 1, 100],
    [hundred, 0.001, 1],
    [[10, 2], 0.5, 2],
    [[7], 0.95, 7],
  ])("is the nearest rank", (numbers, share, expected) => {
    expect(percentile(numbers, share)).toBe(expected);
  });

  it("is a measured value that at least its share does not exceed, and no smaller one is", () => {
    fc.assert(
      fc.property(values, fc.double({ min: 0.001, max: 1, noNaN: true }), (numbers, share) => {
        const found = percentile(numbers, share);
        expect(numbers).toContain(found);
        const upTo = (limit: number) => numbers.filter((one) => one <= limit).length;
        expect(upTo(found)).toBeGreaterThanOrEqual(share * numbers.length);
        const smaller = numbers.filter((one) => one < found);
        if (smaller.length > 0) {
          expect(upTo(Math.max(...smaller))).toBeLessThan(share * numbers.length);
        }
      }),
    );
  });

  it("of nothing, or for no share, is an error", () => {
    expect(() => percentile([], 0.5)).toThrow("expected at least one value");
    for (const share of [0, 1.1, -1, Number.NaN]) {
      expect(() => percentile([1], share)).toThrow("expected a share");
    }
  });
});

describe("a median", () => {
  test.each([
    [[3, 1, 2], 2],
    [[4, 1, 3, 2], 2.5],
    [[10, 9], 9.5],
    [[5], 5],
  ])("of %j is %d", (numbers, expected) => {
    expect(median(numbers)).toBe(expected);
  });

  it("leaves the values in their order, and of nothing is an error", () => {
    const numbers = [3, 1, 2];
    median(numbers);
    expect(numbers).toEqual([3, 1, 2]);
    expect(() => median([])).toThrow("expected at least one value");
  });
});

describe("the table", () => {
  it("is aligned: names to the left, numbers to the right", () => {
    expect(
      alignedTable([
        ["measure", "agent", "baseline"],
        ["median", "5 ms", "1000 ms"],
        ["a heading"],
      ]),
    ).toBe(["measure    agent  baseline", "median      5 ms   1000 ms", "a heading"].join("\n"));
  });

  test.each([
    [10, 4, "2.50×"],
    [125, 10, "12.5×"],
    [5_000, 10, "500×"],
    [0, 0, "1×"],
    [3, 0, "-"],
    [0, 3, "0.00×"],
  ])("%d to %d is %s", (of, to, expected) => {
    expect(ratio(of, to)).toBe(expected);
  });
});
