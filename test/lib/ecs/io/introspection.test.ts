import { type AddressInfo, createServer, type Socket } from "node:net";
import { describe, expect, it } from "@jest/globals";
import { asContainerId, type ContainerId } from "../../../../lib/docker/container.ts";
import { ecsAgent, findEcsAgent } from "../../../../lib/ecs/io/introspection.ts";
import {
  type EcsAgentOptions,
  ecsAgent as standIn,
} from "../../../../lib/standins/ecs/introspection.ts";
import type { IntrospectionTask } from "../../../../lib/standins/ecs/introspection-shape.ts";
import {
  awsvpcTask,
  bridgeTask,
  containerInstanceArn,
  taskArn,
} from "../../../../lib/standins/ecs/tasks.ts";

const id = (digit: string) => asContainerId(digit.repeat(64)) as ContainerId;
const task = (digit: string) => digit.repeat(32);
const web = awsvpcTask({
  arn: taskArn(task("1")),
  ipv4: ["10.0.0.1", "10.0.0.2"],
  containers: [{ dockerId: id("a") }, { dockerId: "" }],
});

async function agentWith(
  tasks: readonly IntrospectionTask[] = [web],
  options: Partial<EcsAgentOptions> = {},
) {
  const server = await standIn({ tasks: () => tasks, ...options });
  return {
    server,
    agent: ecsAgent(server.url),
    [Symbol.asyncDispose]: () => server.close(),
  };
}

/** An agent that answers everything with this. */
async function agentSaying(status: number, body: string | object) {
  const one = await agentWith();
  const text = typeof body === "string" ? body : JSON.stringify(body);
  one.server.fail({ kind: { status, body: text } });
  return one;
}

const unavailable = (text: string) =>
  expect.objectContaining({ name: "Unavailable", message: expect.stringContaining(text) });

describe("metadata", () => {
  it("says who the host is", async () => {
    await using one = await agentWith([], {
      cluster: "prod",
      containerInstanceArn: containerInstanceArn({ cluster: "prod", region: "us-east-1" }),
      version: "Amazon ECS Agent - v1.105.1 (*a8b3e7d3)",
    });
    expect(await one.agent.metadata()).toEqual({
      cluster: "prod",
      owner: { instance: "0123456789abcdef0123456789abcdef", region: "us-east-1" },
      version: "Amazon ECS Agent - v1.105.1 (*a8b3e7d3)",
    });
  });

  it("throws Unavailable before the agent has registered", async () => {
    await using one = await agentWith([], { containerInstanceArn: null });
    await expect(one.agent.metadata()).rejects.toEqual(unavailable("has not registered"));
  });

  it.each([
    ["a missing ARN", 200, { Cluster: "c", Version: "v" }, "has not registered"],
    ["an unknown ARN", 200, { Cluster: "c", Version: "v", ContainerInstanceArn: "i-1" }, '"i-1"'],
    ["another shape", 200, { Cluster: 7 }, "an unknown shape"],
    ["something else than JSON", 200, "<html>", "text that is not JSON"],
    ["status 500", 500, "", "status 500"],
    ["status 404", 404, "{}", "status 404"],
  ])("throws Unavailable for %s", async (_, status, body, problem) => {
    await using one = await agentSaying(status, body);
    await expect(one.agent.metadata()).rejects.toEqual(unavailable(problem));
  });
});

describe("taskOf", () => {
  it("finds the task, with the addresses of its containers that exist", async () => {
    await using one = await agentWith();
    expect(await one.agent.taskOf(id("a"))).toEqual({
      kind: "task",
      task: {
        id: task("1"),
        stopped: false,
        containers: new Map([[id("a"), { ipv4: ["10.0.0.1", "10.0.0.2"], ipv6: [], ports: [] }]]),
      },
    });
  });

  it("knows no task of a container that is not ECS's", async () => {
    await using one = await agentWith();
    expect(await one.agent.taskOf(id("b"))).toEqual({ kind: "unknown" });
  });

  it("tells a stopped task, whose addresses the agent still shows", async () => {
    await using one = await agentWith([{ ...web, KnownStatus: "STOPPED" }]);
    expect(await one.agent.taskOf(id("a"))).toMatchObject({ task: { stopped: true } });
  });

  it.each([
    ["bridge", bridgeTask({ arn: web.Arn, containers: [{ dockerId: id("a") }] })],
    [
      "IPv6 only",
      awsvpcTask({ arn: web.Arn, ipv6: ["2001:db8::1"], containers: [{ dockerId: id("a") }] }),
    ],
  ])("finds no address of a task of network mode %s", async (_, other) => {
    await using one = await agentWith([other]);
    expect(await one.agent.taskOf(id("a"))).toMatchObject({
      task: { containers: new Map([[id("a"), { ipv4: [] }]]) },
    });
  });

  const container = (network: object) => ({
    ...web,
    Containers: [{ DockerId: id("a"), Networks: [network] }],
  });
  it.each([
    ["a list", { IPv4Addresses: ["10.0.0.7"] }, ["10.0.0.7"]],
    ["one string", { IPv4Addresses: "10.0.0.7" }, ["10.0.0.7"]],
    ["null", { IPv4Addresses: null }, []],
    ["absent", {}, []],
  ])("reads IPv4Addresses that are %s", async (_, network, ipv4) => {
    await using one = await agentSaying(200, container(network));
    expect(await one.agent.taskOf(id("a"))).toMatchObject({
      task: { containers: new Map([[id("a"), { ipv4 }]]) },
    });
  });

  it("reads a task without containers", async () => {
    await using one = await agentSaying(200, { ...web, Containers: null });
    expect(await one.agent.taskOf(id("a"))).toMatchObject({ task: { containers: new Map() } });
  });

  it.each([
    ["status 400", 400, "{}", "status 400"],
    ["something else than JSON", 200, "<html>", "text that is not JSON"],
    ["the list of commands", 200, { AvailableCommands: [] }, "an unknown shape"],
    ["a missing ARN", 200, { ...web, Arn: undefined }, "an unknown shape"],
    ["an empty ARN", 200, { ...web, Arn: "" }, 'an unknown task ARN, ""'],
    [
      "an unknown ARN",
      200,
      { ...web, Arn: "arn:aws:ecs:x" },
      'an unknown task ARN, "arn:aws:ecs:x"',
    ],
    ["a bad address", 200, container({ IPv4Addresses: ["10.0.0.256"] }), "an unknown shape"],
  ])("calls %s malformed", async (_, status, body, problem) => {
    await using one = await agentSaying(status, body);
    expect(await one.agent.taskOf(id("a"))).toEqual({
      kind: "malformed",
      problem: expect.stringContaining(problem),
    });
  });

  it.each([500, 503])("throws Unavailable for status %s", async (status) => {
    await using one = await agentSaying(status, "");
    await expect(one.agent.taskOf(id("a"))).rejects.toEqual(unavailable(`status ${status}`));
  });
});

