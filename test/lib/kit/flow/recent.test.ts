import { describe, expect, it } from "@jest/globals";
import { recent } from "../../../../lib/kit/flow/recent.ts";
import { fakeClock } from "../../../support/fake-clock.ts";

const LIMIT_MS = 500;

function counted() {
  const clock = fakeClock();
  let made = 0;
  const values = recent(
    async () => {
      made += 1;
      return made;
    },
    { clock, limitMs: LIMIT_MS },
  );
  return { clock, values, made: () => made };
}

describe("a recent value", () => {
  it("is made once in the time, whoever asks", async () => {
    const { clock, values, made } = counted();
    expect(await Promise.all([values.recent(), values.recent()])).toEqual([1, 1]);
    await clock.advance(LIMIT_MS - 1);
    expect(await values.recent()).toBe(1);
    await clock.advance(1);
    expect(await values.recent()).toBe(2);
    expect(made()).toBe(2);
  });
});

describe("the newest value", () => {
  it("is made after each call, also where none has to be waited for", async () => {
    const { clock, values } = counted();
    for (const value of [1, 2, 3]) {
      expect(await values.newest()).toBe(value);
      await clock.advance(LIMIT_MS);
    }
  });

  it("waits until the time is over, and is shared by all who wait", async () => {
    const { clock, values, made } = counted();
    await values.recent();
    const waiting = Promise.all([values.newest(), values.newest()]);
    await clock.advance(LIMIT_MS - 1);
    expect(made()).toBe(1);
    await clock.advance(1);
    expect(await waiting).toEqual([2, 2]);
  });
});
