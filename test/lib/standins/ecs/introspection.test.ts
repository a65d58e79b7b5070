import { afterEach, describe, expect, it, test } from "@jest/globals";
import {
  type EcsAgentOptions,
  type EcsAgentStandIn,
  ecsAgent,
} from "../../../../lib/standins/ecs/introspection.ts";
import type {
  IntrospectionMetadata,
  IntrospectionTask,
  IntrospectionTasks,
} from "../../../../lib/standins/ecs/introspection-shape.ts";
import {
  awsvpcTask,
  bridgeTask,
  containerInstanceArn,
  hostTask,
  taskArn,
  tasksOf,
} from "../../../../lib/standins/ecs/tasks.ts";

const empty = { Arn: "", KnownStatus: "", Family: "", Version: "", Containers: null };
const commands = { AvailableCommands: ["/v1/metadata", "/v1/tasks", "/license"] };

const prod = { cluster: "prod" };
const webId = `aaaa${"1".repeat(60)}`;
const sideId = `aaaa${"2".repeat(60)}`;
const apiId = `bbbb${"3".repeat(60)}`;

const web = awsvpcTask({
  arn: taskArn("8f6b2c1d9e0a4b7c8d9e0f1a2b3c4d5e", prod),
  family: "web",
  revision: "7",
  ipv4: ["10.0.41.17"],
  ipv6: ["2a05:d018:abc:de00:1f2e:3d4c:5b6a:7988"],
  containers: [
    { dockerId: webId, name: "web", image: "web:1.4.2", containerPort: 8080 },
    { dockerId: sideId, name: "side" },
  ],
});
const api = bridgeTask({
  arn: taskArn("0b69d5c0d6554e92924415eed3ac1a3f", prod),
  family: "api",
  revision: "3",
  containers: [{ dockerId: apiId, name: "api", containerPort: 80, hostPort: 32768 }],
});

const opened: EcsAgentStandIn[] = [];

const agentOf = async (options: Partial<EcsAgentOptions> = {}) => {
  const agent = await ecsAgent({ cluster: "prod", tasks: () => [web, api], ...options });
  opened.push(agent);
  return agent;
};

afterEach(async () => {
  await Promise.all(opened.splice(0).map((agent) => agent.close()));
});

const rejectionOf = async (promise: Promise<unknown>): Promise<unknown> => {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("expected a rejection");
};

