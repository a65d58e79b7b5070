import { createServer } from "node:http";
import { expect, it, test } from "@jest/globals";
import { listening } from "../support/own-server.ts";
import { type Answer, proxyLab } from "../support/proxy-lab.ts";

const says = (text: string) => (answer: Answer) =>
  answer.status === 200 && answer.body.startsWith(`${text} `);

it("serves the original's acceptance cases, and the page of what is served for unknown names", async () => {
  await using lab = await proxyLab();
  const agent = lab.agent(["--domain=example.com"]);
  await lab.web({ name: "host3", labels: { "proxy.host": "host3" } });
  await lab.web({ name: "host4", labels: { "proxy.host": "host4.foobar.com" } });
  for (const host of ["host3", "host3.example.com", "HOST3.example.com.", "host3:80"]) {
    await lab.until(host, says("host3"));
  }
  for (const host of ["host4", "host4.foobar.com"]) await lab.until(host, says("host4"));

  const unknown = await lab.ask("nobody.example.com");
  expect(unknown.status).toBe(200);
  expect(unknown.body).toContain("<ul>");
  expect(unknown.body).toContain('<a href="http://host3.example.com">host3.example.com:80</a>');
  expect(unknown.headers["content-security-policy"]).toBe("default-src 'none'");
  expect((await lab.ask("nobody.example.com", "/other")).status).toBe(404);

  const { body } = await lab.ask("host3.example.com", "/a/b", {
    headers: { "X-Forwarded-For": "9.9.9.9", "X-Real-IP": "8.8.8.8", Proxy: "http://evil" },
  });
  expect(body).toContain("path=/a/b proto=http for=127.0.0.1 real=127.0.0.1 proxy= ver=1.1");

  agent.kill("SIGTERM");
  expect(await agent.exit()).toEqual({ code: 0, signal: null });
  await expect(lab.ask("host3")).rejects.toThrow("ECONNREFUSED");
  expect(lab.writes()).toEqual([]);
});

it("follows labels: ports, paths, wildcards, redirects, sizes", async () => {
  await using lab = await proxyLab();
  const agent = lab.agent(["--domain=x.com", "--redirect-shortnames", "--max-upload-size=1k"]);
  await lab.web({
    name: "ports",
    port: 5001,
    labels: { "proxy.host": "ports.x.com", "proxy.ports": "80:5001 8443:5001 nonsense" },
  });
  await lab.web({ name: "root", labels: { "proxy.host": "paths.x.com" } });
  await lab.web({ name: "api", labels: { "proxy.host": "paths.x.com", "proxy.path": "/api" } });
  await lab.web({ name: "wild", labels: { "proxy.host": "*.w.com, *.deep.w.com/only" } });
  await lab.web({
    name: "https",
    labels: { "proxy.host": "secure.x.com", "proxy.tls": "self", "proxy.redirect": "https" },
  });
  await lab.web({ name: "large", labels: { "proxy.host": "large.x.com", "proxy.upload": "0" } });
  await lab.until("ports.x.com", says("ports"));
  await lab.until("ports.x.com", says("ports"), { port: 8443 });
  await lab.until("paths.x.com", says("root"));
  for (const path of ["/api", "/api/", "/api/x"]) {
    await lab.until("paths.x.com", says("api"), { path });
  }
  for (const path of ["/apix", "/ap", "/x/api"]) {
    expect((await lab.ask("paths.x.com", path)).body).toMatch(/^root /);
  }
  await lab.until("a.w.com", says("wild"));
  expect((await lab.ask("a.b.w.com")).body).toMatch(/^wild /);
  expect((await lab.ask("w.com")).body).toContain("<ul>");

  const short = await lab.ask("ports", "/p?q=1", { port: 8443 });
  expect([short.status, short.headers.location]).toEqual([301, "http://ports.x.com:8443/p?q=1"]);
  const secure = await lab.until("secure.x.com", ({ status }) => status === 301);
  expect(secure.headers.location).toBe("https://secure.x.com/");

  const body = "x".repeat(2_000);
  const length = { "Content-Length": "2000" };
  const post = { method: "POST", headers: length, body };
  expect((await lab.ask("ports.x.com", "/", post)).status).toBe(413);
  expect((await lab.until("large.x.com", says("large"), post)).status).toBe(200);
  expect(agent.log.map(({ message }) => message)).toContain(
    'proxy.ports: expected a port from 1 to 65535 or <listen>:<container>, got "nonsense"',
  );
});

