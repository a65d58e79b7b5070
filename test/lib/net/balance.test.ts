import { describe, expect, it, test } from "@jest/globals";
import fc from "fast-check";
import { choose, poolOf } from "../../../lib/net/balance.ts";

const of = (...weights: readonly number[]) =>
  poolOf(weights.map((weight, n) => ({ n, weight, open: 0 })));

test("nobody is chosen of nobody, and the only one always", () => {
  expect(choose(of(), "p2c", 0.5, 0.5)).toBeUndefined();
  expect(choose(of(3), "p2c", 0.99, 0.99)?.n).toBe(0);
});

describe("random", () => {
  test.each([
    [[1, 1, 1, 1], 0.3, 1],
    [[1, 1, 1, 1], 0.999, 3],
    [[5, 1], 0.8, 0],
    [[5, 1], 0.84, 1],
    [[1, 2, 1], 0.25, 1],
    [[1, 2, 1], 0.75, 2],
  ])("of the weights %j at the chance %d is number %d", (weights, chance, expected) => {
    expect(choose(of(...weights), "random", chance, 0)?.n).toBe(expected);
  });

  it("gives each its share", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 8 }),
        (weights) => {
          const pool = of(...weights);
          const total = weights.reduce((sum, weight) => sum + weight, 0);
          const got = weights.map(() => 0);
          for (let at = 0; at < total; at += 1) {
            const n = choose(pool, "random", (at + 0.5) / total, 0)?.n ?? -1;
            got[n] = (got[n] ?? 0) + 1;
          }
          expect(got).toEqual(weights);
        },
      ),
    );
  });
});

describe("p2c", () => {
  const pool = poolOf([
    { n: 0, weight: 1, open: 9 },
    { n: 1, weight: 1, open: 3 },
    { n: 2, weight: 1, open: 5 },
  ]);
  it("takes the one with fewer open connections of two different ones", () => {
    expect(choose(pool, "p2c", 0, 0)?.n).toBe(2);
    expect(choose(pool, "p2c", 0, 0.9)?.n).toBe(1);
    expect(choose(pool, "p2c", 0.9, 0)?.n).toBe(2);
  });
  it("counts a connection by the weight", () => {
    const heavy = poolOf([
      { n: 0, weight: 10, open: 9 },
      { n: 1, weight: 1, open: 1 },
    ]);
    expect(choose(heavy, "p2c", 0, 0)?.n).toBe(0);
    expect(choose(heavy, "p2c", 0.99, 0)?.n).toBe(0);
  });
  it("draws each pair of different ones equally often, and never one twice", () => {
    const pairs = new Map<string, number>();
    for (let first = 0; first < 3; first += 1) {
      for (let second = 0; second < 2; second += 1) {
        const one = choose(pool, "random", (first + 0.5) / 3, 0);
        // The other one is who is taken when it has fewer.
        const both = [{ n: 0 }, { n: 1 }, { n: 2 }].map(({ n }) => ({
          n,
          weight: 1,
          open: n === one?.n ? 1 : 0,
        }));
        const other = choose(poolOf(both), "p2c", (first + 0.5) / 3, (second + 0.5) / 2);
        expect(other?.n).not.toBe(one?.n);
        const key = `${one?.n} ${other?.n}`;
        pairs.set(key, (pairs.get(key) ?? 0) + 1);
      }
    }
    expect(pairs.size).toBe(6);
  });
});