describe("status codes and bodies", () => {
  const all: IntrospectionTasks = { Tasks: [web, api] };
  const metadata: IntrospectionMetadata = {
    Cluster: "prod",
    ContainerInstanceArn: containerInstanceArn(prod),
    Version: "Amazon ECS Agent - v1.105.1 (*a8b3e7d3)",
  };
  test.each<[string, number, unknown]>([
    ["/v1/tasks", 200, all],
    [`/v1/tasks?dockerid=${webId}`, 200, web],
    [`/v1/tasks?taskarn=${api.Arn}`, 200, api],
    [`/v1/tasks?dockerid=${"f".repeat(64)}`, 404, empty],
    ["/v1/tasks?dockerid=ffff", 404, empty],
    ["/v1/tasks?taskarn=arn:aws:ecs:::task/none", 404, empty],
    [`/v1/tasks?dockerid=${webId}&taskarn=${web.Arn}`, 400, empty],
    ["/v1/tasks?dockerid=b", 200, api],
    [`/v1/tasks?dockerid=${apiId.slice(0, 12)}`, 200, api],
    [`/v1/tasks?dockerid=${apiId.slice(0, 13)}`, 404, empty],
    [`/v1/tasks?dockerid=${apiId.slice(0, 63)}`, 404, empty],
    [`/v1/tasks?dockerid=${apiId}0`, 404, empty],
    ["/v1/tasks?dockerid=aaaa", 400, empty],
    ["/v1/tasks?dockerid=aaaa1", 200, web],
    ["/v1/tasks?dockerid=", 400, empty],
    [`/v1/tasks?dockerId=${apiId}`, 200, all],
    ["/v1/tasks?other=1", 200, all],
    ["/v1/metadata", 200, metadata],
  ])("%s is %i", async (path, status, body) => {
    const agent = await agentOf();
    const response = await fetch(agent.url + path);
    expect(response.status).toBe(status);
    expect(response.headers.get("content-type")).toBe("application/json");
    expect(await response.json()).toEqual(body);
    expect(agent.requests).toMatchObject([{ method: "GET", path, status }]);
  });

  test.each([["/"], ["/v1/tasks/"], ["/v1/task"], ["/v2/tasks"]])(
    "%s is unknown: the list of commands, as text",
    async (path) => {
      const agent = await agentOf();
      const response = await fetch(agent.url + path);
      expect(response.status).toBe(200);
      expect(response.headers.get("content-type")).toBe("text/plain; charset=utf-8");
      expect(JSON.parse(await response.text())).toEqual(commands);
    },
  );

  it("redirects a path that is not clean", async () => {
    const agent = await agentOf();
    const response = await fetch(`${agent.url}//v1/tasks?dockerid=b`, { redirect: "manual" });
    expect([response.status, response.headers.get("location")]).toEqual([
      301,
      "/v1/tasks?dockerid=b",
    ]);
  });

  test.each([["POST"], ["PUT"], ["DELETE"], ["PATCH"]])(
    "%s is answered like GET",
    async (method) => {
      const agent = await agentOf();
      const response = await fetch(`${agent.url}/v1/tasks`, { method });
      expect(await response.json()).toEqual({ Tasks: [web, api] });
    },
  );

  it("HEAD is answered without a body", async () => {
    const agent = await agentOf();
    const response = await fetch(`${agent.url}/v1/tasks`, { method: "HEAD" });
    expect([response.status, await response.text()]).toEqual([200, ""]);
  });

  test.each<[string, readonly IntrospectionTask[], number, unknown]>([
    ["no container", [], 404, empty],
    ["one container", [api], 200, api],
  ])("an empty dockerid with %s", async (_, tasks, status, body) => {
    const agent = await agentOf({ tasks: () => tasks });
    const response = await fetch(`${agent.url}/v1/tasks?dockerid=`);
    expect([response.status, await response.json()]).toEqual([status, body]);
  });

  it("a container that is being created has no id to be found by", async () => {
    const creating = awsvpcTask({
      arn: taskArn("1"),
      containers: [{ dockerId: "" }],
      ipv4: ["10.0.0.1"],
    });
    const agent = await agentOf({ tasks: () => [creating, api] });
    expect((await fetch(`${agent.url}/v1/tasks?dockerid=`)).status).toBe(200);
  });

  it("without tasks the list is empty, not null", async () => {
    const agent = await agentOf({ tasks: () => [], containerInstanceArn: null });
    expect(await (await fetch(`${agent.url}/v1/tasks`)).json()).toEqual({ Tasks: [] });
    expect(await (await fetch(`${agent.url}/v1/metadata`)).json()).toMatchObject({
      ContainerInstanceArn: null,
    });
  });

  it("a failure of its own is an empty 500 that ends the connection", async () => {
    const agent = await agentOf({ tasks: () => Promise.reject(new Error("lost")) });
    const response = await fetch(`${agent.url}/v1/tasks`);
    expect([response.status, response.headers.get("connection"), await response.text()]).toEqual([
      500,
      "close",
      "",
    ]);
  });

  it("keeps connections without saying for how long", async () => {
    const agent = await agentOf();
    const { headers } = await fetch(`${agent.url}/v1/tasks`);
    expect([headers.get("connection"), headers.get("keep-alive")]).toEqual(["keep-alive", null]);
  });
});

