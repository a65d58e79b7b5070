import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { workQueue } from "../../../../lib/kit/flow/work-queue.ts";
import { fakeClock, settle } from "../../../support/fake-clock.ts";

/** Work that begins at once and ends when the test says so. */
function workbench(concurrency = 2, priority?: (key: string) => number) {
  const clock = fakeClock();
  const stop = new AbortController();
  const begun: string[] = [];
  const open = new Map<string, ReturnType<typeof Promise.withResolvers<number | undefined>>>();
  const queue = workQueue<string>({
    concurrency,
    clock,
    stop: stop.signal,
    ...(priority && { priority }),
    work(key) {
      expect(open.has(key)).toBe(false);
      begun.push(key);
      const ending = Promise.withResolvers<number | undefined>();
      open.set(key, ending);
      expect(open.size).toBeLessThanOrEqual(concurrency);
      return ending.promise.finally(() => open.delete(key));
    },
  });
  const end = async (key: string, againInMs?: number) => {
    open.get(key)?.resolve(againInMs);
    await settle();
  };
  return { clock, stop, begun, open, queue, end };
}

describe("promise 4: one container is handled by one worker at a time", () => {
  it("marks of a key that waits collapse into one", async () => {
    const { queue, begun, end } = workbench(1);
    for (const key of ["a", "b", "b", "b"]) queue.mark(key);
    await end("a");
    await end("b");
    expect(begun).toEqual(["a", "b"]);
  });

  it("a key marked while it is worked on is worked on once more, however often it was marked", async () => {
    const { queue, begun, end } = workbench();
    for (const key of ["a", "a", "a", "a"]) queue.mark(key);
    await settle();
    queue.mark("a");
    expect(begun).toEqual(["a"]);
    await end("a");
    expect(begun).toEqual(["a", "a"]);
    await end("a");
    expect(begun).toEqual(["a", "a"]);
  });

  it("at most as many keys as there are workers are worked on at once", async () => {
    const { queue, begun, end } = workbench(2);
    for (const key of ["a", "b", "c"]) queue.mark(key);
    await settle();
    expect(begun).toEqual(["a", "b"]);
    await end("b");
    expect(begun).toEqual(["a", "b", "c"]);
  });

  it("of what waits, what matters more begins first, and otherwise what was marked first", async () => {
    const { queue, begun, end } = workbench(1, (key) => (key.startsWith("!") ? 1 : 0));
    for (const key of ["a", "b", "!c", "d", "!e"]) queue.mark(key);
    for (const key of ["a", "!c", "!e", "b", "d"]) await end(key);
    expect(begun).toEqual(["a", "!c", "!e", "b", "d"]);
  });

  it("whatever the order of marks and ends, each mark is followed by work that began after it", async () => {
    const steps = fc.array(
      fc.tuple(fc.constantFrom("mark", "end"), fc.constantFrom("a", "b", "c")),
      { maxLength: 40 },
    );
    await fc.assert(
      fc.asyncProperty(steps, fc.integer({ min: 1, max: 3 }), async (all, concurrency) => {
        const { queue, begun, open, end } = workbench(concurrency);
        const owed = new Map<string, number>();
        for (const [what, key] of all) {
          if (what === "mark") {
            owed.set(key, begun.filter((one) => one === key).length);
            queue.mark(key);
            await settle();
          } else await end(key);
        }
        while (open.size > 0) for (const key of open.keys()) await end(key);
        for (const [key, before] of owed) {
          expect(begun.filter((one) => one === key).length).toBeGreaterThan(before);
        }
      }),
      { numRuns: 150 },
    );
  });
});

describe("a key to come back to later", () => {
  it("is worked on again after its time, and holds no worker meanwhile", async () => {
    const { queue, begun, end, clock } = workbench(1);
    queue.mark("a");
    await end("a", 500);
    queue.mark("b");
    await end("b");
    await clock.advance(499);
    expect(begun).toEqual(["a", "b"]);
    await clock.advance(1);
    expect(begun).toEqual(["a", "b", "a"]);
  });

  it("is not worked on twice when a mark comes first", async () => {
    const { queue, begun, end, clock } = workbench(1);
    queue.mark("a");
    await end("a", 500);
    queue.mark("a");
    await end("a");
    await clock.advance(1_000);
    expect(begun).toEqual(["a", "a"]);
    expect(clock.sleepers).toBe(0);
  });
});

describe("the end", () => {
  it("after the stop signal nothing starts, and what is under way ends", async () => {
    const { queue, begun, end, stop } = workbench(1);
    queue.mark("a");
    queue.mark("b");
    await settle();
    stop.abort();
    await queue.run();
    queue.mark("c");
    let drained = false;
    const drain = queue.drained().then(() => {
      drained = true;
    });
    await settle();
    expect(drained).toBe(false);
    await end("a", 10);
    await drain;
    expect(begun).toEqual(["a"]);
  });

  it("a failure ends the run at once, and nothing starts after it", async () => {
    const { queue, begun, open, end } = workbench(2);
    for (const key of ["a", "b", "c"]) queue.mark(key);
    await settle();
    open.get("a")?.reject(new Error("a failed"));
    await expect(queue.run()).rejects.toThrow("a failed");
    await end("b", 10);
    await queue.drained();
    queue.mark("d");
    await settle();
    expect(begun).toEqual(["a", "b"]);
  });
});

describe("idle", () => {
  it("comes when nothing is left to do, now or later", async () => {
    const { queue, clock, end } = workbench(1);
    queue.mark("a");
    await settle();
    let idle = false;
    const waiting = queue.idle().then(() => {
      idle = true;
    });
    await end("a", 500);
    expect(idle).toBe(false);
    await clock.advance(500);
    expect(idle).toBe(false);
    await end("a");
    await waiting;
  });

  it("comes at once when there is nothing to do, and at the stop", async () => {
    const { queue, stop } = workbench(1);
    await queue.idle();
    queue.mark("a");
    const waiting = queue.idle();
    stop.abort();
    await waiting;
  });
});

it("says what it holds: what waits, what is worked on, and what is to be worked on later", async () => {
  const { queue, end, clock } = workbench(1);
  queue.mark("a");
  queue.mark("b");
  await settle();
  expect(queue.size()).toEqual({ waiting: 1, working: 1, later: 0 });
  await end("a", 500);
  expect(queue.size()).toEqual({ waiting: 0, working: 1, later: 1 });
  expect(["a", "b", "c"].map(queue.holds)).toEqual([true, true, false]);
  await end("b");
  await clock.advance(500);
  await end("a");
  expect(queue.size()).toEqual({ waiting: 0, working: 0, later: 0 });
  expect(queue.holds("a")).toBe(false);
});
