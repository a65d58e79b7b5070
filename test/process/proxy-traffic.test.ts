import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { connect as connectHttp2, createServer as createHttp2Server } from "node:http2";
import { expect, it } from "@jest/globals";
import { inHost, listening } from "../support/own-server.ts";
import { type Answer, proxyLab } from "../support/proxy-lab.ts";
import { echoServer, webSocket } from "../support/web-socket.ts";

const says = (text: string) => (answer: Answer) =>
  answer.status === 200 && answer.body.startsWith(text);

it("cuts no WebSocket, whatever comes and goes, reloads included", async () => {
  await using lab = await proxyLab();
  await using stack = new AsyncDisposableStack();
  const server = echoServer();
  const port = await listening(server);
  stack.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  lab.agent();
  await inHost(lab, "ws", port, { "proxy.host": "ws.x.com" });
  await lab.until("ws.x.com", says("ws"));
  await using socket = await webSocket(lab, "ws.x.com");
  const { echo } = socket;
  expect(await echo("one")).toBe("one");
  for (let n = 0; n < 3; n += 1) {
    const listen = n % 2 === 0 ? 80 : 9_100 + n;
    const container = await lab.web({
      name: `n${n}`,
      labels: { "proxy.host": `n${n}.x.com`, "proxy.ports": `${listen}:80` },
    });
    await lab.until(`n${n}.x.com`, says(`n${n} `), { port: listen });
    await container.remove({ force: true });
  }
  expect(socket.isCut()).toBe(false);
  expect(await echo("two")).toBe("two");
});

it("asks another container where a connection fails", async () => {
  await using lab = await proxyLab();
  await using stack = new AsyncDisposableStack();
  const servers = ["one", "two"].map((name) => ({
    name,
    server: createServer((_, response) => response.end(name)),
  }));
  const ports = await Promise.all(servers.map(({ server }) => listening(server)));
  stack.defer(() => {
    for (const { server } of servers) server.close();
  });
  lab.agent();
  const labels = { "proxy.host": "pool.x.com", "proxy.sticky": "off" };
  for (const [n, { name }] of servers.entries()) await inHost(lab, name, ports[n] ?? 0, labels);
  const seen = new Set<string>();
  await lab.until(
    "pool.x.com",
    ({ body }) => seen.add(body).size > 0 && seen.has("one") && seen.has("two"),
  );
  // It still runs, and nobody listens any more.
  servers[0]?.server.closeAllConnections();
  await new Promise((resolve) => servers[0]?.server.close(resolve));
  for (let n = 0; n < 20; n += 1) {
    expect(await lab.ask("pool.x.com")).toMatchObject({ status: 200, body: "two" });
  }
});

it("speaks HTTP/2 in front, by TLS and without, and to containers that speak nothing else", async () => {
  await using lab = await proxyLab();
  await using stack = new AsyncDisposableStack();
  const server = createHttp2Server((incoming, response) => {
    response.setHeader("trailer-name", "x");
    response.end(`h2 ${incoming.httpVersion}`);
  });
  const port = await listening(server as unknown as Server);
  stack.defer(() => void server.close());
  lab.agent();
  await inHost(lab, "grpc", port, {
    "proxy.host": "grpc.x.com",
    "proxy.proto": "grpc",
    "proxy.tls": "self",
  });
  await lab.until("grpc.x.com", says("h2 2.0"));
  for (const url of [`https://${lab.address}`, `http://${lab.address}`]) {
    const session = connectHttp2(url, { rejectUnauthorized: false, servername: "grpc.x.com" });
    const stream = session.request({ ":path": "/", ":authority": "grpc.x.com" });
    stream.end();
    let body = "";
    stream.setEncoding("utf8").on("data", (chunk: string) => {
      body += chunk;
    });
    const [headers] = (await once(stream, "response")) as [Record<string, unknown>];
    await once(stream, "end");
    expect([headers[":status"], body]).toEqual([200, "h2 2.0"]);
    session.close();
  }
});

it("tells containers with proxy.notify once for each change, and only where it is allowed", async () => {
  await using lab = await proxyLab();
  const own = { DOCKER_HOST: process.env["DOCKER_HOST"] ?? "unix:///var/run/docker.sock" };
  const trap = "trap 'echo hup >> /tmp/told' HUP; : > /tmp/told; while :; do sleep 0.05; done";
  await lab.web({
    name: "hup",
    labels: { "proxy.notify": "" },
    command: ["sh", "-c", trap],
    stopSignal: "SIGKILL",
  });
  await lab.web({
    name: "run",
    labels: { "proxy.notify": "sh -c echo\tx" },
    command: ["sh", "-c", "while :; do sleep 0.05; done"],
    stopSignal: "SIGKILL",
  });
  const silent = lab.agent([], own);
  await lab.web({ name: "a", labels: { "proxy.host": "notify-a.x.com" } });
  await lab.until("notify-a.x.com", says("a "));
  await silent.until(({ message }) => message.includes("that takes --notify"));
  silent.kill("SIGTERM");
  await silent.exit();
  const told = () => lab.output("hup", ["cat", "/tmp/told"]);
  expect(await told()).toBe("");

  const agent = lab.agent(["--notify"], own);
  await agent.until(
    ({ message, name }) => message.startsWith("sent SIGHUP") && name === lab.named("hup"),
  );
  await agent.until(
    ({ message, name }) => message.startsWith("ran its proxy.notify") && name === lab.named("run"),
  );
  const before = agent.log.filter(({ message }) => message.startsWith("sent SIGHUP")).length;
  await lab.web({ name: "b", labels: { "proxy.host": "notify-b.x.com" } });
  await lab.until("notify-b.x.com", says("b "));
  const sent = () => agent.log.filter(({ message }) => message.startsWith("sent SIGHUP")).length;
  await agent.until(() => sent() > before);
  expect((await told()).length).toBeGreaterThan(0);
});