describe("faults", () => {
  it("fails as told, as often as told", async () => {
    const agent = await agentOf();
    const ask = (signal?: AbortSignal) =>
      fetch(`${agent.url}/v1/tasks?dockerid=b`, signal === undefined ? {} : { signal });
    agent.fail({ path: /dockerid=/, times: 1, kind: { status: 503, body: "later" } });
    agent.fail({ times: 1, kind: "reset" });
    const refused = await ask();
    expect([refused.status, await refused.text()]).toEqual([503, "later"]);
    expect(await rejectionOf(ask())).toMatchObject({ cause: { code: "ECONNRESET" } });
    expect((await ask()).status).toBe(200);
    agent.fail({ path: /dockerid=/, kind: "hang" });
    const patience = new AbortController();
    const hanging = rejectionOf(ask(patience.signal));
    expect((await fetch(`${agent.url}/v1/metadata`)).status).toBe(200);
    patience.abort();
    expect(await hanging).toMatchObject({ name: "AbortError" });
    agent.clearFaults();
    expect((await ask()).status).toBe(200);
  });

  it("takes its time, by its clock", async () => {
    const asked = Promise.withResolvers<number>();
    const over = Promise.withResolvers<void>();
    const clock = {
      now: () => 42,
      sleep: (ms: number) => {
        asked.resolve(ms);
        return over.promise;
      },
    };
    const agent = await agentOf({ clock, latencyMs: 250 });
    const answered = fetch(`${agent.url}/v1/tasks`);
    expect(await asked.promise).toBe(250);
    expect(agent.requests).toEqual([]);
    over.resolve();
    expect((await answered).status).toBe(200);
    expect(agent.requests[0]?.at).toBe(42);
  });

  it("closes with a request still hanging", async () => {
    const asked = Promise.withResolvers<void>();
    const tasks = () => {
      asked.resolve();
      return new Promise<never>(() => undefined);
    };
    const agent = await agentOf({ tasks });
    const hanging = rejectionOf(fetch(`${agent.url}/v1/tasks`));
    await asked.promise;
    await agent.close();
    expect(await hanging).toMatchObject({ name: "TypeError", message: "fetch failed" });
  });
});

it("is refused while it is closed; then it is at the same address, registered or not", async () => {
  const agent = await agentOf({ containerInstanceArn: null });
  const metadata = async () =>
    (await (await fetch(`${agent.url}/v1/metadata`)).json()) as IntrospectionMetadata;
  expect((await metadata()).ContainerInstanceArn).toBeNull();
  await agent.close();
  expect(await rejectionOf(metadata())).toMatchObject({ cause: { code: "ECONNREFUSED" } });
  await agent.reopen();
  agent.register(containerInstanceArn(prod));
  expect((await metadata()).ContainerInstanceArn).toBe(containerInstanceArn(prod));
});

describe("tasks in the agent's shapes", () => {
  it("awsvpc: the addresses on every container", () => {
    const network = {
      NetworkMode: "awsvpc",
      IPv4Addresses: ["10.0.41.17"],
      IPv6Addresses: ["2a05:d018:abc:de00:1f2e:3d4c:5b6a:7988"],
    };
    expect(web).toMatchObject({
      Arn: "arn:aws:ecs:eu-west-1:123456789012:task/prod/8f6b2c1d9e0a4b7c8d9e0f1a2b3c4d5e",
      DesiredStatus: "RUNNING",
      KnownStatus: "RUNNING",
      Family: "web",
      Version: "7",
      Containers: [
        {
          DockerId: webId,
          Name: "web",
          Image: "web:1.4.2",
          Ports: [{ ContainerPort: 8080, Protocol: "tcp", HostPort: 8080 }],
          Networks: [network],
        },
        { DockerId: sideId, Name: "side", Networks: [network] },
      ],
    });
    const six = awsvpcTask({ arn: "a", containers: [{ dockerId: webId }], ipv6: ["::1"] });
    expect(six.Containers[0]?.Networks).toEqual([
      { NetworkMode: "awsvpc", IPv6Addresses: ["::1"] },
    ]);
  });

  it("bridge: no networks, a bound port twice, an unknown host port left out", () => {
    const bound = { ContainerPort: 80, Protocol: "tcp", HostPort: 32768 };
    expect(api.Containers[0]).toMatchObject({ Ports: [bound, bound] });
    expect(api.Containers[0]).not.toHaveProperty("Networks");
    const early = bridgeTask({ arn: "a", containers: [{ dockerId: apiId, containerPort: 80 }] });
    expect(early.Containers[0]?.Ports).toEqual([{ ContainerPort: 80, Protocol: "tcp" }]);
  });

  it("host: no networks, ports of the task definition", () => {
    const edge = hostTask({
      arn: "a",
      desiredStatus: null,
      containers: [{ dockerId: apiId, containerPort: 9000 }],
    });
    expect(edge.Containers[0]?.Ports).toEqual([
      { ContainerPort: 9000, Protocol: "tcp", HostPort: 9000 },
    ]);
    expect(edge.Containers[0]).not.toHaveProperty("Networks");
    expect(edge).not.toHaveProperty("DesiredStatus");
  });
});

