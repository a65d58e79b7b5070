import { readdir, readFile } from "node:fs/promises";
import { Agent } from "node:http";
import { join } from "node:path";
import { expect, it, test } from "@jest/globals";
import { inHost, listening } from "../support/own-server.ts";
import { type Answer, type ProxyLab, proxyLab } from "../support/proxy-lab.ts";
import { type Load, requestLoop } from "../support/request-loop.ts";
import { echoServer, webSocket } from "../support/web-socket.ts";

const says = (text: string) => (answer: Answer) =>
  answer.status === 200 && answer.body.startsWith(`${text} `);

/** The engines that work in the lab's folder, and whose children they are. */
async function engines(lab: ProxyLab): Promise<readonly { pid: number; parent: number }[]> {
  const found = await Promise.all(
    (await readdir("/proc"))
      .filter((name) => /^\d+$/.test(name))
      .map(async (pid) => {
        const words = (await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")).split("\0");
        const [, parent] =
          /^PPid:\s+(\d+)$/m.exec(await readFile(`/proc/${pid}/status`, "utf8").catch(() => "")) ??
          [];
        return words.includes(join(lab.folder, "proxy")) && words.includes("-W")
          ? { pid: Number(pid), parent: Number(parent) }
          : undefined;
      }),
  );
  return found.filter((one) => one !== undefined);
}
const masters = async (lab: ProxyLab) => {
  const all = await engines(lab);
  return all.filter(({ parent }) => !all.some(({ pid }) => pid === parent)).map(({ pid }) => pid);
};

it("serves on when it is killed, and is taken over without a failed request", async () => {
  await using lab = await proxyLab();
  const first = lab.agent();
  await lab.web({ name: "a", labels: { "proxy.host": "a.x.com" } });
  await lab.web({ name: "gone", labels: { "proxy.host": "gone.x.com" } });
  await lab.until("a.x.com", says("a"));
  await lab.until("gone.x.com", says("gone"));
  await using load = requestLoop(lab, "a.x.com", "a");
  await load.answered(50);

  first.kill("SIGKILL");
  await first.exit();
  await load.answered(100);
  // What changes meanwhile is right after the next start.
  await lab.docker.getContainer(lab.named("gone")).remove({ force: true });
  await lab.web({ name: "new", labels: { "proxy.host": "new.x.com" } });
  const [master] = await masters(lab);
  lab.agent();
  await lab.until("new.x.com", says("new"));
  expect((await lab.ask("gone.x.com")).body).toContain("<ul>");
  expect(await masters(lab)).toEqual([master]);
  await load.answered(100);
  expect(load.failures).toEqual([]);
});

test.each([
  ["the engine's master", "master"],
  ["the engine's worker", "worker"],
  ["both the agent and the whole engine", "both"],
])("after kill -9 of %s serves everything right again, by one engine alone", async (_, what) => {
  await using lab = await proxyLab();
  const first = lab.agent();
  await lab.web({ name: "a", labels: { "proxy.host": "a.x.com" } });
  await lab.web({ name: "b", labels: { "proxy.host": "b.x.com", "proxy.ports": "80 81:80" } });
  await lab.until("a.x.com", says("a"));
  await lab.until("b.x.com", says("b"), { port: 81 });

  const before = await engines(lab);
  const [master] = await masters(lab);
  if (what === "both") {
    first.kill("SIGKILL");
    await first.exit();
  }
  for (const { pid } of before) {
    if ((pid === master) === (what === "master") || what === "both") process.kill(pid, "SIGKILL");
  }
  await lab.docker.getContainer(lab.named("a")).remove({ force: true });
  if (what === "both") lab.agent();
  await lab.until("a.x.com", ({ body }) => body.includes("<ul>"));
  await lab.until("b.x.com", says("b"));
  await lab.until("b.x.com", says("b"), { port: 81 });
  expect(await masters(lab)).toHaveLength(1);
  expect((await engines(lab)).every(({ pid }) => !before.some((one) => one.pid === pid))).toBe(
    true,
  );
});

it("lets no second one work with its files", async () => {
  await using lab = await proxyLab();
  lab.agent();
  await lab.web({ name: "a", labels: { "proxy.host": "a.x.com" } });
  await lab.until("a.x.com", says("a"));
  const second = lab.agent();
  expect((await second.exit()).code).toBe(1);
  expect((await lab.ask("a.x.com")).body).toMatch(/^a /);
});

it("says which port somebody else has, serves the others, and takes it as soon as it is free", async () => {
  await using lab = await proxyLab();
  const { createServer } = await import("node:net");
  const other = createServer().listen(8081, lab.address);
  const agent = lab.agent();
  await lab.web({ name: "a", labels: { "proxy.host": "a.x.com", "proxy.ports": "80 8081:80" } });
  await lab.until("a.x.com", says("a"));
  await agent.until(
    ({ message }) => message === "can't listen on port 8081: somebody else listens there",
  );
  await new Promise((resolve) => other.close(resolve));
  await lab.until("a.x.com", says("a"), { port: 8081 });
});

it("costs no request while containers of stable names come and go, and cuts no WebSocket", async () => {
  await using lab = await proxyLab();
  lab.agent();
  await lab.web({ name: "stable", labels: { "proxy.host": "stable.x.com" } });
  await lab.until("stable.x.com", says("stable"));
  const server = echoServer();
  const wsPort = await listening(server);
  await using stack = new AsyncDisposableStack();
  stack.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  await inHost(lab, "ws", wsPort, { "proxy.host": "ws.x.com" });
  await lab.until("ws.x.com", ({ body }) => body === "ws");
  await using socket = await webSocket(lab, "ws.x.com");
  const keepAlive = new Agent({ keepAlive: true, maxSockets: 4 });
  const loads: Load[] = [
    requestLoop(lab, "stable.x.com", "stable", { agent: keepAlive }),
    requestLoop(lab, "stable.x.com", "stable"),
  ];
  const count = 24;
  const width = 8;
  await Promise.all(
    Array.from({ length: width }, async (_, lane) => {
      for (let n = lane; n < count; n += width) {
        // Every second one asks for a port of its own, so that the engine has to reload.
        const port = n % 8 === 0 ? 9_000 + n : 80;
        const labels = { "proxy.host": `n${n}.x.com`, "proxy.ports": `${port}:80` };
        const container = await lab.web({ name: `n${n}`, labels });
        await lab.until(`n${n}.x.com`, says(`n${n}`), { port });
        await container.remove({ force: true });
      }
    }),
  );
  for (const load of loads) {
    await load.answered(50);
    expect(load.failures).toEqual([]);
    await load[Symbol.asyncDispose]();
  }
  expect(socket.isCut()).toBe(false);
  expect(await socket.echo("still")).toBe("still");
  keepAlive.destroy();
});
