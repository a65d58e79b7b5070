import { describe, expect, it } from "@jest/globals";
import { denied, ecsControlStandIn, THROTTLED } from "../../../../lib/standins/ecs/control.ts";
import type { ControlState } from "../../../../lib/standins/ecs/control-rules.ts";

const id = (n: number): string => n.toString(16).padStart(32, "0");
const of = (resource: string, n: number) =>
  `arn:aws:ecs:eu-west-1:123456789012:${resource}/prod/${id(n)}`;
const many = (resource: string, from: number, to: number) =>
  Array.from({ length: to - from }, (_, n) => of(resource, from + n));

const STATE: ControlState = {
  clusters: [
    {
      name: "prod",
      instances: Array.from({ length: 150 }, (_, n) => ({
        id: id(n),
        ...(n === 149 && { status: "INACTIVE" }),
        ...(n === 0 && { status: "DRAINING", agentConnected: false }),
      })),
      tasks: Array.from({ length: 250 }, (_, n) => ({
        id: id(n),
        instance: id(n % 150),
        ...(n === 3 && { lastStatus: "STOPPED" }),
        ...(n === 4 && { lastStatus: "DEACTIVATING", desiredStatus: "STOPPED" as const }),
      })),
    },
    { name: "other", instances: [], tasks: [] },
  ],
};

async function standIn(state = STATE) {
  const ecs = await ecsControlStandIn(() => state);
  const ask = async (operation: string, input: unknown = {}) => {
    const answer = await fetch(ecs.url, {
      method: "POST",
      headers: {
        "content-type": "application/x-amz-json-1.1",
        "x-amz-target": `AmazonEC2ContainerServiceV20141113.${operation}`,
      },
      body: typeof input === "string" ? input : JSON.stringify(input),
    });
    const body = (await answer.json()) as Record<string, unknown>;
    return { status: answer.status, ...body };
  };
  return { ecs, ask, [Symbol.asyncDispose]: () => ecs.close() };
}

describe("a list", () => {
  it("comes in pages of a hundred, without what is INACTIVE", async () => {
    await using one = await standIn();
    const first = await one.ask("ListContainerInstances", { cluster: "prod" });
    expect(first).toEqual({
      status: 200,
      containerInstanceArns: many("container-instance", 0, 100),
      nextToken: expect.any(String),
    });
    const { nextToken } = first as { nextToken?: string };
    expect(await one.ask("ListContainerInstances", { cluster: "prod", nextToken })).toEqual({
      status: 200,
      containerInstanceArns: many("container-instance", 100, 149),
    });
    expect(one.ecs.requests.map(({ page }) => page)).toEqual([1, 2]);
  });

  it("of tasks holds those that are meant to run; or, asked for, those that are not", async () => {
    await using one = await standIn();
    const running = await one.ask("ListTasks", {
      cluster: of("x", 0).replace(/:x.*/, ":cluster/prod"),
    });
    expect(running).toMatchObject({
      taskArns: [0, 1, 2, 5].map((n) => of("task", n)).concat(many("task", 6, 102)),
    });
    expect(await one.ask("ListTasks", { cluster: "prod", desiredStatus: "STOPPED" })).toEqual({
      status: 200,
      taskArns: [of("task", 3), of("task", 4)],
    });
  });

  it("has as many as were asked for, a hundred at most", async () => {
    await using one = await standIn();
    const two = await one.ask("ListTasks", { cluster: "prod", maxResults: 2 });
    expect(two).toMatchObject({ taskArns: many("task", 0, 2), nextToken: expect.any(String) });
    for (const maxResults of [0, 101, 1.5]) {
      expect(await one.ask("ListTasks", { cluster: "prod", maxResults })).toMatchObject({
        status: 400,
        __type: "InvalidParameterException",
      });
    }
  });

  it("of clusters has pages, too", async () => {
    const clusters = Array.from({ length: 101 }, (_, n) => ({
      name: `c${n}`,
      instances: [],
      tasks: [],
    }));
    await using one = await standIn({ clusters });
    const { nextToken, ...first } = (await one.ask("ListClusters")) as { nextToken?: string };
    expect(first).toMatchObject({
      clusterArns: expect.arrayContaining(["arn:aws:ecs:eu-west-1:123456789012:cluster/c99"]),
    });
    expect(await one.ask("ListClusters", { nextToken })).toEqual({
      status: 200,
      clusterArns: ["arn:aws:ecs:eu-west-1:123456789012:cluster/c100"],
    });
  });

  it("takes no token that another list gave", async () => {
    await using one = await standIn();
    const { nextToken } = (await one.ask("ListTasks", { cluster: "prod" })) as {
      nextToken?: string;
    };
    const refused = { status: 400, __type: "InvalidParameterException" };
    expect(await one.ask("ListContainerInstances", { cluster: "prod", nextToken })).toMatchObject(
      refused,
    );
    expect(await one.ask("ListTasks", { cluster: "other", nextToken })).toMatchObject(refused);
    expect(await one.ask("ListTasks", { cluster: "prod", nextToken: "100" })).toMatchObject(
      refused,
    );
  });
});

