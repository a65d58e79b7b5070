import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Clock } from "../../../lib/kit/flow/clock.ts";
import { type FleetStandIn, fleetStandIn } from "../../../lib/standins/ecs/service-api.ts";
import type { FleetTask } from "../../../lib/standins/ecs/service-rules.ts";
import { type ElbStandIn, elbStandIn } from "../../../lib/standins/elb/server.ts";
import { type MetadataStandIn, metadataStandIn } from "../../../lib/standins/metadata/server.ts";
import { together } from "../../process/supervise.ts";
import type { Surroundings } from "../../process/surroundings.ts";
import type { SandboxConfig } from "../config.ts";

const HOST = { id: "c0".repeat(16), ec2Id: "i-0123456789abcdef0" };
const DEPLOYS = 3;
/** A request to Elastic Load Balancing takes so long: what a listener's move costs. */
const ELB_LATENCY_MS = 100;
const ASK_MS = 20;
const NAMES = ["rewrite", "forward"] as const;

interface Outside {
  readonly elb: ElbStandIn;
  readonly ecs: FleetStandIn;
  readonly metadata: MetadataStandIn;
  readonly folder: string;
}

/** A task on loopback, which answers each connection and ends it. */
interface Task {
  readonly server: Server;
  readonly told: FleetTask;
}

/**
 * Two services behind load balancers, one whose listener is moved with each deploy and one behind a port that never
 * changes; the real balancer as a process of its own; and clients that ask each load balancer's listener, as it is at that
 * moment, through three deploys. Ends by itself.
 */
export async function tell(config: SandboxConfig, surroundings: Surroundings): Promise<void> {
  const { stop, clock } = surroundings;
  const done = new AbortController();
  const end = AbortSignal.any([stop.signal, done.signal]);
  const startedMs = clock.now();
  const say = (line: string) => {
    const at = ((clock.now() - startedMs) / 1000).toFixed(1).padStart(6);
    process.stdout.write(`${at} s  ${line}\n`);
  };
  let tasks: readonly Task[] = [];
  const outside: Outside = {
    elb: await elbStandIn(),
    ecs: await fleetStandIn(() => ({
      clusters: [{ name: "demo", instances: [HOST], tasks: tasks.map(({ told }) => told) }],
    })),
    metadata: await metadataStandIn({ "instance-id": HOST.ec2Id, "local-ipv4": "127.0.0.1" }),
    folder: await mkdtemp(join(tmpdir(), "ecs-discovery-balancer-")),
  };
  outside.elb.latency(ELB_LATENCY_MS);
  for (const name of NAMES) outside.elb.add(balancerOf(name));
  outside.elb.onRequest(({ operation, about, result }) => {
    if (!operation.startsWith("Describe")) say(`  ${about}: ${operation} ${result}`);
  });
  let number = 0;
  const start = async (family: string): Promise<Task> => {
    number += 1;
    const task = await startTask(family, number);
    tasks = [...tasks, task];
    return task;
  };
  const current = new Map<string, Task>();
  for (const name of NAMES) current.set(name, await start(name));
  const agent = await startAgent(outside, config);
  const follow = async () => {
    const [code] = (await once(agent, "exit")) as [number | null];
    if (!end.aborted) throw new Error(`the balancer ended with exit code ${code}`);
  };
  const play = async () => {
    say(`its page: ${await pageOf(agent, end)}/`);
    for (const name of NAMES) await untilServed(name, outside.elb, clock, end);
    say(`clients ask both load balancers every ${ASK_MS} ms, each time over a new connection`);
    const clients = NAMES.map((name) => clientOf(name, outside.elb, clock, end));
    for (let deploy = 1; deploy <= DEPLOYS; deploy += 1) {
      say(`* deploy ${deploy}: a new task of each service starts beside the old one`);
      const old = NAMES.map((name) => current.get(name) as Task);
      for (const name of NAMES) current.set(name, await start(name));
      await clock.sleep(4_000, end);
      say("* the old tasks stop, and close their ports at that moment");
      tasks = tasks.filter((task) => !old.includes(task));
      for (const { server } of old) server.close();
      await clock.sleep(1_000, end);
    }
    for (const client of clients) say(client());
  };
  await together(stop, [
    follow(),
    play().finally(() => {
      done.abort();
      agent.kill("SIGTERM");
    }),
  ]);
  for (const { server } of tasks) server.close();
  await Promise.all([outside.elb.close(), outside.ecs.close(), outside.metadata.close()]);
  await rm(outside.folder, { recursive: true, force: true });
}

