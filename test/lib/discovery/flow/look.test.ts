import { describe, expect, it } from "@jest/globals";
import { look } from "../../../../lib/discovery/flow/look.ts";
import type { Container } from "../../../../lib/docker/container.ts";
import { lives } from "../../../../lib/docker/flow/lives.ts";
import type { TaskAnswer } from "../../../../lib/ecs/task.ts";
import { Fatal, Unavailable } from "../../../../lib/kit/failure.ts";
import { keyOf } from "../../../../lib/route53/record-set.ts";
import {
  container,
  containerId,
  desiredRules,
  inTask,
  record,
  task,
} from "../../../support/build.ts";
import { fakeClock } from "../../../support/fake-clock.ts";

const id = containerId(1);
const served: TaskAnswer = {
  kind: "task",
  task: {
    id: task(1),
    containers: new Map([[id, inTask({ ipv4: ["10.0.0.1"] })]]),
    stopped: false,
  },
};
const pending: TaskAnswer = {
  kind: "task",
  task: { id: task(1), containers: new Map(), stopped: false },
};

/** An engine and an ECS agent whose next answers the test sets. */
function bench() {
  const clock = fakeClock();
  const known = lives({ clock, stopGraceMs: 120_000, withHealth: true });
  const asked: string[] = [];
  const say = {
    inspect: async (_givenUp?: AbortSignal): Promise<Container | undefined> => container(1),
    taskOf: async (): Promise<TaskAnswer> => served,
  };
  const lookAt = look({
    inspect: (one, givenUp) => {
      asked.push("inspect");
      expect(one).toBe(id);
      return say.inspect(givenUp);
    },
    taskOf: (one) => {
      asked.push("task");
      expect(one).toBe(id);
      return say.taskOf();
    },
    lives: known,
    hostAddresses: async () => ({}),
    rules: desiredRules,
    clock,
    random: () => 0.5,
    patienceMs: 60_000,
  });
  return {
    clock,
    asked,
    say,
    known,
    async lookAt() {
      const seen = lookAt(id);
      seen.catch(() => {});
      // One that finds an end lets what was told with it be read first.
      await clock.advance(0);
      return seen;
    },
  };
}

const down = (system: "Docker" | "the ECS agent") => async () => {
  throw new Unavailable(system, "did not answer");
};

describe("one look", () => {
  it("asks once for the container and once for its task, and says what it serves", async () => {
    const { lookAt, asked } = bench();
    expect(await lookAt()).toEqual({
      container: container(1),
      life: "healthy",
      desired: { kind: "serve", records: [record(1)], source: "ecs", well: true, problems: [] },
    });
    expect(asked).toEqual(["inspect", "task"]);
  });

  it("says nothing of one that ended and started again meanwhile: the start has a look of its own", async () => {
    const { known, say, lookAt } = bench();
    const { promise, resolve } = Promise.withResolvers<Container>();
    say.inspect = () => promise;
    const seen = lookAt();
    // As a stream tells them that was read late.
    known.hear(id, { kind: "die" });
    known.hear(id, { kind: "start" });
    expect(await seen).toEqual({});
    resolve(container(1));
    expect(await lookAt()).toMatchObject({ desired: { kind: "serve" } });
    known.hear(id, { kind: "die" });
    expect(await lookAt()).toMatchObject({ life: "dead", desired: { kind: "absent" } });
  });

  it("promise 5: a container that is gone or ended needs no ECS agent", async () => {
    const { lookAt, asked, say } = bench();
    say.taskOf = down("the ECS agent");
    say.inspect = async () => undefined;
    expect(await lookAt()).toMatchObject({ desired: { kind: "absent", reason: "gone" } });
    say.inspect = async () => container(1, { running: false });
    expect(await lookAt()).toMatchObject({ desired: { kind: "absent", reason: "not-running" } });
    expect(asked).toEqual(["inspect", "inspect"]);
  });
});

describe("a container whose end Docker has told", () => {
  it("is absent without a question: Docker holds the answer back until the container is taken down", async () => {
    const { lookAt, asked, known } = bench();
    known.hear(id, { kind: "die" });
    expect(await lookAt()).toEqual({
      life: "dead",
      desired: { kind: "absent", reason: "not-running", detail: "its process has ended" },
    });
    await lookAt();
    expect(asked).toEqual([]);
  });

  it("is asked for again after a start, and when the events are in doubt", async () => {
    const { lookAt, asked, known } = bench();
    known.hear(id, { kind: "die" });
    await lookAt();
    known.hear(id, { kind: "start" });
    expect(await lookAt()).toMatchObject({ desired: { kind: "serve" } });
    known.hear(id, { kind: "die" });
    await lookAt();
    known.doubt();
    await lookAt();
    expect(asked.filter((what) => what === "inspect")).toHaveLength(2);
  });

  it("is absent at once though a look at it is under way, and that question is given up", async () => {
    const { lookAt, say, known } = bench();
    let isGivenUp = false;
    say.inspect = (givenUp) =>
      new Promise((_, reject) => {
        givenUp?.addEventListener("abort", () => {
          isGivenUp = true;
          reject(new Unavailable("Docker", "did not answer"));
        });
      });
    const look = lookAt();
    known.hear(id, { kind: "die" });
    expect(await look).toMatchObject({ life: "dead", desired: { kind: "absent" } });
    expect(isGivenUp).toBe(true);
  });
});

