import { EventEmitter } from "node:events";
import { describe, expect, it, test } from "@jest/globals";
import {
  type Answer,
  type Ending,
  type Stop,
  supervise,
  together,
} from "../../../agent/process/supervise.ts";
import { fakeClock, settle } from "../../support/fake-clock.ts";

/** A supervised run that ends when the test says so. */
function supervised(run?: (stop: Stop) => Promise<void> | Promise<Answer>) {
  const clock = fakeClock();
  const signals = new EventEmitter();
  const stops: { readonly why: string; readonly cause?: unknown }[] = [];
  const work = Promise.withResolvers<void>();
  let given: Stop | undefined;
  let ending: Ending | undefined;
  const ended = supervise(
    (stop) => {
      given = stop;
      return run === undefined ? work.promise : run(stop);
    },
    {
      signals,
      clock,
      drainMs: 25_000,
      onStop: (why, cause) => stops.push({ why, ...(cause !== undefined && { cause }) }),
    },
  ).then((one) => {
    ending = one;
    return one;
  });
  return {
    clock,
    signals,
    /** As the process does it. */
    send: (name: string) => signals.emit(name, name),
    stops,
    work,
    ended,
    stop: given as unknown as Stop,
    ending: async () => {
      await settle();
      return ending;
    },
  };
}

describe("what comes from outside of the work", () => {
  it("a signal that came before anybody supervised counts like any other", async () => {
    const signals = new EventEmitter();
    const ending = await supervise(
      async (stop) => {
        expect(stop.wasAsked()).toBe(true);
      },
      {
        signals,
        early: ["SIGTERM"],
        clock: fakeClock(),
        drainMs: 25_000,
        onStop: () => {},
      },
    );
    expect(ending).toEqual({ code: 0, why: "asked to stop" });
  });

  it("an error that nobody caught ends in a drain, and the process with 1", async () => {
    const { signals, stops, work, ended } = supervised();
    const defect = new TypeError("x is not a function");
    signals.emit("uncaughtException", defect);
    expect(stops).toEqual([{ why: "failed", cause: defect }]);
    signals.emit("uncaughtException", new Error("a second one"));
    work.resolve();
    expect(await ended).toEqual({ code: 1, why: "failed", cause: defect });
  });
});

describe("how a process ends", () => {
  it("with 0 when its work is done", async () => {
    const { ended, stops } = supervised(async () => {});
    expect(await ended).toEqual({ code: 0, why: "done" });
    expect(stops).toEqual([]);
  });

  test.each([
    { code: 0, why: "the zone is right" },
    { code: 1, why: "2 of 15 checks failed" },
    { code: 3, why: "the zone differs" },
  ] as const)("with its answer, where it has one: $code", async (answer) => {
    const { ended, stops } = supervised(async (): Promise<Answer> => answer);
    expect(await ended).toEqual({ ...answer, hasAnswered: true });
    expect(stops).toEqual([]);
  });

  it("with 1 when something failed, whatever the answer", async () => {
    const cause = new Error("the stream broke");
    const { ended } = supervised(async (stop): Promise<Answer> => {
      stop.fail(cause);
      return { code: 0, why: "all is well" };
    });
    expect(await ended).toEqual({ code: 1, why: "failed", cause });
  });

  it("with the answer that was found in spite of a stop signal", async () => {
    const work = Promise.withResolvers<Answer>();
    const { ended, send } = supervised(() => work.promise);
    send("SIGTERM");
    work.resolve({ code: 3, why: "the zone differs" });
    expect(await ended).toEqual({ code: 3, why: "the zone differs", hasAnswered: true });
  });

  it("with 1 and the cause when its work fails", async () => {
    const cause = new Error("the stream broke");
    const { ended, stops } = supervised((): Promise<void> => Promise.reject(cause));
    expect(await ended).toEqual({ code: 1, why: "failed", cause });
    expect(stops).toEqual([{ why: "failed", cause }]);
  });

  test.each(["SIGTERM", "SIGINT"])("with 0 once it has drained after %s", async (name) => {
    const { send, stop, stops, work, ending } = supervised();
    send(name);
    expect(stop.signal.aborted).toBe(true);
    expect(stops).toEqual([{ why: name }]);
    expect(await ending()).toBeUndefined();
    work.resolve();
    expect(await ending()).toEqual({ code: 0, why: "asked to stop" });
  });

  it("with the first cause: those that follow from it are ignored", async () => {
    const first = new Error("first");
    const { stop, stops, work, ending } = supervised();
    stop.fail(first);
    stop.fail(new Error("second"));
    expect(stop.signal.reason).toBe(first);
    expect(await ending()).toBeUndefined();
    work.reject(new Error("third"));
    expect(await ending()).toEqual({ code: 1, why: "failed", cause: first });
    expect(stops).toEqual([{ why: "failed", cause: first }]);
  });
});