describe("liveTasks", () => {
  it("are those that have not stopped", async () => {
    await using one = await agentWith([
      web,
      { ...web, Arn: taskArn(task("2")), KnownStatus: "PENDING" },
      { ...web, Arn: taskArn(task("3")), KnownStatus: "STOPPED" },
    ]);
    expect(await one.agent.liveTasks()).toEqual(new Set([task("1"), task("2")]));
  });

  it("are none when there are none", async () => {
    await using one = await agentSaying(200, { Tasks: null });
    expect(await one.agent.liveTasks()).toEqual(new Set());
  });

  it.each([
    ["status 400", 400, "{}"],
    ["something else than JSON", 200, ""],
    ["another shape", 200, { Tasks: [{ Arn: 7 }] }],
  ])(
    "throws Unavailable for %s: no answer must not look like no tasks",
    async (_, status, body) => {
      await using one = await agentSaying(status, body);
      await expect(one.agent.liveTasks()).rejects.toEqual(unavailable("/v1/tasks"));
    },
  );
});

describe("an agent that does not answer", () => {
  it.each([
    [
      "refuses the connection",
      async (server: { close(): Promise<void> }) => server.close(),
      "ECONNREFUSED",
    ],
    [
      "resets the connection",
      async (server: { fail(fault: { kind: "reset" }): void }) => server.fail({ kind: "reset" }),
      "ECONNRESET",
    ],
  ])("is Unavailable when it %s", async (_, breakIt, code) => {
    await using one = await agentWith();
    await breakIt(one.server);
    await expect(one.agent.taskOf(id("a"))).rejects.toMatchObject({
      name: "Unavailable",
      message: `the ECS agent at ${one.server.url} did not answer`,
      cause: { code },
    });
  });

  it("is Unavailable after its time limit when it says nothing at all", async () => {
    await using one = await agentWith();
    one.server.fail({ kind: "hang" });
    await expect(one.agent.metadata()).rejects.toMatchObject({
      cause: { message: "no answer within 2 s" },
    });
  });
});

describe("findEcsAgent", () => {
  const three = async () => {
    await using stack = new AsyncDisposableStack();
    const servers = [];
    for (const host of ["127.0.0.1", "127.0.0.2", "127.0.0.3"]) {
      const cluster = `at-${servers.length}`;
      const server = await standIn({ tasks: () => [], host, cluster });
      stack.defer(() => server.close());
      servers.push(server);
    }
    const held = stack.move();
    return {
      servers,
      urls: servers.map(({ url }) => url),
      [Symbol.asyncDispose]: () => held.disposeAsync(),
    };
  };

  it("takes the first that answers as an ECS agent does", async () => {
    await using one = await three();
    await one.servers[0]?.close();
    one.servers[1]?.fail({ kind: { status: 200, body: "hello" } });
    expect(await findEcsAgent(one.urls)).toMatchObject({
      cluster: "at-2",
      agent: { url: one.urls[2] },
    });
  });

  it("does not wait for one that says nothing, as behind a firewall that drops packets", async () => {
    await using one = await three();
    const silent = createServer();
    const sockets: Socket[] = [];
    silent.on("connection", (socket) => sockets.push(socket.on("error", () => {})));
    await new Promise<void>((resolve) => void silent.listen(0, "127.0.0.1", resolve));
    const { port } = silent.address() as AddressInfo;
    const found = await findEcsAgent([`http://127.0.0.1:${port}`, ...one.urls.slice(0, 1)]);
    expect(found).toMatchObject({ cluster: "at-0" });
    // It was asked, and nobody has given it up yet.
    expect(sockets.map(({ destroyed }) => destroyed)).toEqual([false]);
    for (const socket of sockets) socket.destroy();
    silent.close();
  });

  it("throws Unavailable with what each of them said when none does", async () => {
    await using one = await three();
    await one.servers[0]?.close();
    one.servers[1]?.fail({ kind: { status: 200, body: "hello" } });
    one.servers[2]?.fail({ kind: { status: 503, body: "" } });
    await expect(findEcsAgent(one.urls)).rejects.toMatchObject({
      name: "Unavailable",
      message: "the ECS agent was not found",
      cause: expect.stringMatching(
        /127\.0\.0\.1:.*ECONNREFUSED.*; .*127\.0\.0\.2:.*not JSON; .*127\.0\.0\.3:.*status 503/,
      ),
    });
  });
});
