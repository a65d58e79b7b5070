import { afterAll, afterEach, beforeAll, describe, expect, it } from "@jest/globals";
import type { ModeState } from "../../agent/page/view.ts";
import type { FleetState, FleetTask } from "../../lib/standins/ecs/service-rules.ts";
import { AGENT, type AgentProcess, startAgent } from "../support/agent-process.ts";
import { bridgeTask, fleet, HOST } from "../support/fleet.ts";
import { address6Of, addressOf, type NetLab, netLab } from "../support/net-lab.ts";
import { SERVED } from "../support/status.ts";

/** Real network namespaces: what only the kernel can show. */
let lab: NetLab;
beforeAll(async () => {
  lab = await netLab();
});
afterAll(async () => {
  await lab?.[Symbol.asyncDispose]();
});

const agents: AgentProcess[] = [];
afterEach(async () => {
  for (const agent of agents.splice(0)) {
    if (!agent.ended) agent.kill("SIGKILL");
    await agent.exit();
  }
  await lab.run("agent", ["nft", "-f", "-"], "flush ruleset\n");
  for (const port of [8001, 8002, 8003]) await lab.peers.tasks.end(port);
});

const at = (tasks: readonly FleetTask[]): FleetState =>
  fleet(tasks, { instances: [{ ...HOST, privateIp: addressOf("tasks") }] });

/** Three tasks, `a`, `b` and `c`, behind port 80 of the agent's namespace. */
async function threeTasks(): Promise<readonly FleetTask[]> {
  const names = ["a", "b", "c"];
  return Promise.all(
    names.map(async (name, n) => {
      await lab.peers.tasks.serve(name, 8001 + n);
      return bridgeTask({ 80: 8001 + n });
    }),
  );
}

async function agentFor(state: FleetState, ...flags: readonly string[]): Promise<AgentProcess> {
  const url = await lab.peers.agent.fleet(state);
  const agent = startAgent(
    [
      "ambassador",
      "--name=web",
      "--service=shop",
      "--logFormat=json",
      "--poll=1",
      SERVED,
      ...flags,
    ],
    { AWS_ENDPOINT_URL_ECS: url, AWS_ENDPOINT_URL_EC2: url, AWS_ENDPOINT_URL_ROUTE_53: url },
    [...lab.inside("agent"), ...AGENT],
  );
  agents.push(agent);
  return agent;
}

const table = () => lab.run("agent", ["nft", "list", "table", "ip", "ambassador"]);
/** Waits until the kernel's table holds, or no longer holds, what is looked for. */
async function untilTable(fits: (text: string) => boolean): Promise<void> {
  for (let tries = 0; tries < 400; tries += 1) {
    const text = await table().catch(() => "");
    if (fits(text)) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`waited in vain; the table is\n${await table().catch(String)}`);
}
const holds = (port: number) => (text: string) => text.includes(`${addressOf("tasks")} . ${port}`);