describe("promise 8: the drain", () => {
  it("a second signal ends it at once, with 1", async () => {
    const { send, ending } = supervised();
    send("SIGTERM");
    send("SIGINT");
    expect(await ending()).toEqual({ code: 1, why: "SIGINT during the drain" });
  });

  it("a signal after a failure ends it at once, with 1", async () => {
    const { send, stop, ending } = supervised();
    stop.fail(new Error("broken"));
    send("SIGTERM");
    expect(await ending()).toMatchObject({ code: 1, why: "SIGTERM during the drain" });
  });

  it("its deadline ends it with 1, and not a moment earlier", async () => {
    const { send, clock, ending } = supervised();
    await clock.advance(100_000);
    send("SIGTERM");
    await clock.advance(24_999);
    expect(await ending()).toBeUndefined();
    await clock.advance(1);
    expect(await ending()).toEqual({ code: 1, why: "the drain took longer than 25 s" });
  });

  it("its deadline keeps the failure that began it", async () => {
    const cause = new Error("broken");
    const { stop, clock, ending } = supervised();
    stop.fail(cause);
    await clock.advance(25_000);
    expect(await ending()).toEqual({ code: 1, why: "the drain took longer than 25 s", cause });
  });

  it("a failure during it ends it with 1, and is not told as a second stop", async () => {
    const cause = new Error("the last request failed");
    const { send, stops, work, ending } = supervised();
    send("SIGTERM");
    work.reject(cause);
    expect(await ending()).toEqual({ code: 1, why: "failed", cause });
    expect(stops).toEqual([{ why: "SIGTERM" }]);
  });

  it("an error that is only the stop's reason is no failure", async () => {
    const { send, stop, work, ending } = supervised();
    send("SIGTERM");
    work.reject(stop.signal.reason);
    expect(await ending()).toEqual({ code: 0, why: "asked to stop" });
  });
});

describe("after the end", () => {
  test.each([
    ["done", (one: ReturnType<typeof supervised>) => one.work.resolve()],
    ["failed", (one: ReturnType<typeof supervised>) => one.work.reject(new Error("broken"))],
    [
      "drained",
      (one: ReturnType<typeof supervised>) => {
        one.send("SIGTERM");
        one.work.resolve();
      },
    ],
    [
      "ended by a second signal",
      (one: ReturnType<typeof supervised>) => {
        one.send("SIGTERM");
        one.send("SIGTERM");
      },
    ],
  ])("when %s, nobody listens for signals and nothing sleeps", async (_, end) => {
    const one = supervised();
    expect(one.signals.listenerCount("SIGTERM")).toBe(1);
    expect(one.signals.listenerCount("SIGINT")).toBe(1);
    end(one);
    await one.ended;
    await settle();
    expect(one.signals.eventNames()).toEqual([]);
    expect(one.clock.sleepers).toBe(0);
  });
});

describe("parts that run together", () => {
  it("end when all have ended, and the first failure stops the others", async () => {
    const cause = new Error("one broke");
    const other = Promise.withResolvers<void>();
    const one = supervised((stop) => together(stop, [Promise.reject(cause), other.promise]));
    await settle();
    expect(one.stop.signal.aborted).toBe(true);
    expect(await one.ending()).toBeUndefined();
    other.reject(one.stop.signal.reason);
    expect(await one.ending()).toEqual({ code: 1, why: "failed", cause });
  });

  it("end with 0 when a signal cuts all of them short", async () => {
    const one = supervised((stop) => {
      const part = () =>
        new Promise<void>((_, reject) => {
          stop.signal.addEventListener("abort", () => reject(stop.signal.reason));
        });
      return together(stop, [part(), part()]);
    });
    one.send("SIGINT");
    expect(await one.ended).toEqual({ code: 0, why: "asked to stop" });
  });
});
