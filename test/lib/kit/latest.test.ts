import { expect, it } from "@jest/globals";
import { latest } from "../../../lib/kit/latest.ts";

it("the latest items are kept, and never twice as many as asked for", () => {
  const list = latest<number>(10);
  for (let n = 1; n <= 1_000; n += 1) {
    list.add(n);
    expect(list.items.length).toBeLessThan(20);
    expect(list.items.at(-1)).toBe(n);
  }
  expect(list.count()).toBe(1_000);
  expect(list.items.length).toBeGreaterThanOrEqual(10);
  list.replace(1_000, -1);
  list.replace(1, -2);
  expect(list.items.at(-1)).toBe(-1);
  expect(list.items).not.toContain(-2);
});
