import { expect, it, test } from "@jest/globals";
import { sampleOf, slope } from "./soak/measure.ts";

test.each([
  [
    "a line",
    [
      [0, 1],
      [1, 3],
      [2, 5],
    ],
    2,
  ],
  [
    "a level",
    [
      [2, 7],
      [3, 7],
      [9, 7],
    ],
    0,
  ],
  // By hand: mean (1, 2), covariance 1/3, variance 2/3.
  [
    "points beside the line",
    [
      [0, 1],
      [1, 3],
      [2, 2],
    ],
    0.5,
  ],
  [
    "a fall",
    [
      [0, 4],
      [2, 0],
    ],
    -2,
  ],
] as const)("the slope of %s", (_, points, expected) => {
  expect(slope(points)).toBeCloseTo(expected, 10);
});

it("is no number for one point", () => {
  expect(slope([[1, 1]])).toBeNaN();
  expect(slope([])).toBeNaN();
});

it("a sample says what a process takes", () => {
  const sample = sampleOf(process.pid, 3);
  expect(sample.minute).toBe(3);
  expect(sample.rssMb).toBeGreaterThan(10);
  expect(sample.descriptors).toBeGreaterThan(3);
});
