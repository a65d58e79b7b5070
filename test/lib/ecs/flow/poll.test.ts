import { describe, expect, it } from "@jest/globals";
import { poll } from "../../../../lib/ecs/flow/poll.ts";
import { Fatal, Unavailable } from "../../../../lib/kit/failure.ts";
import { fakeClock } from "../../../support/fake-clock.ts";

const away = new Unavailable("ECS", "did not take ListTasks");
const throttled = new Unavailable("ECS", "did not take ListTasks", { demand: "fewer" });

/** A poll whose reads give these answers in turn, the last one for ever; with what it told. */
function polled(...answers: readonly (string | Error)[]) {
  const clock = fakeClock(0);
  const stop = new AbortController();
  const told: string[] = [];
  let at = 0;
  const ended = poll({
    async read() {
      const answer = answers[Math.min(at, answers.length - 1)];
      at += 1;
      if (answer instanceof Error) throw answer;
      return answer;
    },
    meanMs: 7_000,
    clock,
    random: () => 0.5,
    stop: stop.signal,
    tell: {
      read: (value) => void told.push(`${clock.now()} ${value}`),
      missed: (_problem, _error, pauseMs) => void told.push(`${clock.now()} missed, ${pauseMs}`),
    },
  });
  return { clock, stop, told, ended };
}

describe("a poll", () => {
  it("reads at once, and then around the mean pause", async () => {
    const { clock, told } = polled("a");
    await clock.advance(14_000);
    expect(told).toEqual(["0 a", "7000 a", "14000 a"]);
  });

  it("asks soon as long as nothing was ever read", async () => {
    const { clock, told } = polled(away, away, "a");
    await clock.advance(2_000);
    expect(told).toEqual(["0 missed, 500", "500 missed, 1000", "1500 a"]);
  });

  it("slows down while it is throttled, also before anything was read, and comes back by steps", async () => {
    const { clock, told } = polled(throttled, throttled, "a");
    await clock.advance(140_000);
    expect(told.map((line) => Number.parseInt(line, 10))).toEqual([0, 20_000, 40_000, 101_110]);
  });

  it("goes on after any error once something was read", async () => {
    const { clock, told } = polled("a", new Fatal("denied"), new Error("strange"), "b");
    await clock.advance(21_000);
    expect(told.map((line) => line.replace(/^\d+ /, ""))).toEqual([
      "a",
      "missed, 7000",
      "missed, 7000",
      "b",
    ]);
  });

  it("ends by what only an operator can mend as long as nothing was read", async () => {
    const { ended } = polled(new Fatal("denied"));
    await expect(ended).rejects.toThrow("denied");
  });

  it("ends at the stop, without waiting for an answer", async () => {
    const stop = new AbortController();
    const ended = poll({
      read: () => new Promise(() => {}),
      meanMs: 7_000,
      clock: fakeClock(),
      random: () => 0.5,
      stop: stop.signal,
      tell: { read: () => {}, missed: () => {} },
    });
    stop.abort();
    await ended;
  });
});