describe("tasksOf", () => {
  const plain = (id: string, over: Partial<Parameters<typeof tasksOf>[0][number]> = {}) => ({
    id,
    name: `name-${id.slice(0, 1)}`,
    labels: {},
    running: true,
    ...over,
  });
  const ecs = (arn: string, name: string) => ({
    "com.amazonaws.ecs.task-arn": arn,
    "com.amazonaws.ecs.container-name": name,
    "com.amazonaws.ecs.task-definition-family": "web",
    "com.amazonaws.ecs.task-definition-version": "7",
    "com.amazonaws.ecs.cluster": "prod",
  });

  it("a container without a task ARN is a task of its own", () => {
    const [task, ...others] = tasksOf([plain(webId, { address: "10.0.0.1" })], prod);
    expect(others).toEqual([]);
    expect(task?.Arn).toBe(taskArn(webId.slice(0, 32), prod));
    expect(task?.Containers[0]?.Networks?.[0]?.IPv4Addresses).toEqual(["10.0.0.1"]);
  });

  it("containers of one task share its address, whoever of them carries it", () => {
    const tasks = tasksOf([
      plain(webId, { labels: ecs("arn:1", "web") }),
      plain(apiId),
      plain(sideId, { labels: ecs("arn:1", "side"), address: "10.0.0.2" }),
    ]);
    expect(tasks.map(({ Arn }) => Arn)).toEqual(["arn:1", taskArn(apiId.slice(0, 32))]);
    expect(tasks[0]).toMatchObject({ Family: "web", Version: "7", KnownStatus: "RUNNING" });
    expect(
      tasks[0]?.Containers.map(({ Name, Networks }) => [Name, Networks?.[0]?.IPv4Addresses]),
    ).toEqual([
      ["web", ["10.0.0.2"]],
      ["side", ["10.0.0.2"]],
    ]);
  });

  it("RUNNING while any container runs; STOPPED keeps the address", () => {
    const stopped = plain(sideId, {
      labels: ecs("arn:1", "side"),
      address: "10.0.0.2",
      running: false,
    });
    const running = plain(webId, { labels: ecs("arn:1", "web") });
    expect(tasksOf([running, stopped])[0]?.KnownStatus).toBe("RUNNING");
    const [task] = tasksOf([{ ...running, running: false }, stopped]);
    expect([task?.KnownStatus, task?.DesiredStatus]).toEqual(["STOPPED", "STOPPED"]);
    expect(task?.Containers[0]?.Networks?.[0]?.IPv4Addresses).toEqual(["10.0.0.2"]);
  });

  it("without any address there are no networks", () => {
    expect(tasksOf([plain(webId)])[0]?.Containers[0]).not.toHaveProperty("Networks");
  });

  it("leaves the agent's own containers out", () => {
    const [task] = tasksOf([
      plain(webId, { labels: ecs("arn:1", "web") }),
      plain(sideId, { labels: ecs("arn:1", "~internal~ecs~pause") }),
    ]);
    expect(task?.Containers.map(({ Name }) => Name)).toEqual(["web"]);
  });
});