const balancerOf = (name: string) => ({
  name,
  listeners: [{ lbPort: 80, protocol: "TCP", instancePort: 1 }],
  policies: { proxy: "ProxyProtocolPolicyType" },
  healthCheck: { target: "TCP:1" },
});

async function startTask(family: string, number: number): Promise<Task> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.end(`${family}\n`);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port: hostPort } = server.address() as AddressInfo;
  return {
    server,
    told: {
      id: number.toString(16).padStart(32, "0"),
      family,
      instance: HOST.id,
      createdAt: 1_700_000_000 + number,
      startedAt: 1_700_000_000 + number,
      containers: [
        { name: "app", networkBindings: [{ containerPort: 80, hostPort, protocol: "tcp" }] },
      ],
    },
  };
}

/** The real agent, with nothing of this environment that could lead it to a real AWS account. */
async function startAgent(
  { elb, ecs, metadata, folder }: Outside,
  { logLevel }: SandboxConfig,
): Promise<ChildProcess> {
  const plain = (name: string) => ({
    serviceName: name,
    family: name,
    exposedContainerName: "app",
    loadBalancerName: name,
  });
  const free = createServer().listen(0, "127.0.0.1");
  await once(free, "listening");
  const { port: listenPort } = free.address() as AddressInfo;
  free.close();
  const services = [plain("rewrite"), { ...plain("forward"), mode: "forward", listenPort }];
  await writeFile(join(folder, "config.json"), '{"cluster": "demo", "sleepTimeSeconds": 1}\n');
  await writeFile(join(folder, "services.json"), JSON.stringify(services, null, 2));
  const [node, main] = process.argv as [string, string];
  const flags = [
    "balancer",
    `--configurationUrl=file://${folder}/config.json`,
    `--servicesUrl=file://${folder}/services.json`,
    `--stateDir=${folder}`,
    "--introspectionUrl=http://127.0.0.1:9",
    "--statusAddress=127.0.0.1:0",
    // The demo's port is any that is free.
    "--force",
    `--logLevel=${logLevel === "debug" ? "debug" : "info"}`,
  ];
  return spawn(node, [main, ...flags], {
    stdio: ["ignore", "pipe", "inherit"],
    env: {
      DOCKER_HOST: `unix://${folder}/none.sock`,
      AWS_ENDPOINT_URL_ECS: ecs.url,
      AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING: elb.url,
      AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2: elb.url,
      AWS_EC2_METADATA_SERVICE_ENDPOINT: metadata.url,
      AWS_REGION: "eu-west-1",
      AWS_ACCESS_KEY_ID: "sandbox",
      AWS_SECRET_ACCESS_KEY: "sandbox",
      AWS_CONFIG_FILE: "/dev/null",
      AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
    },
  });
}

/** Where it says that its page is. */
function pageOf(agent: ChildProcess, end: AbortSignal): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  end.addEventListener("abort", () => reject(end.reason), { once: true });
  const lines = agent.stdout && createInterface(agent.stdout);
  lines?.on("line", (line) => {
    const [, page] = /the status page is served url=(http:\S+)$/.exec(line) ?? [];
    if (page !== undefined) resolve(page);
  });
  return promise;
}

/** Asks as the load balancer would: at the instance port of its listener, if it has one; true for an answer. */
function ask(name: string, elb: ElbStandIn): Promise<boolean> {
  const [listener] = elb.balancer(name).listeners;
  if (listener === undefined) return Promise.resolve(false);
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(listener.instancePort, "127.0.0.1");
  let answered = false;
  socket.setTimeout(5_000, () => socket.destroy());
  socket.on("data", () => {
    answered = true;
  });
  socket.on("error", () => {});
  socket.on("close", () => resolve(answered));
  return promise;
}

async function untilServed(
  name: string,
  elb: ElbStandIn,
  clock: Clock,
  end: AbortSignal,
): Promise<void> {
  while (elb.balancer(name).instances.length === 0 || !(await ask(name, elb))) {
    await clock.sleep(50, end);
  }
}

/** Asks until the end; what it returns says how that went. */
function clientOf(name: string, elb: ElbStandIn, clock: Clock, end: AbortSignal): () => string {
  let asked = 0;
  let failed = 0;
  const run = async () => {
    while (!end.aborted) {
      asked += 1;
      ask(name, elb).then(
        (answered) => {
          if (!answered) failed += 1;
        },
        () => {},
      );
      await clock.sleep(ASK_MS, end).catch(() => {});
    }
  };
  void run();
  return () => `${name}: ${failed} of ${asked} connections failed in ${DEPLOYS} deploys`;
}
