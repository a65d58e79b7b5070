import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "@jest/globals";
import { type DockerStandIn, dockerStandIn } from "../../lib/standins/docker/engine.ts";
import type { FleetTask } from "../../lib/standins/ecs/service-rules.ts";
import { AGENT, type AgentProcess, startAgent } from "../support/agent-process.ts";
import { bridgeTask, fleet, HOST, someId } from "../support/fleet.ts";
import { addressOf, type NetLab, netLab } from "../support/net-lab.ts";

/**
 * A host in a network namespace of its own: its containers are in a second one, and a client in a third, whose packets to
 * the containers and back all pass the host, as they do where Docker has a bridge.
 */
let lab: NetLab;
let docker: DockerStandIn;
let folder: string;
beforeAll(async () => {
  // With this setting the kernel gives what waits at a listener that closes to the other one on the same port.
  lab = await netLab({ sysctls: { "net.ipv4.tcp_migrate_req": 1 } });
  const through = (to: "tasks" | "linked") => ["ip", "route", "add", `${addressOf(to)}/32`, "via"];
  await lab.run("tasks", [...through("linked"), addressOf("agent")]);
  await lab.run("linked", [...through("tasks"), addressOf("agent")]);
  folder = await mkdtemp(join(tmpdir(), "eda-forward-"));
  docker = await dockerStandIn({ socketPath: join(folder, "docker.sock") });
});
afterAll(async () => {
  await docker?.close();
  await lab?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const agents: AgentProcess[] = [];
const open = new Set<number>();
afterEach(async () => {
  for (const agent of agents.splice(0)) {
    if (!agent.ended) agent.kill("SIGKILL");
    await agent.exit();
  }
  await lab.run("agent", ["nft", "-f", "-"], "flush ruleset\n");
  for (const port of open) await lab.peers.tasks.end(port);
  open.clear();
});

const PORT = 8080;
const ACCOUNT = "arn:aws:ecs:eu-west-1:123456789012";
let started = 1_700_000_000;

interface Running {
  readonly task: FleetTask;
  /** The container's own port: the kernel's rules lead to it, whatever port of the host Docker has bound. */
  readonly port: number;
  readonly container: string;
}

/** A container with a server in it, and its task. */
async function run(port: number): Promise<Running> {
  await lab.peers.tasks.serve(`task${port}`, port);
  open.add(port);
  started += 1;
  const id = someId();
  const container = docker.run({
    labels: {
      "com.amazonaws.ecs.task-arn": `${ACCOUNT}:task/default/${id}`,
      "com.amazonaws.ecs.container-name": "web",
    },
    networkMode: "bridge",
    address: addressOf("tasks"),
  });
  const plain = bridgeTask({ [port]: 40_000 + port }, { id, createdAt: started });
  const containers = plain.containers.map((one) => ({ ...one, runtimeId: container }));
  return { task: { ...plain, startedAt: started, containers }, port, container };
}

const known = (all: readonly Running[]) =>
  lab.peers.agent.fleet(fleet(all.map(({ task }) => task)));

/** A balancer on the host, in mode forward. */
async function agentOf(all: readonly Running[], over: object = {}): Promise<AgentProcess> {
  const ecs = await known(all);
  const { url: elb } = await lab.peers.agent.elb({});
  const metadata = await lab.peers.agent.metadata({
    "instance-id": HOST.ec2Id,
    "local-ipv4": addressOf("agent"),
  });
  const entry = {
    serviceName: "shop",
    family: "web",
    exposedContainerName: "web",
    mode: "forward",
    listenPort: PORT,
    ...over,
  };
  await writeFile(join(folder, "config.json"), '{"cluster": "default", "sleepTimeSeconds": 1}');
  await writeFile(join(folder, "services.json"), JSON.stringify([entry]));
  const agent = startAgent(
    [
      "balancer",
      `--configurationUrl=file://${folder}/config.json`,
      `--servicesUrl=file://${folder}/services.json`,
      `--stateDir=${folder}`,
      "--introspectionUrl=http://127.0.0.1:9",
      "--statusAddress=off",
      "--logFormat=json",
    ],
    {
      AWS_ENDPOINT_URL_ROUTE_53: "http://127.0.0.1:9",
      AWS_ENDPOINT_URL_ECS: ecs,
      AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING: elb,
      AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2: elb,
      AWS_EC2_METADATA_DISABLED: "false",
      AWS_EC2_METADATA_SERVICE_ENDPOINT: metadata,
      DOCKER_HOST: docker.dockerHost,
      PATH: process.env["PATH"] ?? "",
    },
    [...lab.inside("agent"), ...AGENT],
  );
  agents.push(agent);
  return agent;
}

const table = () => lab.run("agent", ["nft", "list", "table", "ip", "balancer"]);
const TRIES = 2_400;
/** Waits until the kernel's table is so. */
async function untilTable(fits: (text: string) => boolean): Promise<void> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    if (fits(await table().catch(() => ""))) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`waited in vain; the table is\n${await table().catch(String)}`);
}
const holds = (port: number) => (text: string) => text.includes(`${addressOf("tasks")} . ${port}`);
const without = (port: number) => (text: string) => text !== "" && !holds(port)(text);

