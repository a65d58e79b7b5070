import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { ecsControl } from "../../../../lib/ecs/io/control.ts";
import { denied, ecsControlStandIn, THROTTLED } from "../../../../lib/standins/ecs/control.ts";
import { instance, task } from "../../../support/build.ts";
import { cluster } from "../../../support/sweep-lab.ts";

const environment: Readonly<Record<string, string>> = {
  AWS_ENDPOINT_URL_ECS: "http://127.0.0.1:9",
  AWS_ACCESS_KEY_ID: "test",
  AWS_SECRET_ACCESS_KEY: "test",
  AWS_CONFIG_FILE: "/dev/null",
  AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
  AWS_EC2_METADATA_DISABLED: "true",
};
const before = new Map(Object.keys(environment).map((name) => [name, process.env[name]]));
beforeAll(() => void Object.assign(process.env, environment));
afterAll(() => {
  for (const [name, value] of before) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
});

/** A client of what listens there, on this machine. */
function clientOf(url: string) {
  expect(new URL(url).hostname).toBe("127.0.0.1");
  // The SDK reads it when a client is made.
  process.env["AWS_ENDPOINT_URL_ECS"] = url;
  return ecsControl({ region: "eu-west-1" });
}

async function ecsOf() {
  const prod = cluster("prod", { instances: 120, tasks: 130 });
  const state = {
    name: "prod",
    instances: [...prod.instances.values()],
    tasks: [...prod.tasks.values()],
  };
  const standIn = await ecsControlStandIn(() => ({ clusters: [state] }));
  return {
    standIn,
    prod,
    ecs: clientOf(standIn.url),
    [Symbol.asyncDispose]: () => standIn.close(),
  };
}

/** ECS as something that gives this answer to every question. */
async function answering(status: number, body: string) {
  const server = createServer((_, response) => {
    response.writeHead(status, { "content-type": "application/x-amz-json-1.1" }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    ecs: clientOf(`http://127.0.0.1:${port}`),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

describe("lists", () => {
  it("are ids, a page at a time", async () => {
    await using one = await ecsOf();
    const { ecs } = one;
    expect(await ecs.clusters(undefined)).toEqual({
      ids: ["arn:aws:ecs:eu-west-1:123456789012:cluster/prod"],
    });
    const first = await ecs.instances("prod", undefined);
    expect(first.ids).toEqual(Array.from({ length: 100 }, (_, n) => instance(n)));
    const second = await ecs.instances("prod", first.next);
    expect(second).toEqual({ ids: Array.from({ length: 20 }, (_, n) => instance(100 + n)) });
    const tasks = await ecs.runningTasks("prod", undefined);
    expect((await ecs.runningTasks("prod", tasks.next)).ids).toEqual(
      Array.from({ length: 30 }, (_, n) => task(100 + n)),
    );
  });

  it("that are not there at all are no empty lists", async () => {
    await using one = await answering(200, "{}");
    for (const list of [
      () => one.ecs.clusters(undefined),
      () => one.ecs.instances("a", undefined),
      () => one.ecs.runningTasks("a", undefined),
    ]) {
      await expect(list()).rejects.toMatchObject({
        name: "Fatal",
        message: expect.stringMatching(/^ECS gave an answer without [a-z]+Arns$/i),
      });
    }
  });

  it("of something else than ARNs are refused", async () => {
    await using one = await answering(
      200,
      JSON.stringify({ taskArns: ["task/../x"], containerInstanceArns: ["i-1"] }),
    );
    for (const list of [
      () => one.ecs.instances("a", undefined),
      () => one.ecs.runningTasks("a", undefined),
    ]) {
      await expect(list()).rejects.toMatchObject({
        name: "Fatal",
        message: expect.stringContaining("ECS gave"),
      });
    }
  });
});

describe("descriptions", () => {
  it("are found or missing", async () => {
    await using one = await ecsOf();
    const { ecs } = one;
    expect(await ecs.describeInstances("prod", [instance(1), instance(900)])).toEqual(
      new Map([
        [
          instance(1),
          {
            kind: "found",
            status: "ACTIVE",
            agentConnected: true,
            ec2Instance: "i-0000000000000a001",
          },
        ],
        [instance(900), { kind: "missing" }],
      ]),
    );
    expect(await ecs.describeTasks("prod", [task(1), task(900)])).toEqual(
      new Map([
        [
          task(1),
          { kind: "found", status: "RUNNING", instance: "0000000000000000000000000000a001" },
        ],
        [task(900), { kind: "missing" }],
      ]),
    );
  });

  it("take a failure for any other reason, and one about nothing, for no answer", async () => {
    const failures = [
      { arn: `arn:aws:ecs:eu-west-1:123456789012:task/a/${task(1)}`, reason: "INTERNAL" },
      { arn: task(2), reason: "MISSING" },
      { reason: "MISSING" },
      { arn: "arn:aws:ecs:eu-west-1:123456789012:task/a/x", reason: "MISSING" },
    ];
    await using one = await answering(200, JSON.stringify({ tasks: [], failures }));
    expect(await one.ecs.describeTasks("a", [task(1), task(2)])).toEqual(
      new Map([[task(2), { kind: "missing" }]]),
    );
  });

  it("without an agent's connection count as without one", async () => {
    const arn = `arn:aws:ecs:eu-west-1:123456789012:container-instance/a/${instance(1)}`;
    await using one = await answering(
      200,
      JSON.stringify({ containerInstances: [{ containerInstanceArn: arn, status: "ACTIVE" }] }),
    );
    expect(await one.ecs.describeInstances("a", [instance(1)])).toEqual(
      new Map([[instance(1), { kind: "found", status: "ACTIVE", agentConnected: false }]]),
    );
  });
});

describe("failures", () => {
  it("leave throttling to the caller at once", async () => {
    await using one = await ecsOf();
    one.standIn.fail({ error: THROTTLED });
    await expect(one.ecs.clusters(undefined)).rejects.toMatchObject({
      name: "Unavailable",
      system: "ECS",
      demand: "fewer",
      message: "ECS did not take ListClusters",
    });
    expect(one.standIn.requests).toHaveLength(1);
  });

  it("name the action that is not allowed", async () => {
    await using one = await ecsOf();
    one.standIn.fail({ error: denied("DescribeTasks") });
    await expect(one.ecs.describeTasks("prod", [task(1)])).rejects.toMatchObject({
      name: "Fatal",
      message:
        'ECS denied DescribeTasks in cluster "prod": allow ecs:DescribeTasks in the role of this process',
    });
  });

  it("name the cluster that is not known", async () => {
    await using one = await ecsOf();
    await expect(one.ecs.instances("nosuch", undefined)).rejects.toMatchObject({
      name: "Fatal",
      message: expect.stringContaining('ECS knows no cluster "nosuch" in this account and region'),
    });
  });

  it("are Unavailable when the service fails beyond the SDK's own retries, or nobody listens", async () => {
    await using one = await answering(500, JSON.stringify({ __type: "ServerException" }));
    const unavailable = { name: "Unavailable", system: "ECS" };
    await expect(one.ecs.clusters(undefined)).rejects.toMatchObject(unavailable);
    await expect(clientOf("http://127.0.0.1:9").clusters(undefined)).rejects.toMatchObject(
      unavailable,
    );
  });

  it("are Fatal when ECS won't have the request", async () => {
    await using one = await ecsOf();
    await expect(one.ecs.describeTasks("prod", [])).rejects.toMatchObject({
      name: "Fatal",
      message: 'ECS refused DescribeTasks in cluster "prod"',
    });
  });
});
