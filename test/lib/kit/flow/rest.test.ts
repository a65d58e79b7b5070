import { describe, expect, it } from "@jest/globals";
import { doorbell } from "../../../../lib/kit/flow/doorbell.ts";
import { rest } from "../../../../lib/kit/flow/rest.ts";
import { fakeClock, settle } from "../../../support/fake-clock.ts";

function resting(untilMs: (nowMs: number) => number) {
  const clock = fakeClock();
  const bell = doorbell();
  const stop = new AbortController();
  const state = { isOver: false };
  const over = rest({ clock, bell }, untilMs(clock.now()), stop.signal).then(() => {
    state.isOver = true;
  });
  return { clock, bell, stop, state, over };
}

describe("a rest", () => {
  it("ends at its moment, not before", async () => {
    const { clock, state } = resting((nowMs) => nowMs + 100);
    await clock.advance(99);
    expect(state.isOver).toBe(false);
    await clock.advance(1);
    expect(state.isOver).toBe(true);
  });

  it("is over at once for a moment that has passed", async () => {
    const { clock, state } = resting((nowMs) => nowMs - 1);
    await clock.advance(0);
    expect(state.isOver).toBe(true);
  });

  it.each(["ring", "stop"] as const)("ends at a %s, and leaves no sleeper behind", async (what) => {
    const { clock, bell, stop, state } = resting((nowMs) => nowMs + 100);
    await settle();
    if (what === "ring") bell.ring();
    else stop.abort();
    await settle();
    expect(state.isOver).toBe(true);
    expect(clock.sleepers).toBe(0);
  });

  it("for no moment sleeps for none", async () => {
    const { clock, bell, state, over } = resting(() => Number.POSITIVE_INFINITY);
    await settle();
    expect(clock.sleepers).toBe(0);
    expect(state.isOver).toBe(false);
    bell.ring();
    await over;
  });
});
