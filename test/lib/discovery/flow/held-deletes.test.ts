import { describe, expect, it } from "@jest/globals";
import { heldDeletes } from "../../../../lib/discovery/flow/held-deletes.ts";
import type { TaskId } from "../../../../lib/ecs/arn.ts";
import { Unavailable } from "../../../../lib/kit/failure.ts";
import { keyOf } from "../../../../lib/route53/record-set.ts";
import { del, record, task } from "../../../support/build.ts";
import { fakeClock, settle } from "../../../support/fake-clock.ts";

const all = [1, 2, 3, 4].map((n) => record(n));

function bench() {
  const clock = fakeClock();
  const stop = new AbortController();
  const released: string[][] = [];
  const say = { live: async (): Promise<ReadonlySet<TaskId>> => new Set([1, 2, 3, 4].map(task)) };
  const held = heldDeletes({
    liveTasks: () => say.live(),
    clock,
    released: (keys) => void released.push([...keys]),
  });
  return { clock, stop, released, say, held };
}

const doubtful = all.map(del);

describe("deletes that the ECS agent contradicts", () => {
  it("are held back, and said so in one sentence", () => {
    const { held } = bench();
    expect(held.problem()).toBeUndefined();
    held.hold(doubtful, 4);
    expect([...held.keys()]).toEqual(all.map(keyOf));
    expect(held.problem()).toBe(
      "4 of this host's 4 records are kept though Docker shows no container of theirs: the ECS agent calls their " +
        "4 tasks running. They go once it agrees; if Docker is right, start once with --force",
    );
  });

  it("go, each as soon as the ECS agent calls its task stopped", async () => {
    const { held, say, clock, stop, released } = bench();
    held.hold(doubtful, 4);
    const running = held.run(stop.signal);
    await clock.advance(5_000);
    expect(released).toEqual([]);
    say.live = async () => new Set([task(2)]);
    await clock.advance(5_000);
    expect(released).toEqual([[1, 3, 4].map((n) => keyOf(record(n)))]);
    say.live = async () => new Set();
    await clock.advance(5_000);
    await running;
    expect(held.problem()).toBeUndefined();
    expect(held.keys().size).toBe(0);
  });

  it("stay while the ECS agent does not answer: no failure to read leads to a delete", async () => {
    const { held, say, clock, stop, released } = bench();
    held.hold(doubtful, 4);
    const running = held.run(stop.signal);
    say.live = async () => {
      throw new Unavailable("the ECS agent", "did not answer");
    };
    await clock.advance(600_000);
    expect(released).toEqual([]);
    expect(held.keys().size).toBe(4);
    stop.abort();
    await running;
  });

  it("are no longer in doubt once Docker shows a container of the task, in whatever state", async () => {
    const { held, clock, stop, released } = bench();
    held.hold(doubtful, 4);
    const running = held.run(stop.signal);
    for (const n of [1, 2, 3, 4]) held.shown(task(n));
    await settle();
    await clock.advance(5_000);
    await running;
    expect(released.flat()).toHaveLength(4);
    expect(held.keys().size).toBe(0);
  });
});