describe("a container that has just started", () => {
  it("has its task asked for while Docker is asked for the container", async () => {
    const { lookAt, asked, say, known } = bench();
    const docker = Promise.withResolvers<Container | undefined>();
    say.inspect = () => docker.promise;
    known.hear(id, { kind: "start" });
    const look = lookAt();
    await Promise.resolve();
    expect(asked.toSorted()).toEqual(["inspect", "task"]);
    docker.resolve(container(1));
    expect(await look).toMatchObject({ desired: { kind: "serve" } });
    expect(asked).toHaveLength(2);
  });

  it("and has ended by then needs no answer of the ECS agent", async () => {
    const { lookAt, say, known, clock } = bench();
    say.taskOf = down("the ECS agent");
    say.inspect = async () => container(1, { running: false });
    known.hear(id, { kind: "start" });
    expect(await lookAt()).toMatchObject({ desired: { kind: "absent", reason: "not-running" } });
    await clock.advance(60_000);
    say.inspect = async () => container(1);
    expect((await lookAt()).againInMs).toBe(100);
  });
});

describe("a task that has no address yet", () => {
  it("is looked at again with growing waits, and serves once it has one", async () => {
    const { lookAt, say, clock } = bench();
    say.taskOf = async () => pending;
    const waits = [];
    for (let tries = 0; tries < 4; tries += 1) {
      const { againInMs = 0, desired } = await lookAt();
      expect(desired).toMatchObject({ kind: "unsure", reason: "address-pending" });
      waits.push(againInMs);
      await clock.advance(againInMs);
    }
    expect(waits).toEqual([100, 200, 400, 800]);
    say.taskOf = async () => served;
    expect(await lookAt()).toMatchObject({ desired: { kind: "serve" } });
  });

  it("is asked for no more once the patience is over; what is published for it is kept", async () => {
    const { lookAt, say, clock } = bench();
    say.taskOf = async () => ({ kind: "unknown" });
    expect((await lookAt()).againInMs).toBeGreaterThan(0);
    await clock.advance(60_000);
    const seen = await lookAt();
    expect(seen.againInMs).toBeUndefined();
    expect(seen.desired).toMatchObject({
      kind: "unsure",
      keeps: expect.arrayContaining([keyOf(record(1))]),
    });
  });

  it("has its patience anew after it ended and started again", async () => {
    const { lookAt, say, clock } = bench();
    say.taskOf = async () => pending;
    await lookAt();
    await clock.advance(60_000);
    say.inspect = async () => container(1, { running: false });
    await lookAt();
    say.inspect = async () => container(1);
    expect((await lookAt()).againInMs).toBe(100);
  });
});

describe("an outage", () => {
  it("promise 7: an ECS agent that does not answer is asked again, and ends the process after the patience", async () => {
    const { lookAt, say, clock } = bench();
    say.taskOf = down("the ECS agent");
    expect(await lookAt()).toMatchObject({
      desired: {
        kind: "unsure",
        reason: "agent-unavailable",
        keeps: expect.arrayContaining([keyOf(record(1))]),
      },
      againInMs: 100,
    });
    await clock.advance(59_999);
    await lookAt();
    await clock.advance(1);
    await expect(lookAt()).rejects.toThrow("gave up after 60 s (--patience)");
  });

  it("says nothing of a container that Docker did not answer for", async () => {
    const { lookAt, say } = bench();
    say.inspect = down("Docker");
    expect(await lookAt()).toEqual({ againInMs: 100 });
  });

  it("an outage that nobody waits for any more is over: a failure minutes later is a first one", async () => {
    const { say, clock, lookAt } = bench();
    say.taskOf = down("the ECS agent");
    expect((await lookAt()).againInMs).toBeDefined();
    say.inspect = async () => undefined;
    expect((await lookAt()).desired).toMatchObject({ kind: "absent" });
    await clock.advance(600_000);
    say.inspect = async () => container(1);
    expect((await lookAt()).againInMs).toBeDefined();
  });

  it("one answer in between starts the patience anew", async () => {
    const { lookAt, say, clock } = bench();
    say.taskOf = down("the ECS agent");
    await lookAt();
    await clock.advance(59_999);
    say.taskOf = async () => served;
    await lookAt();
    say.taskOf = down("the ECS agent");
    await clock.advance(1);
    expect((await lookAt()).againInMs).toBe(100);
  });

  it("that nobody waits for any more is over: a later failure begins another", async () => {
    const { lookAt, say, known, clock } = bench();
    say.taskOf = down("the ECS agent");
    await lookAt();
    known.hear(id, { kind: "die" });
    await lookAt();
    await clock.advance(300_000);
    known.hear(id, { kind: "start" });
    expect((await lookAt()).againInMs).toBe(100);
  });

  it("what waiting can't mend ends it at once", async () => {
    const { lookAt, say } = bench();
    say.inspect = async () => {
      throw new Fatal("no permission");
    };
    await expect(lookAt()).rejects.toThrow("no permission");
  });
});
