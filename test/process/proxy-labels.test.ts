import { createServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { expect, it } from "@jest/globals";
import { ecsAgent } from "../../lib/standins/ecs/introspection.ts";
import { awsvpcTask, taskArn } from "../../lib/standins/ecs/tasks.ts";
import { newSelfSigned } from "../../lib/web/io/self-signed-key.ts";
import { inHost, listening } from "../support/own-server.ts";
import { type Answer, proxyLab } from "../support/proxy-lab.ts";
import { SERVED, statusOf } from "../support/status.ts";

const says = (text: string) => (answer: Answer) =>
  answer.status === 200 && answer.body.startsWith(text);

it("serves the same however a request is written, and bounds what it may send", async () => {
  await using lab = await proxyLab();
  lab.agent(["--domain=x.com", "--maxUploadSize=1k"]);
  const twice = { "proxy.ports": "80 8080:80" };
  await lab.web({ name: "plain", labels: { "proxy.host": "plain.x.com", ...twice } });
  await lab.web({ name: "root", labels: { "proxy.host": "paths.x.com", ...twice } });
  await lab.web({ name: "part", labels: { "proxy.host": "paths.x.com/part", ...twice } });
  for (const port of [80, 8080]) {
    for (const host of ["plain", "PLAIN.x.com", "plain.x.com.", `plain.x.com:${port}`]) {
      await lab.until(host, says("plain"), { port });
      const post = { method: "POST", body: "x", port, headers: { "Content-Length": "1" } };
      expect((await lab.ask(host, "/", post)).body).toMatch(/^plain /);
      for (const method of ["GET", "POST"]) {
        const large = { method, body: "x".repeat(2_000), headers: { "Content-Length": "2000" } };
        expect((await lab.ask(host, "/", { ...large, port })).status).toBe(413);
      }
    }
    await lab.until("paths.x.com", says("part"), { path: "/part", port });
    expect((await lab.ask("paths.x.com", "/", { port })).body).toMatch(/^root /);
  }
});

it("waits for an answer as long as proxy.timeout says, and no longer", async () => {
  await using lab = await proxyLab();
  await using stack = new AsyncDisposableStack();
  const server = createServer((request, response) => {
    if (request.url === "/now") response.end("now");
  });
  const port = await listening(server);
  stack.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  lab.agent();
  await inHost(lab, "slow", port, { "proxy.host": "slow.x.com", "proxy.timeout": "1s" });
  await lab.until("slow.x.com", says("now"), { path: "/now" });
  // Without the label's word it would be a minute, and this test gives up after ten seconds.
  for (const method of ["GET", "POST"]) {
    expect((await lab.ask("slow.x.com", "/", { method })).status).toBe(504);
  }
});

it("gives requests by weight, and leaves a client with a cookie where it was", async () => {
  await using lab = await proxyLab();
  lab.agent();
  for (const [name, weight] of [
    ["light", "1"],
    ["heavy", "3"],
  ] as const) {
    const options = { "proxy.weight": weight, "proxy.sticky": "off" };
    await lab.web({ name, labels: { "proxy.host": "weight.x.com", ...options } });
  }
  for (const name of ["one", "two"]) {
    await lab.web({ name, labels: { "proxy.host": "cookie.x.com", "proxy.sticky": "cookie" } });
  }
  const names = async (host: string, count: number, headers = {}) => {
    const found: string[] = [];
    for (let n = 0; n < count; n += 1) {
      found.push((await lab.ask(host, "/", { headers })).body.split(" ")[0] ?? "");
    }
    return found;
  };
  const until = async (host: string, wanted: readonly string[]) => {
    const seen = new Set<string>();
    await lab.until(host, ({ body }) => {
      seen.add(body.split(" ")[0] ?? "");
      return wanted.every((name) => seen.has(name));
    });
  };
  await until("weight.x.com", ["light", "heavy"]);
  const shares = Map.groupBy(await names("weight.x.com", 40), (name) => name);
  expect([shares.get("light")?.length, shares.get("heavy")?.length]).toEqual([10, 30]);

  await until("cookie.x.com", ["one", "two"]);
  const first = await lab.ask("cookie.x.com");
  const [cookie = ""] = first.headers["set-cookie"] ?? [];
  expect(cookie).toMatch(/^PROXY=\d+; path=\/; HttpOnly$/);
  const headers = { Cookie: cookie.split(";")[0] ?? "" };
  const kept = await names("cookie.x.com", 10, headers);
  expect(new Set(kept)).toEqual(new Set([first.body.split(" ")[0]]));
  // Another one more, and the client's stays.
  await lab.web({
    name: "three",
    labels: { "proxy.host": "cookie.x.com", "proxy.sticky": "cookie" },
  });
  await until("cookie.x.com", ["one", "two", "three"]);
  expect(new Set(await names("cookie.x.com", 10, headers))).toEqual(new Set(kept));
});

it("keeps a client with its container by its address, where no label says otherwise", async () => {
  await using lab = await proxyLab();
  lab.agent();
  for (const name of ["one", "two"]) {
    await lab.web({ name, labels: { "proxy.host": `ip.x.com ${name}.x.com` } });
  }
  for (const name of ["one", "two"]) await lab.until(`${name}.x.com`, says(`${name} `));
  const found = new Set<string>();
  for (let n = 0; n < 20; n += 1) found.add((await lab.ask("ip.x.com")).body.split(" ")[0] ?? "");
  expect(found.size).toBe(1);
});

it("speaks TLS to a container that wants it", async () => {
  await using lab = await proxyLab();
  await using stack = new AsyncDisposableStack();
  const pem = newSelfSigned("inside.x.com");
  const server = createTlsServer({ key: pem, cert: pem }, ({ headers }, response) =>
    response.end(`tls ${String(headers["x-forwarded-proto"])}`),
  );
  const port = await listening(server);
  stack.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  lab.agent();
  await inHost(lab, "tls", port, { "proxy.host": "tls.x.com", "proxy.proto": "https" });
  expect((await lab.until("tls.x.com", says("tls"))).body).toBe("tls http");
});

it("learns the address of a task with a network of its own from the ECS agent", async () => {
  await using lab = await proxyLab();
  await using stack = new AsyncDisposableStack();
  const server = createServer((_, response) => response.end("awsvpc"));
  const port = await listening(server);
  stack.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  const tasks: ReturnType<typeof awsvpcTask>[] = [];
  const ecs = await ecsAgent({ tasks: () => tasks });
  stack.defer(() => ecs.close());
  const agent = lab.agent([`--introspectionUrl=${ecs.url}`]);
  // As ECS starts it: a container that only holds the network, and one that shares it.
  const pause = await lab.web({
    name: "pause",
    networkMode: "none",
    command: ["sleep", "3600"],
    stopSignal: "SIGKILL",
    labels: {},
  });
  const container = await lab.web({
    name: "app",
    networkMode: `container:${pause.id}`,
    command: ["sleep", "3600"],
    stopSignal: "SIGKILL",
    labels: { "proxy.host": "awsvpc.x.com", "proxy.ports": `80:${port}` },
  });
  await agent.until(({ message }) => message.startsWith("not served: it has no address"));
  tasks.push(
    awsvpcTask({
      arn: taskArn("1".repeat(32)),
      containers: [{ dockerId: container.id }],
      ipv4: ["127.0.0.1"],
    }),
  );
  await lab.until("awsvpc.x.com", says("awsvpc"));
});

it("shows names, containers, why something is not served, and counts", async () => {
  await using lab = await proxyLab();
  const agent = lab.agent([SERVED, "--listenPorts=80-90"]);
  const status = await statusOf(agent);
  await lab.web({ name: "a", labels: { "proxy.host": "a.x.com <b>.x.com" } });
  await lab.web({ name: "far", labels: { "proxy.host": "far.x.com", "proxy.ports": "8080" } });
  await lab.until("a.x.com", says("a "));
  const answer = await status.until(
    () => status.get("/v1/state"),
    ({ body }) => body.includes("not among those of --listenPorts"),
  );
  expect(answer.body).toContain("http://a.x.com");
  expect(answer.body).toContain(lab.named("far"));
  expect((await status.get("/healthz")).status).toBe(200);
  expect((await status.get("/readyz")).status).toBe(200);
  const metrics = (await status.get("/metrics")).body;
  for (const line of [
    "ecs_discovery_proxy_hosts 1",
    "ecs_discovery_proxy_containers 2",
    "ecs_discovery_proxy_unserved_containers 1",
    "ecs_discovery_proxy_engine_up 1",
    "ecs_discovery_proxy_loads_total 1",
    "ecs_discovery_proxy_failures_total 0",
    "ecs_discovery_proxy_served_seconds_count 1",
  ]) {
    expect(metrics).toContain(`\n${line}\n`);
  }
});
