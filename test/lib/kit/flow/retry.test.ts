import { describe, expect, it } from "@jest/globals";
import { Fatal, Unavailable } from "../../../../lib/kit/failure.ts";
import { retry, throttleWaits } from "../../../../lib/kit/flow/retry.ts";
import { fakeClock, settle } from "../../../support/fake-clock.ts";

const down = (n: number) => new Unavailable("Docker", `did not answer ping ${n}`);

/** An act that throws what it is given, one at a time, and then returns "done". */
function persisted(errors: readonly unknown[], limitMs = 10_000) {
  const clock = fakeClock();
  const stop = new AbortController();
  const misses: string[] = [];
  let tries = 0;
  const result = retry(
    async () => {
      tries += 1;
      if (tries <= errors.length) throw errors[tries - 1];
      return "done";
    },
    {
      clock,
      random: () => 0.5,
      limitMs,
      stop: stop.signal,
      onMiss: (problem) => misses.push(problem),
    },
  );
  // Whoever looks at the result sees its failure.
  result.catch(() => {});
  return {
    clock,
    stop,
    misses,
    result,
    tries: () => tries,
  };
}

describe("what persists", () => {
  it("returns at once what works at once", async () => {
    const { result, tries, misses } = persisted([]);
    expect(await result).toBe("done");
    expect(tries()).toBe(1);
    expect(misses).toEqual([]);
  });

  it("tries again while the other side is unavailable, and tells each time", async () => {
    const { clock, result, tries, misses } = persisted([down(1), down(2)]);
    await clock.advance(99);
    expect(tries()).toBe(1);
    await clock.advance(1);
    expect(tries()).toBe(2);
    await clock.advance(200);
    expect(await result).toBe("done");
    expect(misses).toEqual(["Docker did not answer ping 1", "Docker did not answer ping 2"]);
  });

  it("gives up after the limit, with the last failure as the cause", async () => {
    const errors = Array.from({ length: 1_000 }, (_, n) => down(n));
    const { clock, result, tries, misses } = persisted(errors);
    await clock.advance(10_000);
    await expect(result).rejects.toThrow("gave up after 10 s (--patience)");
    await expect(result).rejects.toMatchObject({ cause: errors[tries() - 1] });
    // The last one is thrown, not told.
    expect(misses).toHaveLength(tries() - 1);
    const triesThen = tries();
    await clock.advance(60_000);
    expect(tries()).toBe(triesThen);
  });

  it("without patience tries once", async () => {
    const { result, tries } = persisted([down(1)], 0);
    await expect(result).rejects.toThrow("gave up after 0 s (--patience)");
    expect(tries()).toBe(1);
  });

  it.each([new Fatal("no permission"), new TypeError("a defect"), "no error at all"])(
    "never tries again after %s",
    async (error) => {
      const { result, tries, misses } = persisted([error]);
      await expect(result).rejects.toBe(error);
      expect(tries()).toBe(1);
      expect(misses).toEqual([]);
    },
  );
});

describe("the demand for fewer requests", () => {
  const throttled = () => new Unavailable("Route 53", "is busy", { demand: "fewer" });
  const waiting = (errors: readonly unknown[], chance = 0.5) => {
    const clock = fakeClock();
    const triedAtMs: number[] = [];
    const result = retry(
      async () => {
        triedAtMs.push(clock.now());
        const error = errors[triedAtMs.length - 1];
        if (error !== undefined) throw error;
        return "done";
      },
      {
        clock,
        random: () => chance,
        limitMs: 60_000,
        stop: new AbortController().signal,
        throttled: throttleWaits({ random: () => chance }),
      },
    );
    result.catch(() => {});
    const waitsMs = () => triedAtMs.slice(1).map((atMs, n) => atMs - (triedAtMs[n] ?? 0));
    return { clock, result, waitsMs };
  };

  it("is no outage: it is met by waiting longer and longer, without an end", async () => {
    const { clock, result, waitsMs } = waiting(Array.from({ length: 8 }, throttled));
    await clock.advance(3_600_000);
    expect(await result).toBe("done");
    expect(waitsMs().toSorted((a, b) => a - b)).toEqual(waitsMs());
    expect(waitsMs().at(-1)).toBeGreaterThan(60_000);
  });

  it("says that the other side is there: a silence afterwards has its whole patience", async () => {
    const silent = () => new Unavailable("Route 53", "did not answer");
    const errors = [silent(), ...Array.from({ length: 5 }, throttled), silent()];
    const { clock, result } = waiting(errors);
    await clock.advance(3_600_000);
    expect(await result).toBe("done");
  });

  it("ends at the patience for whoever can't wait", async () => {
    const { clock, result } = persisted(Array.from({ length: 1_000 }, throttled));
    await clock.advance(10_000);
    await expect(result).rejects.toThrow("gave up after 10 s");
  });
});

describe("the stop signal", () => {
  it("cuts the wait short, with its own reason", async () => {
    const { clock, stop, result, tries } = persisted([down(1)]);
    await settle();
    const reason = new Error("asked to stop");
    stop.abort(reason);
    await expect(result).rejects.toBe(reason);
    expect(tries()).toBe(1);
    expect(clock.sleepers).toBe(0);
  });

  it("keeps it from trying at all", async () => {
    let tries = 0;
    const reason = new Error("asked to stop");
    const result = retry(
      async () => {
        tries += 1;
      },
      {
        clock: fakeClock(),
        random: () => 0.5,
        limitMs: 1_000,
        stop: AbortSignal.abort(reason),
      },
    );
    await expect(result).rejects.toBe(reason);
    expect(tries).toBe(0);
  });

  it("leaves a try that is under way to its own end", async () => {
    const stop = new AbortController();
    const answer = Promise.withResolvers<string>();
    const result = retry(() => answer.promise, {
      clock: fakeClock(),
      random: () => 0.5,
      limitMs: 1_000,
      stop: stop.signal,
    });
    stop.abort();
    answer.resolve("landed");
    expect(await result).toBe("landed");
  });
});