/** Asks until it is done, 200 times a second, and comes back with all failures. */
async function asked(act: () => Promise<unknown>): Promise<Record<string, number>> {
  let isDone = false;
  const acting = act().finally(() => {
    isDone = true;
  });
  acting.catch(() => {});
  const failures: Record<string, number> = {};
  while (!isDone) {
    for (const [code, count] of Object.entries((await ask("linked", 100, 200)).failures)) {
      failures[code] = (failures[code] ?? 0) + count;
    }
  }
  await acting;
  return failures;
}

/** Clients from beyond the host, as a load balancer is one, and of the host itself. */
const ask = (from: "linked" | "agent", count: number, perSecond?: number) =>
  lab.peers[from].ask({
    host: addressOf("agent"),
    port: PORT,
    count,
    ...(perSecond !== undefined && { perSecond }),
  });

describe("mode forward in the kernel", () => {
  it("hands on to the containers themselves, and a task that Docker has told to stop gets nothing new before it closes", async () => {
    let tasks = [await run(8001), await run(8002)];
    const agent = await agentOf(tasks, { dataPlane: "kernel" });
    await untilTable((text) => holds(8001)(text) && holds(8002)(text));
    for (const from of ["linked", "agent"] as const) {
      const { names, failures } = await ask(from, 100);
      expect(failures).toEqual({});
      expect(Object.keys(names).toSorted()).toEqual(["task8001", "task8002"]);
    }

    const replaced = asked(async () => {
      for (const port of [8003, 8004]) {
        const [old, ...rest] = tasks as [Running, ...Running[]];
        tasks = [...rest, await run(port)];
        await known([old, ...tasks]);
        await untilTable(holds(port));
        // ECS still calls it RUNNING: Docker alone has told of its end, and it closes a moment later.
        docker.kill(old.container, 15, { survives: true });
        await untilTable(without(old.port));
        await lab.peers.tasks.end(old.port);
        docker.remove(old.container, { force: true });
        await known(tasks);
      }
    });
    expect(await replaced).toEqual({});

    // Killed, it leaves its rules, which serve on; the next one takes them over.
    let next = agent;
    const killed = asked(async () => {
      agent.kill("SIGKILL");
      await agent.exit();
      next = await agentOf(tasks, { dataPlane: "kernel" });
      await next.until(({ message }) => message === `listens on port ${PORT}`);
      await known(tasks.slice(1));
      await untilTable(without(tasks[0]?.port ?? 0));
    });
    expect(await killed).toEqual({});

    next.kill("SIGTERM");
    expect(await next.exit()).toEqual({ code: 0, signal: null });
    expect(await lab.run("agent", ["nft", "list", "tables"])).not.toContain("balancer");
    expect((await ask("linked", 5)).failures).toEqual({ ECONNREFUSED: 5 });
  });

  it("is refused with the reason where the kernel can't, and nothing listens then", async () => {
    await lab.run("agent", ["sysctl", "-qw", "net.ipv4.conf.all.route_localnet=0"]);
    try {
      const agent = await agentOf([await run(8001)], { dataPlane: "kernel" });
      const { message } = await agent.until(({ about }) => about === "shop");
      expect(message).toContain("the sysctl net.ipv4.conf.all.route_localnet is 0: set it to 1");
      expect((await ask("linked", 2)).failures).toEqual({ ECONNREFUSED: 2 });
    } finally {
      await lab.run("agent", ["sysctl", "-qw", "net.ipv4.conf.all.route_localnet=1"]);
    }
  });
});

it("mode forward: the next balancer listens beside the one that it replaces, and no client is refused, nor the load balancer asked for anything", async () => {
  const listener = { lbPort: 80, protocol: "TCP", instancePort: PORT };
  const balancer = {
    name: "shop",
    listeners: [listener],
    healthCheck: { target: `TCP:${PORT}` },
    instances: [HOST.ec2Id],
  };
  await lab.peers.agent.elb({ balancer });
  const tasks = [await run(8001)];
  const over = {
    loadBalancerName: "shop",
    // A port of the host is not there in this lab: the task has an address of its own.
    ports: [{ lbPort: 80, containerPort: 8001, listenPort: PORT }],
  };
  const own = tasks.map((one) => ({
    ...one,
    task: { ...one.task, eni: { id: "eni-1", ipv4: addressOf("tasks") } },
  }));
  const served = ({ message }: { readonly message: string }) =>
    message === `listens on port ${PORT}`;
  let agent = await agentOf(own, over);
  await agent.until(served);
  const failures = await asked(async () => {
    for (let times = 0; times < 2; times += 1) {
      const next = await agentOf(own, over);
      await next.until(served);
      agent.kill("SIGTERM");
      expect(await agent.exit()).toEqual({ code: 0, signal: null });
      agent = next;
    }
  });
  expect(failures).toEqual({});
  const { writes, balancer: after } = await lab.peers.agent.elb({ name: "shop" });
  expect(writes).toBe(0);
  expect(after?.instances).toEqual([HOST.ec2Id]);
});
