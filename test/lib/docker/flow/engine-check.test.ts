import { describe, expect, it } from "@jest/globals";
import type { ContainerId } from "../../../../lib/docker/container.ts";
import { engineCheck } from "../../../../lib/docker/flow/engine-check.ts";
import { containerId } from "../../../support/build.ts";
import { fakeClock, settle } from "../../../support/fake-clock.ts";

function bench() {
  const clock = fakeClock();
  const known = new Set<ContainerId>();
  const runs = new Set<ContainerId>();
  const listed = new Set<ContainerId>();
  const asked: string[] = [];
  const state = { answers: true, lists: true };
  const silence = () => Promise.reject(new Error("no answer"));
  const check = engineCheck({
    answers: async () => {
      asked.push("version");
      if (!state.answers) await silence();
    },
    running: async () => {
      asked.push("list");
      if (!state.lists) await silence();
      return [...listed];
    },
    knows: (id) => known.has(id),
    takenToRun: () => [...runs],
    clock,
    listLimitMs: 30_000,
  });
  return {
    clock,
    known,
    runs,
    listed,
    asked,
    state,
    check,
    /** The answer, with whatever time it takes. */
    async problem() {
      const answer = check();
      await clock.advance(1_000);
      return answer;
    },
  };
}

const STALLED =
  "Docker's event stream has stalled: it told nothing of 1 container that has started or ended";

describe("the stream has stalled", () => {
  it("when a container runs of which nothing was ever heard", async () => {
    const { listed, problem } = bench();
    listed.add(containerId(1));
    expect(await problem()).toBe(STALLED);
  });

  it("when a container is taken to run, and does not", async () => {
    const { known, runs, problem } = bench();
    known.add(containerId(1));
    runs.add(containerId(1));
    expect(await problem()).toBe(STALLED);
  });

  it("not when what the list knew first is heard of a moment later", async () => {
    const { listed, known, clock, check } = bench();
    listed.add(containerId(1));
    const answer = check();
    await settle();
    known.add(containerId(1));
    await clock.advance(1_000);
    expect(await answer).toBeUndefined();
  });

  it("not when the list was a moment too early for a container that has just started", async () => {
    const { listed, known, runs, clock, check } = bench();
    known.add(containerId(1));
    runs.add(containerId(1));
    const answer = check();
    await settle();
    listed.add(containerId(1));
    await clock.advance(1_000);
    expect(await answer).toBeUndefined();
  });
});

describe("the engine", () => {
  it("is not asked unless somebody asks, and then not more often than it matters", async () => {
    const { asked, check, clock } = bench();
    await clock.advance(60_000);
    expect(asked).toEqual([]);
    await Promise.all([check(), check(), check()]);
    await clock.advance(100);
    await check();
    expect(asked.toSorted()).toEqual(["list", "version"]);
    await clock.advance(300);
    await check();
    expect(asked).toHaveLength(4);
  });

  it("that does not answer is a problem at once, and none as soon as it answers", async () => {
    const { state, problem } = bench();
    state.answers = false;
    expect(await problem()).toBe("Docker does not answer within 1.2 s");
    state.answers = true;
    expect(await problem()).toBeUndefined();
  });

  it("that answers may be slow with its list, but not for ever", async () => {
    const { state, problem, clock } = bench();
    state.lists = false;
    expect(await problem()).toBeUndefined();
    await clock.advance(30_000);
    expect(await problem()).toBe("Docker has not listed its containers for 31 s");
    state.lists = true;
    expect(await problem()).toBeUndefined();
  });
});