it("serves what answers, sends nothing new to what is stopping, and forgets what has ended", async () => {
  await using lab = await proxyLab();
  lab.agent();
  const flag = "/tmp/healthy";
  await lab.web({
    name: "checked",
    labels: { "proxy.host": "checked.x.com" },
    command: [
      "sh",
      "-c",
      `haproxy -db -f /web.cfg & while ! [ -e ${flag} ]; do sleep 0.1; done; wait`,
    ],
    healthcheck: { Test: ["CMD", "cat", flag], Interval: 200_000_000, Timeout: 1e9, Retries: 2 },
  });
  const one = await lab.web({
    name: "one",
    labels: { "proxy.host": "pool.x.com", "proxy.sticky": "off" },
  });
  await lab.web({ name: "two", labels: { "proxy.host": "pool.x.com", "proxy.sticky": "off" } });
  const seen = new Set<string>();
  await lab.until(
    "pool.x.com",
    ({ body }) => seen.add(body.split(" ")[0] ?? "").size > 0 && seen.has("one") && seen.has("two"),
  );
  // It runs and listens, and yet its check has not passed.
  expect((await lab.ask("checked.x.com")).body).toContain("<ul>");

  await one.kill({ signal: "SIGUSR1" });
  await one.wait();
  for (let n = 0; n < 20; n += 1) expect((await lab.ask("pool.x.com")).body).toMatch(/^two /);

  const exec = await lab.docker
    .getContainer(lab.named("checked"))
    .exec({ Cmd: ["sh", "-c", `: > ${flag}`] });
  await exec.start({});
  await lab.until("checked.x.com", says("checked"));
  await lab.docker.getContainer(lab.named("checked")).remove({ force: true });
  await lab.until("checked.x.com", ({ body }) => body.includes("<ul>"));
});

it("sends nothing new to a container from its stop signal on, though it still runs and listens", async () => {
  await using lab = await proxyLab();
  await using stack = new AsyncDisposableStack();
  const server = createServer((_, response) => response.end("one "));
  const port = await listening(server);
  stack.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  lab.agent();
  const sticky = { "proxy.host": "pool.x.com", "proxy.sticky": "off" };
  const one = await lab.web({
    name: "one",
    networkMode: "host",
    command: ["sh", "-c", "trap '' USR1; while :; do sleep 1; done"],
    labels: { ...sticky, "proxy.ports": `80:${port}` },
  });
  await lab.web({ name: "two", labels: sticky });
  const seen = new Set<string>();
  await lab.until(
    "pool.x.com",
    ({ body }) => seen.add(body.split(" ")[0] ?? "").size > 0 && seen.has("one") && seen.has("two"),
  );
  await one.kill({ signal: "SIGUSR1" });
  // By turns: two answers of the same one after the other mean that it is alone.
  let last = "";
  await lab.until("pool.x.com", ({ body }) => {
    const isAlone = last === body && body.startsWith("two ");
    last = body;
    return isAlone;
  });
  for (let n = 0; n < 30; n += 1) expect((await lab.ask("pool.x.com")).body).toMatch(/^two /);
  expect((await one.inspect()).State.Running).toBe(true);
});

test.each(["host", "user network", "container:"])(
  "finds a container in the network mode %s",
  async (mode) => {
    await using lab = await proxyLab();
    lab.agent();
    await using stack = new AsyncDisposableStack();
    const labels = { "proxy.host": "n.x.com", "proxy.ports": "80:18917" };
    if (mode === "host") {
      await lab.web({ name: "n", port: 18_917, networkMode: "host", labels });
    } else if (mode === "user network") {
      const network = await lab.docker.createNetwork({ Name: lab.named("net") });
      stack.defer(async () => {
        await lab.docker.getContainer(lab.named("n")).remove({ force: true });
        await network.remove();
      });
      await lab.web({ name: "n", port: 18_917, networkMode: lab.named("net"), labels });
    } else {
      const owner = await lab.web({
        name: "owner",
        labels: {},
        command: ["sleep", "3600"],
        stopSignal: "SIGKILL",
      });
      await lab.web({ name: "n", port: 18_917, networkMode: `container:${owner.id}`, labels });
    }
    await lab.until("n.x.com", says("n"));
  },
);

it("ends with one line where there is no engine", async () => {
  await using lab = await proxyLab();
  const agent = lab.agent([], { PATH: lab.folder });
  expect(await agent.exit()).toEqual({ code: 1, signal: null });
  const errors = agent.log.filter(({ level }) => level === "error");
  expect(errors.map(({ message }) => message)[0]).toContain("apt-get install haproxy");
});
