import { describe, expect, it } from "@jest/globals";
import { lives } from "../../../../lib/docker/flow/lives.ts";
import { container, containerId } from "../../../support/build.ts";
import { fakeClock } from "../../../support/fake-clock.ts";

const id = containerId(1);
const HUP = 1;
const USR1 = 10;
const TERM = 15;

function bench({ withHealth = true } = {}) {
  const clock = fakeClock();
  const known = lives({ clock, stopGraceMs: 120_000, withHealth });
  return {
    clock,
    signal: (signal: number) => known.hear(id, { kind: "signal", signal }),
    hear: known.hear,
    /** What a look that began here will have seen of it once it is back. */
    lookBegins: () => {
      const heard = known.heard();
      return (over: Parameters<typeof container>[1] = {}) =>
        known.see(id, container(1, over), heard);
    },
    see: (over: Parameters<typeof container>[1] = {}) => known.see(id, container(1, over)),
    gone: () => known.see(id, undefined),
  };
}

describe("a container that is sent its stop signal", () => {
  it("is stopping from then on, until it dies", () => {
    const { signal, see } = bench();
    expect(see()).toEqual({ life: "healthy" });
    signal(TERM);
    expect(see()).toEqual({ life: "stopping", againInMs: 120_000 });
    expect(see({ running: false })).toEqual({ life: "dead" });
    expect(see()).toEqual({ life: "healthy" });
  });

  it("is stopping also when it was never looked at before", () => {
    const { signal, see } = bench();
    signal(TERM);
    expect(see().life).toBe("stopping");
  });

  it("goes on living once it has outlived it by the grace, however often it was sent meanwhile", async () => {
    const { signal, see, clock } = bench();
    signal(TERM);
    see();
    await clock.advance(60_000);
    signal(TERM);
    expect(see()).toEqual({ life: "stopping", againInMs: 60_000 });
    await clock.advance(60_000);
    expect(see()).toEqual({ life: "healthy" });
    signal(TERM);
    expect(see()).toEqual({ life: "stopping", againInMs: 120_000 });
  });

  it("is stopping also when it was started and sent it while a look was under way that saw it dead", () => {
    const { signal, see, hear, lookBegins } = bench();
    see();
    hear(id, { kind: "die" });
    const seen = lookBegins();
    hear(id, { kind: "start" });
    signal(TERM);
    expect(seen({ running: false })).toEqual({ life: "dead" });
    expect(see().life).toBe("stopping");
  });

  it("is alive at once when it died and was started again, whatever it was sent before", () => {
    const { signal, see, hear } = bench();
    signal(TERM);
    hear(id, { kind: "die" });
    hear(id, { kind: "start" });
    expect(see()).toEqual({ life: "healthy" });
  });
});

describe("signals", () => {
  it("other than the stop signal change nothing", () => {
    const { signal, see } = bench();
    signal(HUP);
    signal(USR1);
    expect(see()).toEqual({ life: "healthy" });
  });

  it("are judged by the container's own stop signal", () => {
    const { signal, see } = bench();
    signal(TERM);
    expect(see({ stopSignal: USR1 }).life).toBe("healthy");
    signal(USR1);
    expect(see({ stopSignal: USR1 }).life).toBe("stopping");
  });

  it("KILL ends whatever it is sent to", () => {
    const { signal, see } = bench();
    signal(9);
    expect(see({ stopSignal: USR1 }).life).toBe("stopping");
  });
});

describe("a look", () => {
  it("is the truth of everything else, whatever was heard", () => {
    const { hear, see } = bench();
    hear(id, { kind: "pause" });
    expect(see({ health: "healthy" }).life).toBe("healthy");
    hear(id, { kind: "health", health: "healthy" });
    expect(see({ health: "unhealthy" }).life).toBe("unhealthy");
    expect(see({ health: "starting" }).life).toBe("starting");
    expect(see({ paused: true }).life).toBe("paused");
  });

  it("after a pause waits for the next probe: Docker calls a paused container unhealthy", () => {
    const { hear, see } = bench();
    hear(id, { kind: "pause" });
    expect(see({ paused: true, health: "unhealthy" }).life).toBe("paused");
    hear(id, { kind: "unpause" });
    expect(see({ health: "unhealthy" }).life).toBe("starting");
    expect(see({ health: "unhealthy" }).life).toBe("starting");
    hear(id, { kind: "health", health: "unhealthy" });
    expect(see({ health: "unhealthy" }).life).toBe("unhealthy");
  });

  it("leaves health checks out of account where that is wanted", () => {
    const { see } = bench({ withHealth: false });
    expect(see({ health: "starting" }).life).toBe("healthy");
    expect(see({ health: "unhealthy" }).life).toBe("healthy");
  });

  it("at a container that is gone finds it dead, and forgets it", () => {
    const { signal, see, gone } = bench();
    signal(TERM);
    expect(gone()).toEqual({ life: "dead" });
    expect(see()).toEqual({ life: "healthy" });
  });
});
