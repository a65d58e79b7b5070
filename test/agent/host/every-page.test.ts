import { expect, it } from "@jest/globals";
import { everyPage } from "../../../agent/host/every-page.ts";
import { fakeClock } from "../../support/fake-clock.ts";

const PAGES = 34;

it("a long list is read a few pages at once and then in a pace that leaves requests for others", async () => {
  const clock = fakeClock();
  const atMs: number[] = [];
  const read = async (cursor: number | undefined) => {
    atMs.push(clock.now());
    const next = (cursor ?? 0) + 1;
    return next < PAGES ? { next } : {};
  };
  const pages = everyPage(read, (act) => act(), { clock, stop: new AbortController().signal });
  await clock.advance(60_000);
  expect(await pages).toHaveLength(PAGES);
  const [first = 0] = atMs;
  const inASecond = (from: number) => atMs.filter((at) => at >= from && at < from + 1_000).length;
  expect(atMs.filter((at) => at === first).length).toBeLessThanOrEqual(5);
  expect(Math.max(...atMs.slice(5).map(inASecond))).toBeLessThanOrEqual(2);
});

it("ends between two pages when it is told to stop", async () => {
  const clock = fakeClock();
  const stop = new AbortController();
  let read = 0;
  const pages = everyPage(
    async () => {
      read += 1;
      return { next: read };
    },
    (act) => act(),
    { clock, stop: stop.signal },
  );
  pages.catch(() => {});
  await clock.advance(1_000);
  const reason = new Error("asked to stop");
  stop.abort(reason);
  await expect(pages).rejects.toBe(reason);
});
