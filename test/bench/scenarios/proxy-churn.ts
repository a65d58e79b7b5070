import { Agent, createServer } from "node:http";
import { inHost, listening } from "../../support/own-server.ts";
import { proxyLab } from "../../support/proxy-lab.ts";
import { type Load, requestLoop } from "../../support/request-loop.ts";
import { SERVED, statusOf } from "../../support/status.ts";
import { echoServer, webSocket } from "../../support/web-socket.ts";
import type { Scenario } from "../results.ts";

/** So many containers come and go, so many at a time. */
const CONTAINERS = Number(process.env["PROXY_CHURN"] ?? 300);
const LANES = 2;
const STOPS = 20;
const WEB_SOCKETS = 4;

const percentile = (values: readonly number[], share: number): number =>
  values.toSorted((a, b) => a - b)[
    Math.min(values.length - 1, Math.floor(values.length * share))
  ] ?? Number.NaN;

/** Real containers come and go under requests to names that stay: what fails, what is cut, how soon each is served. */
export async function proxyChurn(): Promise<readonly Scenario[]> {
  await using lab = await proxyLab();
  await using stack = new AsyncDisposableStack();
  const agent = lab.agent([SERVED]);
  const status = await statusOf(agent);
  await lab.web({ name: "stable", labels: { "proxy.host": "stable.x.com" } });
  await lab.until("stable.x.com", ({ body }) => body.startsWith("stable "));
  const server = echoServer();
  const wsPort = await listening(server);
  stack.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  await inHost(lab, "ws", wsPort, { "proxy.host": "ws.x.com" });
  await lab.until("ws.x.com", ({ body }) => body === "ws");
  const sockets = await Promise.all(
    Array.from({ length: WEB_SOCKETS }, () => webSocket(lab, "ws.x.com")),
  );
  for (const socket of sockets) stack.use(socket);
  const keepAlive = new Agent({ keepAlive: true, maxSockets: 1 });
  stack.defer(() => keepAlive.destroy());
  const loads: readonly Load[] = [
    requestLoop(lab, "stable.x.com", "stable", { agent: keepAlive }),
    requestLoop(lab, "stable.x.com", "stable"),
  ];

  await Promise.all(
    Array.from({ length: LANES }, async (_, lane) => {
      for (let n = lane; n < CONTAINERS; n += LANES) {
        const labels = { "proxy.host": `n${n}.x.com` };
        const container = await lab.web({ name: `n${n}`, labels });
        await lab.until(`n${n}.x.com`, ({ body }) => body.startsWith(`n${n} `));
        await container.remove({ force: true });
      }
    }),
  );
  for (const load of loads) await load[Symbol.asyncDispose]();
  const asked = loads.reduce((sum, { count }) => sum + count, 0);
  const failed = loads.flatMap(({ failures }) => failures);
  const cut = sockets.filter((socket) => socket.isCut()).length;
  const delays = servedWithin((await status.get("/metrics")).body);
  const lags = await stopLags(lab);
  return [
    {
      title: `proxy: ${CONTAINERS} containers come and go, ${LANES} at a time`,
      beside: "nothing",
      rows: [
        { measure: "requests to a name that stays", unit: "", agent: asked },
        { measure: "failed requests", unit: "", agent: failed.length, atMost: 0 },
        { measure: `cut WebSockets of ${WEB_SOCKETS}`, unit: "", agent: cut, atMost: 0 },
        {
          measure: "containers served later than 300 ms after their start event",
          unit: "%",
          agent: 100 - delays(0.3),
          atMost: 5,
        },
        { measure: "the same, later than 100 ms", unit: "%", agent: 100 - delays(0.1) },
        {
          measure: "from the stop signal to the last request that began, median",
          unit: "ms",
          agent: percentile(lags, 0.5),
        },
        { measure: "the same, the longest", unit: "ms", agent: Math.max(...lags) },
      ],
      notes: [...new Set(failed)].slice(0, 5),
    },
  ];
}

/** The share of containers, in percent, that were served so many seconds after the agent heard of their start. */
function servedWithin(metrics: string): (seconds: number) => number {
  const count = (label: string): number =>
    Number(
      new RegExp(`^ecs_discovery_proxy_served_seconds_${label} (\\d+)$`, "m").exec(metrics)?.[1],
    );
  return (seconds) => (100 * count(`bucket{le="${seconds}"}`)) / count("count");
}

/** A container of a pool is sent its stop signal, and goes on listening: when it gets its last request, in ms. */
async function stopLags(lab: Awaited<ReturnType<typeof proxyLab>>): Promise<readonly number[]> {
  await using stack = new AsyncDisposableStack();
  let lastMs = 0;
  const server = createServer((_, response) => {
    lastMs = performance.now();
    response.end("pool ");
  });
  const port = await listening(server);
  stack.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  const labels = { "proxy.host": "pool.x.com", "proxy.sticky": "off" };
  await lab.web({ name: "pool", labels });
  await using load = requestLoop(lab, "pool.x.com", "pool");
  await load.answered(1);
  const lags: number[] = [];
  for (let n = 0; n < STOPS; n += 1) {
    const container = await lab.web({
      name: `stops${n}`,
      networkMode: "host",
      command: ["sh", "-c", "trap '' USR1; while :; do sleep 1; done"],
      labels: { ...labels, "proxy.ports": `80:${port}` },
    });
    lastMs = 0;
    while (lastMs === 0) await load.answered(1);
    const startedMs = performance.now();
    await container.kill({ signal: "SIGUSR1" });
    for (let before = -1; before !== lastMs; ) {
      before = lastMs;
      await load.answered(50);
    }
    lags.push(lastMs - startedMs);
    await container.remove({ force: true });
  }
  return lags;
}
