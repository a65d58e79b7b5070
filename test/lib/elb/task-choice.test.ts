import { describe, expect, it, test } from "@jest/globals";
import type { Service } from "../../../lib/elb/service.ts";
import {
  type Answering,
  byAge,
  type Chosen,
  candidates,
  choose,
  type HostTask,
  hostPortOf,
} from "../../../lib/elb/task-choice.ts";

const service: Service = {
  key: "web",
  family: "web",
  container: "nginx",
  outlet: { mode: "rewrite", loadBalancer: "web", ports: [] },
};
const port = (at: number) => ({ first: at, last: at });

const task = (n: number, over: Partial<HostTask> = {}): HostTask => ({
  arn: `arn:aws:ecs:eu-west-1:123456789012:task/prod/${n.toString(16).padStart(32, "0")}`,
  definition: "arn:aws:ecs:eu-west-1:123456789012:task-definition/web:7",
  lastStatus: "RUNNING",
  desiredStatus: "RUNNING",
  health: "UNKNOWN",
  startedAt: n,
  containers: [
    {
      name: "nginx",
      lastStatus: "RUNNING",
      health: "UNKNOWN",
      bindings: [
        { container: port(80), host: port(32_768 + n) },
        { container: port(80), host: port(40_000 + n) },
        { container: { first: 9_000, last: 9_002 }, host: { first: 50_000, last: 50_002 } },
      ],
    },
  ],
  ...over,
});

describe("the tasks of a service", () => {
  it("are those that can be sent to, the newest first", () => {
    const found = candidates(service, [task(1), task(3), task(2)]);
    expect(found.kind === "some" && found.tasks.map((one) => one.task.startedAt)).toEqual([
      3, 2, 1,
    ]);
    expect(found.kind === "some" && found.tasks[0].ports.slice(0, 2)).toEqual([
      { container: 80, host: 32_771 },
      { container: 9_000, host: 50_000 },
    ]);
  });

  test.each<[string, readonly HostTask[], string, number]>([
    ["none", [], "no-task", 0],
    [
      "of another family",
      [task(1, { definition: "arn:aws:ecs:r:1:task-definition/web2:7" })],
      "no-task",
      0,
    ],
    ["PENDING", [task(1, { lastStatus: "PENDING" })], "starting", 1],
    ["told to stop", [task(1, { desiredStatus: "STOPPED" })], "stopping", 0],
    ["sent its stop signal, as Docker says", [task(1, { stopping: true })], "stopping", 0],
    ["UNHEALTHY", [task(1, { health: "UNHEALTHY" })], "unhealthy", 1],
    ["without that container", [task(1, { containers: [] })], "no-container", 1],
    [
      "without a binding",
      [
        task(1, {
          containers: [{ name: "nginx", lastStatus: "RUNNING", health: "UNKNOWN", bindings: [] }],
        }),
      ],
      "no-ports",
      1,
    ],
    ["of a network of its own", [task(1, { network: { ipv4: "10.0.0.1" } })], "no-ports", 1],
  ])("that are %s give a reason", (_, tasks, reason, wanted) => {
    expect(candidates(service, tasks)).toMatchObject({ kind: "none", reason, wanted });
  });

  it("lack a port of the container that the service names, and has not bound", () => {
    const named: Service = {
      ...service,
      outlet: { mode: "rewrite", loadBalancer: "web", ports: [{ lbPort: 80, containerPort: 81 }] },
    };
    expect(candidates(named, [task(1)])).toMatchObject({
      kind: "none",
      reason: "no-ports",
      detail: expect.stringContaining("port 81"),
    });
  });

  it("of a network of their own can be forwarded to, at the container's port", () => {
    const forward: Service = {
      ...service,
      outlet: {
        mode: "forward",
        ports: [{ listenPort: 8_080, containerPort: 81 }],
        dataPlane: "proxy",
      },
    };
    const found = candidates(forward, [task(1, { network: { ipv4: "10.0.0.1" } })]);
    expect(found.kind === "some" && hostPortOf(found.tasks[0].ports, 81)).toBe(81);
  });
});

describe("the chosen task", () => {
  const found = (...tasks: readonly HostTask[]) => {
    const all = candidates(service, tasks);
    if (all.kind !== "some") throw new Error("no task");
    return all.tasks;
  };
  /** What is chosen at each of these looks, one after the other. */
  const chosen = (...looks: readonly (readonly [Answering, ...Answering[]])[]) => {
    let before: Chosen | undefined;
    return looks.map((look) => {
      const choice = choose(look, before);
      before = choice.chosen;
      return choice.answering.task.startedAt;
    });
  };

  it("is the newest while old and new run side by side, and stays it when the old one goes", () => {
    expect(chosen(found(task(1)), found(task(1), task(2)), found(task(2)))).toEqual([1, 2, 2]);
  });

  it("is never again the one that was left, while another can be sent to", () => {
    // The new one fails and comes back: one step back, because there is nobody else, and none forth.
    expect(
      chosen(
        found(task(1)),
        found(task(1), task(2)),
        found(task(1)),
        found(task(1), task(2)),
        found(task(1), task(2), task(3)),
      ),
    ).toEqual([1, 2, 1, 1, 3]);
  });

  it("does not swing when two have the same age", () => {
    const [a, b] = [
      task(1, { startedAt: 5, createdAt: 5 }),
      task(2, { startedAt: 5, createdAt: 5 }),
    ];
    expect(byAge(a, b)).toBe(-byAge(b, a));
    const looks = [found(a, b), found(b, a), found(a, b)];
    const arns = new Set(looks.map((look) => choose(look, undefined).chosen.arn));
    expect(arns.size).toBe(1);
  });
});
