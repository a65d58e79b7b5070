import { describe, expect, it } from "@jest/globals";
import type { DiscoverConfig } from "../../../agent/discover/config.ts";
import type { Host } from "../../../agent/discover/connect.ts";
import { follow } from "../../../agent/discover/follow.ts";
import type { Looks } from "../../../agent/discover/looks.ts";
import type { Run } from "../../../agent/discover/run.ts";
import type { ContainerId } from "../../../lib/docker/container.ts";
import { lives } from "../../../lib/docker/flow/lives.ts";
import type { EngineEvent } from "../../../lib/docker/io/engine.ts";
import { Unavailable } from "../../../lib/kit/failure.ts";
import { containerId, owner } from "../../support/build.ts";
import { fakeClock, settle } from "../../support/fake-clock.ts";

/** An engine whose streams and lists the test writes, and what is marked to be looked at. */
function bench({ resync = 100 } = {}) {
  const clock = fakeClock();
  const end = new AbortController();
  const marked: ContainerId[] = [];
  const warned: string[] = [];
  const told: string[] = [];
  const listed = new Set<ContainerId>();
  const streams: { say(event: EngineEvent): void; isOpen: boolean }[] = [];
  const desired = new Set<ContainerId>();

  async function* readFrom(waiting: EngineEvent[], stop: AbortSignal, wake: { up: () => void }) {
    while (!stop.aborted) {
      const next = waiting.shift();
      if (next !== undefined) yield next;
      else {
        await new Promise<void>((resolve) => {
          wake.up = resolve;
          stop.addEventListener("abort", () => resolve(), { once: true });
        });
      }
    }
  }
  const docker = {
    async events(_label: string, stop: AbortSignal) {
      const waiting: EngineEvent[] = [];
      const wake = { up: () => {} };
      streams.push({
        say(event) {
          waiting.push(event);
          wake.up();
        },
        get isOpen() {
          return !stop.aborted;
        },
      });
      told.push("opened");
      return readFrom(waiting, stop, wake);
    },
    async running() {
      told.push("listed");
      return [...listed];
    },
  };
  const known = lives({ clock, stopGraceMs: 1_000, withHealth: true });
  const run = {
    config: { resync } as DiscoverConfig,
    clock,
    random: () => 0,
    end: end.signal,
    log: { warn: (text: string) => void warned.push(text) },
    observed: { streamOpened: () => {}, heard: () => {}, listed: () => {} },
    retry: <T>(act: () => Promise<T>) => act(),
    sumUp: (_: string, tell: (again: undefined) => void) => tell(undefined),
  } as unknown as Run;
  const looks = {
    queue: { mark: (id: ContainerId) => marked.push(id), holds: () => false, working: () => [] },
    lives: known,
    desired: { ids: () => [...desired] },
    causes: { heard: () => {} },
  } as unknown as Looks;
  const start = async () => {
    const closed = new AbortController();
    const events = await docker.events("", AbortSignal.any([end.signal, closed.signal]));
    const host = {
      docker,
      agent: {
        metadata: async () => {
          throw new Unavailable("the ECS agent", "did not answer");
        },
      },
      owner,
      running: [...listed],
      stream: { events, close: () => closed.abort() },
    } as unknown as Host;
    const parts = follow(run, host, looks);
    return Promise.all([parts.events(), parts.doubts(), parts.resync()]);
  };
  return { clock, end, marked, warned, told, listed, streams, desired, start };
}

const startOf = (id: ContainerId): EngineEvent => ({
  kind: "container",
  id,
  event: { kind: "start" },
});

describe("a stream that tells nothing of what starts", () => {
  it("is replaced at the next resync, before the list, and what the new one tells is followed", async () => {
    const one = bench();
    const running = one.start();
    await settle();
    one.listed.add(containerId(1));
    await one.clock.advance(60_000);
    expect(one.warned).toEqual([expect.stringContaining("event stream has stalled")]);
    expect(one.streams.map(({ isOpen }) => isOpen)).toEqual([false, true]);
    expect(one.told.slice(-2)).toEqual(["opened", "listed"]);
    expect(one.marked).toContain(containerId(1));
    one.streams[1]?.say(startOf(containerId(2)));
    await settle();
    expect(one.marked.at(-1)).toBe(containerId(2));
    one.end.abort();
    await running;
  });

  it("is replaced, too, when it told nothing of an end", async () => {
    const one = bench();
    const running = one.start();
    one.desired.add(containerId(1));
    await one.clock.advance(60_000);
    expect(one.streams).toHaveLength(2);
    one.end.abort();
    await running;
  });
});

describe("a stream that tells what happens", () => {
  it("stays, whatever runs", async () => {
    const one = bench();
    one.listed.add(containerId(1));
    const running = one.start();
    await settle();
    one.streams[0]?.say(startOf(containerId(2)));
    one.listed.add(containerId(2));
    await one.clock.advance(600_000);
    expect(one.streams).toHaveLength(1);
    expect(one.warned).toEqual([]);
    one.end.abort();
    await running;
  });
});

describe("lines that can't be read", () => {
  it("lead to a look at every container, at most once in two seconds", async () => {
    const one = bench({ resync: 0 });
    one.listed.add(containerId(1));
    const running = one.start();
    await settle();
    for (let n = 0; n < 19; n += 1) {
      one.streams[0]?.say({ kind: "unreadable", problem: "a line that is not JSON" });
      await one.clock.advance(100);
    }
    expect(one.told.filter((what) => what === "listed")).toHaveLength(1);
    await one.clock.advance(2_000);
    expect(one.told.filter((what) => what === "listed")).toHaveLength(2);
    one.end.abort();
    await running;
  });
});
