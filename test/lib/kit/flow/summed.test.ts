import { expect, it } from "@jest/globals";
import { type Again, summed } from "../../../../lib/kit/flow/summed.ts";
import { fakeClock, settle } from "../../../support/fake-clock.ts";

function bench() {
  const clock = fakeClock();
  const stop = new AbortController();
  const sum = summed<string>({ clock, windowMs: 60_000, stop: stop.signal });
  const told: (readonly [string, Again | undefined])[] = [];
  return {
    clock,
    stop,
    told,
    happens: (key: string) => sum(key, (again) => void told.push([key, again])),
  };
}

it("the first is told at once; what repeats it is told once, at the window's end, with how often", async () => {
  const { clock, told, happens } = bench();
  happens("a");
  for (let n = 0; n < 17; n += 1) happens("a");
  expect(told).toEqual([["a", undefined]]);
  await clock.advance(59_999);
  expect(told).toHaveLength(1);
  await clock.advance(1);
  expect(told.slice(1)).toEqual([["a", { times: 17, seconds: 60 }]]);
});

it("while it goes on that is one line a window, and after a silent window the next is a first one", async () => {
  const { clock, told, happens } = bench();
  for (let n = 0; n < 180; n += 1) {
    happens("a");
    await clock.advance(1_000);
  }
  expect(told.map(([, again]) => again?.times)).toEqual([undefined, 59, 60, 60]);
  await clock.advance(120_000);
  expect(told).toHaveLength(4);
  happens("a");
  expect(told.at(-1)).toEqual(["a", undefined]);
});

it("different things do not hide each other", () => {
  const { told, happens } = bench();
  happens("a");
  happens("b");
  expect(told).toEqual([
    ["a", undefined],
    ["b", undefined],
  ]);
});

it("at the stop what is still to be told is told, and nothing is held back from then on", async () => {
  const { clock, stop, told, happens } = bench();
  happens("a");
  happens("a");
  await clock.advance(5_000);
  stop.abort();
  await settle();
  expect(told).toEqual([
    ["a", undefined],
    ["a", { times: 1, seconds: 5 }],
  ]);
  happens("a");
  happens("a");
  expect(told).toHaveLength(4);
  expect(clock.sleepers).toBe(0);
});

it("remembers a bounded number of things, and then tells each at once", () => {
  const { clock, told, happens } = bench();
  for (let n = 0; n < 1_000; n += 1) happens(String(n));
  expect(told).toHaveLength(1_000);
  expect(clock.sleepers).toBe(100);
});