describe("the kernel", () => {
  it("hands on clients on localhost and clients that are linked; an IPv6 client is the proxy's", async () => {
    const agent = await agentFor(at(await threeTasks()));
    await agent.until(({ message }) => message.startsWith("The kernel hands connections on"));
    await untilTable(holds(8003));
    const local = await lab.peers.agent.ask({ host: "127.0.0.1", port: 80, count: 300 });
    const linked = await lab.peers.linked.ask({ host: addressOf("agent"), port: 80, count: 300 });
    for (const { names, failures } of [local, linked]) {
      expect(failures).toEqual({});
      expect(Object.keys(names).toSorted()).toEqual(["a", "b", "c"]);
      // Of 300 at random each gets about 100.
      for (const count of Object.values(names)) expect(count).toBeGreaterThan(50);
    }
    const status = await agent.until(({ url }) => url !== undefined);
    // The process had none of them in its hands: all three hundred and three hundred passed it by.
    const metric = async (name: string) => {
      const text = await lab.peers.agent.get(`${String(status["url"])}/metrics`);
      return Number(new RegExp(`^${name}\\{port="80"\\} (\\d+)`, "m").exec(text)?.[1]);
    };
    expect(await metric("ambassador_sent_bytes_total")).toBe(0);
    const six = await lab.peers.agent.ask({ host: "::1", port: 80, count: 20 });
    const six2 = await lab.peers.linked.ask({ host: address6Of("agent"), port: 80, count: 20 });
    expect([six.failures, six2.failures]).toEqual([{}, {}]);
    expect(await metric("ambassador_received_bytes_total")).toBe(80);
  });

  it("costs no client its connection when a task refuses, and at most about a second", async () => {
    await agentFor(at(await threeTasks()), "--health=off");
    await untilTable(holds(8003));
    await lab.peers.tasks.end(8002);
    const asked = await lab.peers.agent.ask({
      host: "127.0.0.1",
      port: 80,
      count: 300,
      atOnce: 10,
    });
    expect(asked.failures).toEqual({});
    expect(Object.keys(asked.names).toSorted()).toEqual(["a", "c"]);
    expect(asked.slowestMs).toBeLessThan(2_500);
  });

  it("leaves a silent task out as soon as its check fails", async () => {
    await agentFor(at(await threeTasks()));
    await untilTable(holds(8003));
    const drop =
      "table inet silent { chain in { type filter hook input priority 0; tcp dport 8002 drop; }; }";
    await lab.run("tasks", ["nft", "-f", "-"], drop);
    const asked = await lab.peers.agent.ask({
      host: "127.0.0.1",
      port: 80,
      count: 300,
      perSecond: 100,
    });
    await untilTable((text) => !holds(8002)(text));
    await lab.run("tasks", ["nft", "delete", "table", "inet", "silent"]);
    expect(asked.failures).toEqual({});
    expect(asked.slowestMs).toBeLessThan(2_500);
    await untilTable(holds(8002));
  });

  it("loses no connect while tasks are replaced one by one under load", async () => {
    let tasks = await threeTasks();
    await agentFor(at(tasks));
    await untilTable(holds(8003));
    const asking = lab.peers.agent.ask({
      host: "127.0.0.1",
      port: 80,
      count: 3_000,
      perSecond: 500,
    });
    for (const old of [8001, 8002, 8003]) {
      await lab.peers.tasks.serve(`new${old}`, old + 100);
      tasks = [...tasks, bridgeTask({ 80: old + 100 })];
      await lab.peers.agent.fleet(at(tasks));
      await untilTable(holds(old + 100));
      // ECS first says that it is to stop, then ends it.
      tasks = tasks.slice(1);
      await lab.peers.agent.fleet(at(tasks));
      await untilTable((text) => !holds(old)(text));
      await lab.peers.tasks.end(old);
    }
    const { failures, names } = await asking;
    expect(failures).toEqual({});
    expect(Object.values(names).reduce((sum, count) => sum + count, 0)).toBe(3_000);
    for (const port of [8101, 8102, 8103]) await lab.peers.tasks.end(port);
  });

  it("goes on when the agent is killed, and is taken over by the next one, under load", async () => {
    const tasks = await threeTasks();
    const first = await agentFor(at(tasks));
    await untilTable(holds(8003));
    const asking = lab.peers.agent.ask({
      host: "127.0.0.1",
      port: 80,
      count: 2_000,
      perSecond: 400,
    });
    first.kill("SIGKILL");
    await first.exit();
    expect(await table()).toContain("8003");
    const next = await agentFor(at(tasks));
    await next.until(({ message }) => message === "listens");
    await lab.peers.agent.fleet(at(tasks.slice(1)));
    await untilTable((text) => text !== "" && !holds(8001)(text));
    expect((await asking).failures).toEqual({});
  });

  it("is given back at SIGTERM: what is open may end, then the table is gone", async () => {
    const agent = await agentFor(at(await threeTasks()));
    await untilTable(holds(8003));
    const name = await lab.peers.agent.hold("127.0.0.1", 80);
    expect(["a", "b", "c"]).toContain(name);
    agent.kill("SIGTERM");
    await untilTable((text) => text !== "" && !holds(8003)(text));
    expect(await lab.peers.agent.say("are you there?")).toBe("are you there?");
    const { failures } = await lab.peers.agent.ask({ host: "127.0.0.1", port: 80, count: 1 });
    expect(failures).toEqual({ ECONNREFUSED: 1 });
    // The task ends what is open.
    for (const port of [8001, 8002, 8003]) await lab.peers.tasks.end(port);
    expect(await agent.exit()).toEqual({ code: 0, signal: null });
    expect(await lab.run("agent", ["nft", "list", "tables"])).not.toContain("ambassador");
  });

  it("is put right when somebody else changed the table", async () => {
    const agent = await agentFor(at(await threeTasks()));
    await untilTable(holds(8003));
    await lab.run("agent", ["nft", "delete", "table", "ip", "ambassador"]);
    // Served meanwhile by the proxy beneath.
    const { failures } = await lab.peers.agent.ask({ host: "127.0.0.1", port: 80, count: 20 });
    expect(failures).toEqual({});
    // A change of the tasks writes the table whole, without waiting for the minute's check.
    await lab.peers.tasks.serve("d", 8004);
    await lab.peers.agent.fleet(at([bridgeTask({ 80: 8004 })]));
    await untilTable(holds(8004));
    await lab.peers.tasks.end(8004);
    expect(agent.ended).toBe(false);
  });

  it("refuses at once when the service has no task, and serves again when it has", async () => {
    const tasks = await threeTasks();
    await agentFor(at(tasks));
    await untilTable(holds(8003));
    await lab.peers.agent.fleet(at([]));
    await untilTable((text) => text !== "" && !holds(8001)(text));
    const none = await lab.peers.agent.ask({ host: "127.0.0.1", port: 80, count: 5 });
    expect(none.failures).toEqual({ ECONNREFUSED: 5 });
    expect(none.slowestMs).toBeLessThan(500);
    await lab.peers.agent.fleet(at(tasks));
    await untilTable(holds(8001));
    const again = await lab.peers.agent.ask({ host: "127.0.0.1", port: 80, count: 20 });
    expect(again.failures).toEqual({});
  });
});

