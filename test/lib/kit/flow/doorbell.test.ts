import { describe, expect, it } from "@jest/globals";
import { doorbell } from "../../../../lib/kit/flow/doorbell.ts";
import { settle } from "../../../support/fake-clock.ts";

/** A loop that counts how often it is woken, and is busy until the test says so. */
function loop() {
  const bell = doorbell();
  const stop = new AbortController();
  let wakes = 0;
  let work = Promise.withResolvers<void>();
  const run = async (): Promise<void> => {
    for (;;) {
      await bell.rung(stop.signal);
      if (stop.signal.aborted) return;
      wakes += 1;
      await work.promise;
    }
  };
  const ended = run();
  return {
    ring: bell.ring,
    stop,
    ended,
    wakes: async () => {
      await settle();
      return wakes;
    },
    ready() {
      work.resolve();
      work = Promise.withResolvers();
    },
  };
}

describe("a doorbell", () => {
  it("wakes the loop that waits", async () => {
    const { ring, wakes } = loop();
    expect(await wakes()).toBe(0);
    ring();
    expect(await wakes()).toBe(1);
  });

  it("is heard later when it is rung while the loop is busy", async () => {
    const { ring, wakes, ready } = loop();
    ring();
    await wakes();
    ring();
    expect(await wakes()).toBe(1);
    ready();
    expect(await wakes()).toBe(2);
  });

  it("is one ring, however often it is rung before it is heard", async () => {
    const { ring, wakes, ready } = loop();
    ring();
    await wakes();
    for (let times = 0; times < 5; times += 1) ring();
    ready();
    expect(await wakes()).toBe(2);
    ready();
    expect(await wakes()).toBe(2);
  });

  it("is heard when it is rung before anybody waits", async () => {
    const bell = doorbell();
    bell.ring();
    await bell.rung(new AbortController().signal);
  });

  it("lets the loop go at the stop signal, and at once when that has come already", async () => {
    const { stop, ended } = loop();
    await settle();
    stop.abort();
    await ended;
    await doorbell().rung(AbortSignal.abort());
  });

  it("is not heard twice: a ring that is answered is gone", async () => {
    const bell = doorbell();
    const stop = new AbortController();
    bell.ring();
    await bell.rung(stop.signal);
    let woken = false;
    const waiting = bell.rung(stop.signal).then(() => {
      woken = true;
    });
    await settle();
    expect(woken).toBe(false);
    stop.abort();
    await waiting;
  });
});
