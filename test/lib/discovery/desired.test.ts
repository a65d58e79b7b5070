import { describe, expect, it, test } from "@jest/globals";
import { type Claim, claimOf, desiredOf } from "../../../lib/discovery/desired.ts";
import type { Task, TaskAnswer } from "../../../lib/ecs/task.ts";
import { keyOf } from "../../../lib/route53/record-set.ts";
import {
  container,
  containerId,
  desiredRules,
  inTask,
  record,
  task,
  taskArn,
  ZONE,
} from "../../support/build.ts";

const rules = desiredRules;
const labelled = (...labels: [string, string][]) => container(1, { labels: new Map(labels) });
const service = (value: string): [string, string] => ["discovery.service.name", value];

const claim = (of = container(1)): Claim => {
  const made = claimOf(of, "healthy", rules);
  if (made.kind !== "claim") throw new Error(made.detail);
  return made;
};
const answer = (over: Partial<Task> = {}): TaskAnswer => ({
  kind: "task",
  task: {
    id: task(1),
    containers: new Map([[containerId(1), inTask({ ipv4: ["10.0.0.1"] })]]),
    stopped: false,
    ...over,
  },
});

describe("what a container alone decides", () => {
  test.each([
    ["gone", undefined, "dead"],
    ["not-running", container(1), "dead"],
    ["stopping", container(1), "stopping"],
    ["paused", container(1), "paused"],
    ["starting", container(1), "starting"],
    ["not-labelled", labelled(["app", "web"]), "healthy"],
    [
      "internal",
      labelled(service("web"), ["com.amazonaws.ecs.container-name", "~internal~ecs~pause"]),
      "healthy",
    ],
    ["bad-name", labelled(service("")), "healthy"],
    ["bad-name", labelled(service("a..b")), "healthy"],
    ["bad-label", labelled(service("web"), ["discovery.service.weight", "heavy"]), "healthy"],
  ] as const)("%s", (reason, seen, life) => {
    expect(claimOf(seen, life, rules)).toMatchObject({ kind: "absent", reason });
  });

  it("a bad name says which label, what was expected and what it got", () => {
    expect(claimOf(labelled(service("my_web")), "healthy", rules)).toMatchObject({
      detail:
        'label discovery.service.name: expected letters, digits, hyphens and dots only, got "my_web"',
    });
  });

  it("a good one claims its name", () => {
    expect(claimOf(container(1), "healthy", rules)).toMatchObject({
      kind: "claim",
      asked: { names: [`web.${ZONE}`] },
      well: true,
    });
  });

  it("an unhealthy one claims its name, too, and says that it is not well", () => {
    expect(claimOf(container(1), "unhealthy", rules)).toMatchObject({ kind: "claim", well: false });
  });
});

describe("what a claim comes to", () => {
  it("the task's record, at the container's own address", () => {
    const containers = new Map([
      [containerId(2), inTask({ ipv4: ["10.0.0.2"] })],
      [containerId(1), inTask({ ipv4: ["10.0.0.1"] })],
    ]);
    expect(desiredOf(claim(), answer({ containers }), rules)).toEqual({
      kind: "serve",
      source: "ecs",
      well: true,
      problems: [],
      records: [record(1)],
    });
  });

  it("the first address when there are several: the primary one comes first", () => {
    const containers = new Map([[containerId(1), inTask({ ipv4: ["10.0.0.1", "10.0.0.99"] })]]);
    expect(desiredOf(claim(), answer({ containers }), rules)).toEqual({
      kind: "serve",
      source: "ecs",
      well: true,
      problems: [],
      records: [record(1)],
    });
  });

  it("promise 1: two labelled containers of one task ask for one and the same record set", () => {
    const containers = new Map([
      [containerId(1), inTask({ ipv4: ["10.0.0.1"] })],
      [containerId(2), inTask({ ipv4: ["10.0.0.1"] })],
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
      containers: new Map([[containerId(2), inTask({ ipv4: ["10.0.0.2"] })]]),
    });
    expect(desiredOf(claim(container(2)), other, rules)).toEqual({
      kind: "serve",
      source: "ecs",
      well: true,
      problems: [],
      records: [record(2)],
    });
  });

  const noAddress = { containers: new Map([[containerId(1), inTask({ ipv4: [] })]]) };
  test.each([
    ["task-stopped", "absent", container(1), answer({ stopped: true })],
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
      keeps: expect.arrayContaining([keyOf(record(1))]),
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

  it("a record set for each name, with the labels' weight and TTL instead of the flags'", () => {
    const many = container(1, {
      labels: new Map([
        service("web,v2.api"),
        ["discovery.service.weight", "7"],
        ["discovery.service.ttl", "60"],
      ]),
    });
    const over = { weight: 7, ttlSeconds: 60 };
    expect(desiredOf(claim(many), answer(), rules)).toMatchObject({
      records: [record(1, over), record(1, { ...over, name: `v2.api.${ZONE}` })],
    });
  });
});