describe.each(["kernel", "proxy"] as const)("clients of the %s", (plane) => {
  /** A number of the page's first line. */
  async function figure(agent: AgentProcess, label: string): Promise<number> {
    const { url } = await agent.until((line) => line["url"] !== undefined);
    const state = JSON.parse(await lab.peers.agent.get(`${String(url)}/v1/state`)) as ModeState;
    return Number(state.figures.find((one) => one.label === label)?.value);
  }
  async function started(): Promise<AgentProcess> {
    const agent = await agentFor(at(await threeTasks()), `--dataPlane=${plane}`);
    await agent.until(({ message }) => message === "listens");
    if (plane === "kernel") await untilTable(holds(8003));
    return agent;
  }

  it("may be on localhost, linked over a bridge, and of IPv6; each keeps its half", async () => {
    const agent = await started();
    const { agent: local, linked } = lab.peers;
    const ways = [
      [local, "127.0.0.1"],
      [local, "::1"],
      [local, addressOf("agent")],
      [linked, addressOf("agent")],
      [linked, address6Of("agent")],
    ] as const;
    for (const [peer, host] of ways) {
      const { names, failures } = await peer.ask({ host, port: 80, count: 60 });
      expect([host, failures]).toEqual([host, {}]);
      expect([host, Object.keys(names).toSorted()]).toEqual([host, ["a", "b", "c"]]);
      // It ended its half before it read anything, and still hears all.
      expect(await peer.half(host, 80, "after the end")).toMatch(/^[abc]\nafter the end$/);
    }
    expect(await figure(agent, "Lost")).toBe(0);
  });

  it("may be two thousand at once", async () => {
    const agent = await started();
    await lab.peers.agent.holdMany("127.0.0.1", 80, 2_000);
    const { failures } = await lab.peers.agent.ask({ host: "127.0.0.1", port: 80, count: 20 });
    expect(failures).toEqual({});
    if (plane === "proxy")
      expect(await figure(agent, "Open connections")).toBeGreaterThanOrEqual(2_000);
    expect(await figure(agent, "Lost")).toBe(0);
    await lab.peers.agent.holdMany("127.0.0.1", 80, 0);
  });
});

describe("--dataPlane", () => {
  it("kernel ends with the sysctl that is missing; auto says so and serves by the proxy", async () => {
    await lab.run("agent", ["sysctl", "-qw", "net.ipv4.conf.all.route_localnet=0"]);
    try {
      const state = at(await threeTasks());
      const strict = await agentFor(state, "--dataPlane=kernel");
      expect(await strict.exit()).toEqual({ code: 1, signal: null });
      expect(strict.stdout).toContain("net.ipv4.conf.all.route_localnet is 0: set it to 1");
      const soft = await agentFor(state);
      await soft.until(({ message }) => message.startsWith("The proxy hands connections on"));
      await soft.until(({ message }) => message === "listens");
      const { failures } = await lab.peers.agent.ask({ host: "127.0.0.1", port: 80, count: 20 });
      expect(failures).toEqual({});
      await expect(table()).rejects.toThrow("No such file");
    } finally {
      await lab.run("agent", ["sysctl", "-qw", "net.ipv4.conf.all.route_localnet=1"]);
    }
  });

  it("kernel ends with the capability that is missing", async () => {
    const url = await lab.peers.agent.fleet(at([]));
    const agent = startAgent(
      [
        "ambassador",
        "--name=web",
        "--service=shop",
        "--logFormat=json",
        "--dataPlane=kernel",
        SERVED,
      ],
      { AWS_ENDPOINT_URL_ECS: url, AWS_ENDPOINT_URL_ROUTE_53: url },
      [
        ...lab.inside("agent"),
        "setpriv",
        "--bounding-set=-net_admin",
        "--inh-caps=-net_admin",
        ...AGENT,
      ],
    );
    agents.push(agent);
    expect(await agent.exit()).toEqual({ code: 1, signal: null });
    expect(agent.stdout).toContain("the capability NET_ADMIN is missing");
  });
});
