import { describe, expect, it } from "@jest/globals";
import type { Backend } from "../../../../lib/net/backend.ts";
import { deadlines } from "../../../../lib/net/flow/deadlines.ts";
import { kernelPlane, type Packets } from "../../../../lib/net/flow/kernel-plane.ts";
import { probe } from "../../../../lib/net/flow/probe.ts";
import { fakeClock, settle } from "../../../support/fake-clock.ts";

const at = (id: string, port: number): Backend => ({ id, address: "10.0.0.1", port, weight: 1 });

describe("deadlines", () => {
  const made = () => {
    const clock = fakeClock(0);
    const due: string[] = [];
    const list = deadlines<string>({
      clock,
      limitMs: 100,
      onDue: (item) => void due.push(`${item} ${clock.now()}`),
    });
    return { clock, due, list };
  };
  it("fall due in the order of their adding, unless they are removed or added anew", async () => {
    const { clock, due, list } = made();
    list.add("a");
    list.add("b");
    await clock.advance(50);
    list.add("c");
    list.add("a");
    expect(list.remove("b")).toBe(true);
    await clock.advance(200);
    expect(due).toEqual(["c 150", "a 150"]);
    expect(list.remove("c")).toBe(false);
  });
  it("hear of what is added in the moment in which the last one fell due", async () => {
    const { clock, due, list } = made();
    list.add("a");
    await clock.advance(100);
    list.add("b");
    await clock.advance(100);
    expect(due).toEqual(["a 100", "b 200"]);
  });
  it("leave no timer behind when they are cleared", async () => {
    const { clock, due, list } = made();
    list.add("a");
    list.clear();
    await settle();
    expect(clock.sleepers).toBe(0);
    list.add("b");
    await clock.advance(100);
    expect(due).toEqual(["b 100"]);
  });
});

describe("the kernel plane", () => {
  /** nft, as far as the plane knows it. */
  function nft() {
    const applied: string[] = [];
    let text: string | undefined;
    let problem: Error | undefined;
    const counted = new Map<string, number>();
    const packets: Packets = {
      async apply(script) {
        if (problem !== undefined) throw problem;
        applied.push(script);
        text = script;
      },
      list: async () => text,
      counters: async () => counted,
      async remove() {
        text = undefined;
      },
    };
    return {
      packets,
      applied,
      counted,
      tamper: () => {
        text = "table ip ambassador { }";
      },
      fail: (error: Error | undefined) => {
        problem = error;
      },
      text: () => text,
    };
  }
  function started() {
    const clock = fakeClock();
    const stop = new AbortController();
    const told: string[] = [];
    const engine = nft();
    const plane = kernelPlane({
      packets: engine.packets,
      table: { name: "ambassador", linked: true, place: "own" },
      clock,
      onProblem: (problem) => told.push(problem),
      onRepaired: () => told.push("repaired"),
    });
    void plane.run(stop.signal);
    return { clock, stop, told, plane, ...engine };
  }

  it("leaves what an earlier process left behind until it knows what is wanted", async () => {
    const { clock, applied, plane } = started();
    await clock.advance(120_000);
    expect(applied).toEqual([]);
    plane.set([]);
    await clock.advance(1_000);
    expect(applied).toHaveLength(1);
  });
  it("writes the table when it changes, and not when it does not", async () => {
    const { clock, applied, plane } = started();
    plane.set([{ port: 80, backends: [at("a", 1)] }]);
    await clock.advance(1_000);
    plane.set([{ port: 80, backends: [at("a", 1)] }]);
    await clock.advance(1_000);
    expect(applied).toHaveLength(1);
    expect([...plane.ports()]).toEqual([80]);
    plane.set([{ port: 80, backends: [at("b", 2)] }]);
    await clock.advance(1_000);
    expect(applied).toHaveLength(2);
  });
  it("puts right within a minute what somebody else changed", async () => {
    const { clock, applied, plane, tamper, told, text } = started();
    plane.set([{ port: 80, backends: [at("a", 1)] }]);
    await clock.advance(1_000);
    tamper();
    await clock.advance(60_000);
    expect(text()).toBe(applied[0]);
    expect(told).toEqual(["repaired"]);
  });
  it("tries again when nft fails, and tells", async () => {
    const { clock, applied, plane, fail, told } = started();
    fail(new Error("no buffer space"));
    plane.set([{ port: 80, backends: [at("a", 1)] }]);
    await clock.advance(3_000);
    expect([applied, plane.problem()]).toEqual([[], "no buffer space"]);
    expect(told[0]).toBe("no buffer space");
    fail(undefined);
    await clock.advance(3_000);
    expect([applied.length, plane.problem()]).toEqual([1, undefined]);
  });
  it("keeps what each task was given when the table is replaced", async () => {
    const { clock, plane, counted } = started();
    plane.set([{ port: 80, backends: [at("a", 1), at("b", 2)] }]);
    await clock.advance(1_000);
    counted.set("task1", 5);
    plane.set([{ port: 80, backends: [at("a", 1)] }]);
    await clock.advance(1_000);
    counted.set("task1", 2);
    await plane.count();
    expect([...plane.connections()]).toEqual([["80 a 10.0.0.1:1", 7]]);
  });
});

describe("the probe", () => {
  it("takes a task out at the first failure, and back at the first success", async () => {
    const clock = fakeClock();
    const stop = new AbortController();
    const changes: string[][] = [];
    let problem: string | undefined;
    const check = probe({
      targets: () => [at("a", 1), at("b", 2)],
      ask: async ({ id }) => (id === "b" ? problem : undefined),
      clock,
      random: () => 0.5,
      onChange: () => changes.push([...check.down().keys()]),
    });
    const ended = check.run(stop.signal);
    await clock.advance(600);
    expect(changes).toEqual([]);
    problem = "ECONNREFUSED";
    await clock.advance(600);
    expect(changes).toEqual([["b 10.0.0.1:2"]]);
    problem = undefined;
    await clock.advance(600);
    expect(changes).toEqual([["b 10.0.0.1:2"], []]);
    stop.abort();
    await ended;
  });
  it("asks no more than 200 times a second, however many tasks there are", async () => {
    const clock = fakeClock();
    const stop = new AbortController();
    let asked = 0;
    const many = Array.from({ length: 1_000 }, (_, n) => at(`t${n}`, n + 1));
    const check = probe({
      targets: () => many,
      async ask() {
        asked += 1;
        return undefined;
      },
      clock,
      random: () => 0.5,
      onChange: () => {},
    });
    const ended = check.run(stop.signal);
    await clock.next();
    while (clock.now() < 11_000) await clock.next();
    expect(asked).toBeLessThanOrEqual(2_400);
    expect(asked).toBeGreaterThanOrEqual(1_900);
    stop.abort();
    await ended;
  });
});
