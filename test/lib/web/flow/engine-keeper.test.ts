import { describe, expect, it } from "@jest/globals";
import { doorbell } from "../../../../lib/kit/flow/doorbell.ts";
import type { EngineFiles } from "../../../../lib/web/engine-files.ts";
import { type EngineReport, engineKeeper } from "../../../../lib/web/flow/engine-keeper.ts";
import { type Claim, virtualHosts } from "../../../../lib/web/virtual-hosts.ts";
import { claim } from "../../../support/claims.ts";
import { fakeClock, settle } from "../../../support/fake-clock.ts";

/** An engine that does what it is told, or fails as it is told. */
function setup({ alwaysOn = [80] }: { alwaysOn?: readonly number[] } = {}) {
  const clock = fakeClock();
  const bell = doorbell();
  const stop = new AbortController();
  const loads: EngineFiles[] = [];
  const commands: string[] = [];
  const reports: EngineReport[] = [];
  const taken = new Set<number>();
  const failing = { load: 0, run: 0 };
  let claims: readonly Claim[] = [];
  let isRunning = false;
  const keeper = engineKeeper({
    engine: {
      async load(files) {
        if (failing.load > 0) {
          failing.load -= 1;
          throw new Error("it would not load");
        }
        isRunning = true;
        loads.push(files);
      },
      async write() {},
      async run(some) {
        if (failing.run > 0) {
          failing.run -= 1;
          throw new Error("it would not do that");
        }
        commands.push(...some);
      },
      async try(some) {
        commands.push(...some);
        return some.map(() => true);
      },
      isRunning: () => isRunning,
      heldPorts: async () => [],
      listenProblem: async (port) => (taken.has(port) ? `port ${port} is taken` : undefined),
    },
    desired: () => virtualHosts(claims),
    certificates: () => [],
    alwaysOn,
    settings: { listenAddress: "127.0.0.1", maxUploadBytes: 0, maxConnections: 256, threads: 1 },
    bell,
    clock,
    report: (report) => reports.push(report),
  });
  return {
    clock,
    keeper,
    loads,
    commands,
    reports,
    taken,
    failing,
    running: () => keeper.run(stop.signal),
    async desire(...next: readonly Claim[]) {
      claims = next;
      bell.ring();
      await settle();
    },
    async crash() {
      isRunning = false;
      bell.ring();
      await settle();
    },
    stop: () => stop.abort(),
  };
}

describe("the keeper of the engine", () => {
  it("loads it once, and changes it by commands from then on", async () => {
    const engine = setup();
    const run = engine.running();
    await engine.desire(claim(1, "a.x.com"));
    expect(engine.loads).toHaveLength(1);
    await engine.desire(claim(1, "a.x.com"), claim(2, "b.x.com"));
    expect(engine.loads).toHaveLength(1);
    expect(engine.commands.filter((command) => command.startsWith("add server"))).toHaveLength(2);
    engine.stop();
    await run;
  });

  it("has it read its files when a command is not done, at once and then again after a while", async () => {
    const engine = setup();
    const run = engine.running();
    await engine.desire();
    engine.failing.run = 1;
    engine.failing.load = 1;
    await engine.desire(claim(1, "a.x.com"));
    await engine.clock.advance(0);
    expect(engine.keeper.standing().problem).toBe("it would not load");
    await engine.clock.advance(2_000);
    expect(engine.loads).toHaveLength(2);
    expect(engine.keeper.standing().problem).toBeUndefined();
    expect(engine.loads[1]?.config).toContain("172.17.0.3:80");
    engine.stop();
    await run;
  });

  it("starts it again when it has ended", async () => {
    const engine = setup();
    const run = engine.running();
    await engine.desire(claim(1, "a.x.com"));
    await engine.crash();
    expect(engine.reports.at(-1)).toEqual({ kind: "loaded", why: "the engine had ended" });
    engine.stop();
    await run;
  });

  it("leaves out a port that is taken, says so once, and tries it again every 10 s", async () => {
    const engine = setup();
    engine.taken.add(81);
    const run = engine.running();
    await engine.desire(claim(1, "a.x.com", { listen: 81 }), claim(2, "b.x.com"));
    expect(engine.keeper.standing().layout.ports).toEqual([80]);
    await engine.clock.advance(25_000);
    expect(engine.reports.filter(({ kind }) => kind === "port")).toHaveLength(1);
    expect([...engine.keeper.standing().blocked]).toEqual([[81, "port 81 is taken"]]);
    engine.taken.clear();
    await engine.clock.advance(10_000);
    expect(engine.keeper.standing().layout.ports).toEqual([80, 81]);
    engine.stop();
    await run;
  });

  it("keeps a port that nobody asks for any more for half a minute", async () => {
    const engine = setup();
    const run = engine.running();
    await engine.desire(claim(1, "a.x.com", { listen: 81 }));
    const before = engine.loads.length;
    await engine.desire();
    await engine.clock.advance(29_000);
    expect(engine.loads).toHaveLength(before);
    await engine.clock.advance(2_000);
    expect(engine.keeper.standing().layout.ports).toEqual([80]);
    engine.stop();
    await run;
  });

  it("says when an answer to a challenge is there", async () => {
    const engine = setup();
    const run = engine.running();
    await engine.desire();
    await engine.keeper.challenge("token", "token.key");
    expect(engine.commands).toContain("add map acme.map token token.key");
    await engine.keeper.challenge("token", undefined);
    expect(engine.commands).toContain("del map acme.map token");
    engine.stop();
    await run;
  });

  it("deletes a server once it may", async () => {
    const engine = setup();
    const run = engine.running();
    await engine.desire(claim(1, "a.x.com"));
    await engine.desire();
    expect(engine.commands.at(-1)).toMatch(/^del server s0\//);
    expect(engine.keeper.standing().layout.members.size).toBe(0);
    engine.stop();
    await run;
  });
});
