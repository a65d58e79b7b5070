import { describe, expect, it, test } from "@jest/globals";
import { type Claim, claimOf, desiredOf } from "../../lib/core/desired.ts";
import { keyOf } from "../../lib/core/record-set.ts";
import type { Task, TaskAnswer } from "../../lib/core/task.ts";
import { container, containerId, owner, record, task, taskArn, ZONE } from "../support/build.ts";

const rules = { zoneName: ZONE, owner, ttlSeconds: 10, weight: 1 };
const labelled = (...labels: [string, string][]) => container(1, { labels: new Map(labels) });
const service = (value: string): [string, string] => ["discovery.service.name", value];

const claim = (of = container(1)): Claim => {
  const made = claimOf(of, ZONE);
  if (made.kind !== "claim") throw new Error(made.detail);
  return made;
};
const answer = (over: Partial<Task> = {}): TaskAnswer => ({
  kind: "task",
  task: {
    id: task(1),
    containers: new Map([[containerId(1), { ipv4: ["10.0.0.1"] }]]),
    stopped: false,
    ...over,
  },
});

describe("what a container alone decides", () => {
  test.each([
    ["gone", undefined],
    ["not-running", container(1, { running: false })],
    ["not-labelled", labelled(["app", "web"])],
    [
      "internal",
      labelled(service("web"), ["com.amazonaws.ecs.container-name", "~internal~ecs~pause"]),
    ],
    ["bad-name", labelled(service(""))],
    ["bad-name", labelled(service("a..b"))],
  ] as const)("%s", (reason, seen) => {
    expect(claimOf(seen, ZONE)).toMatchObject({ kind: "absent", reason });
  });

  it("a bad name says which label, what was expected and what it got", () => {
    expect(claimOf(labelled(service("my_web")), ZONE)).toMatchObject({
      detail:
        'label discovery.service.name: expected letters, digits, hyphens and dots only, got "my_web"',
    });
  });

  it("a good one claims its name", () => {
    expect(claimOf(container(1), ZONE)).toMatchObject({ kind: "claim", name: `web.${ZONE}` });
  });
});

describe("what a claim comes to", () => {
  it("the task's record, at the container's own address", () => {
    const containers = new Map([
      [containerId(2), { ipv4: ["10.0.0.2"] }],
      [containerId(1), { ipv4: ["10.0.0.1"] }],
    ]);
    expect(desiredOf(claim(), answer({ containers }), rules)).toEqual({
      kind: "serve",
      records: [record(1)],
    });
  });

  it("the first address when there are several: the primary one comes first", () => {
    const containers = new Map([[containerId(1), { ipv4: ["10.0.0.1", "10.0.0.99"] }]]);
    expect(desiredOf(claim(), answer({ containers }), rules)).toEqual({
      kind: "serve",
      records: [record(1)],
    });
  });

  it("promise 1: two labelled containers of one task ask for one and the same record set", () => {
    const containers = new Map([
      [containerId(1), { ipv4: ["10.0.0.1"] }],
      [containerId(2), { ipv4: ["10.0.0.1"] }],
    ]);
    const second = container(2, {
      labels: new Map([service("WEB"), ["com.amazonaws.ecs.task-arn", taskArn(1)]]),
    });
    expect(desiredOf(claim(second), answer({ containers }), rules)).toEqual(
      desiredOf(claim(), answer({ containers }), rules),
    );
  });

  it("promise 1: two tasks of one service ask for two record sets", () => {
    const other = answer({
      id: task(2),
      containers: new Map([[containerId(2), { ipv4: ["10.0.0.2"] }]]),
    });
    expect(desiredOf(claim(container(2)), other, rules)).toEqual({
      kind: "serve",
      records: [record(2)],
    });
  });

  const noAddress = { containers: new Map([[containerId(1), { ipv4: [] }]]) };
  test.each([
    ["task-stopped", "absent", container(1), answer({ stopped: true })],
    ["no-address", "absent", container(1, { networkMode: "bridge" }), answer(noAddress)],
    ["no-address", "absent", container(1, { networkMode: "host" }), answer(noAddress)],
    ["address-pending", "unsure", container(1), answer(noAddress)],
    ["address-pending", "unsure", container(1), answer({ containers: new Map() })],
    ["unknown-task", "unsure", container(1), { kind: "unknown" }],
    ["not-a-task", "absent", labelled(service("web")), { kind: "unknown" }],
    ["malformed-answer", "unsure", container(1), { kind: "malformed", problem: "x" }],
    ["agent-unavailable", "unsure", container(1), { kind: "unavailable", problem: "x" }],
  ] as const)("%s (%s)", (reason, kind, seen, said) => {
    expect(desiredOf(claim(seen), said, rules)).toMatchObject({ kind, reason });
  });

  it("promise 6: while unsure, what is published for the container's task is kept", () => {
    expect(desiredOf(claim(), { kind: "unavailable", problem: "x" }, rules)).toMatchObject({
      keeps: [keyOf(record(1))],
    });
  });

  it("without the ECS agent's label there is nothing to keep", () => {
    const said = desiredOf(
      claim(labelled(service("web"))),
      { kind: "unavailable", problem: "x" },
      rules,
    );
    expect(said).toMatchObject({ kind: "unsure", keeps: [] });
  });
});