describe("a description", () => {
  it("has an answer or a failure for each id or ARN", async () => {
    await using one = await standIn();
    expect(
      await one.ask("DescribeContainerInstances", {
        cluster: "prod",
        containerInstances: [id(0), of("container-instance", 149), id(900)],
      }),
    ).toEqual({
      status: 200,
      containerInstances: [
        expect.objectContaining({
          containerInstanceArn: of("container-instance", 0),
          status: "DRAINING",
          agentConnected: false,
        }),
        expect.objectContaining({
          containerInstanceArn: of("container-instance", 149),
          status: "INACTIVE",
          agentConnected: true,
        }),
      ],
      failures: [{ arn: of("container-instance", 900), reason: "MISSING" }],
    });
    expect(await one.ask("DescribeTasks", { cluster: "prod", tasks: [id(3), id(900)] })).toEqual({
      status: 200,
      tasks: [
        expect.objectContaining({
          taskArn: of("task", 3),
          lastStatus: "STOPPED",
          desiredStatus: "STOPPED",
        }),
      ],
      failures: [{ arn: of("task", 900), reason: "MISSING" }],
    });
  });

  it.each([
    ["DescribeTasks", "tasks", "taskIds can have at most 100 items."],
    ["DescribeContainerInstances", "containerInstances", "instanceIds can have at most 100 items."],
  ])("%s of more than a hundred is refused", async (operation, field, message) => {
    await using one = await standIn();
    const ids = Array.from({ length: 101 }, (_, n) => id(n));
    expect(await one.ask(operation, { cluster: "prod", [field]: ids })).toEqual({
      status: 400,
      __type: "InvalidParameterException",
      message,
    });
  });
});

describe("what it does not know is refused:", () => {
  it.each([
    ["a cluster", "ListTasks", { cluster: "nosuch" }, "ClusterNotFoundException"],
    ["no cluster, where there is no default", "ListTasks", {}, "ClusterNotFoundException"],
    ["an operation", "StopTask", { cluster: "prod" }, "UnknownOperationException"],
    ["a field", "ListTasks", { cluster: "prod", family: "web" }, "InvalidParameterException"],
    ["a value", "DescribeTasks", { cluster: "prod", tasks: "web" }, "InvalidParameterException"],
    ["no ids", "DescribeTasks", { cluster: "prod", tasks: [] }, "InvalidParameterException"],
    ["no JSON", "ListTasks", "{", "SerializationException"],
    ["no object", "ListTasks", [], "SerializationException"],
  ])("%s", async (_, operation, input, code) => {
    await using one = await standIn();
    expect(await one.ask(operation, input)).toMatchObject({ status: 400, __type: code });
    expect(one.ecs.requests).toMatchObject([{ result: code }]);
  });

  it("another method", async () => {
    await using one = await standIn();
    const answer = await fetch(one.ecs.url, {
      headers: { "x-amz-target": "AmazonEC2ContainerServiceV20141113.ListClusters" },
    });
    expect(answer.status).toBe(400);
  });
});

describe("a fault", () => {
  it("takes the requests that it is for, as often as it says", async () => {
    await using one = await standIn();
    one.ecs.fail({ operation: "ListTasks", cluster: "prod", page: 2, times: 1, error: THROTTLED });
    one.ecs.fail({ operation: "ListClusters", error: denied("ListClusters") });
    const { nextToken } = (await one.ask("ListTasks", { cluster: "prod" })) as {
      nextToken?: string;
    };
    const second = { cluster: "prod", nextToken };
    expect(await one.ask("ListTasks", second)).toEqual({
      status: 400,
      __type: "ThrottlingException",
      message: "Rate exceeded",
    });
    expect(await one.ask("ListTasks", second)).toMatchObject({ status: 200 });
    for (let times = 0; times < 2; times += 1) {
      expect(await one.ask("ListClusters")).toMatchObject({ __type: "AccessDeniedException" });
    }
    one.ecs.clearFaults();
    expect(await one.ask("ListClusters")).toMatchObject({ status: 200 });
  });
});
