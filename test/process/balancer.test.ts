import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { describe, expect, it } from "@jest/globals";
import { dockerStandIn } from "../../lib/standins/docker/engine.ts";
import { metadataStandIn } from "../../lib/standins/metadata/server.ts";
import { type BalancerLab, balancerLab, taskOf } from "../support/balancer-lab.ts";
import { GROUP } from "../support/balancer-world.ts";
import { INSTANCE, web } from "../support/elb.ts";
import { changes } from "../support/wait.ts";

/** Waits until it is so; looks after each request. */
async function until(lab: BalancerLab, look: () => boolean): Promise<void> {
  const moved = changes();
  const later = () => void setImmediate(() => moved.tell());
  lab.elb.onRequest(later);
  lab.ecs.onRequest(later);
  await moved.until(
    () => look(),
    () =>
      `${lab.calls().slice(-30).join("\n")}\n${lab.agents.map(({ stdout }) => stdout).join("\n")}`,
  );
}

const writes = (lab: BalancerLab): readonly string[] =>
  lab.elb.requests.map(({ operation }) => operation).filter((one) => !one.startsWith("Describe"));
const portOf = (lab: BalancerLab, lbPort = 80, name = "web") =>
  lab.elb.balancer(name).listeners.find((one) => one.lbPort === lbPort)?.instancePort;
/** So many more cycles have begun. */
async function cycles(lab: BalancerLab, count: number): Promise<void> {
  const lists = () => lab.ecs.requests.filter(({ operation }) => operation === "ListTasks").length;
  const from = lists();
  await until(lab, () => lists() >= from + count);
}

/** What a switch to the port leaves. */
const switched = (port: number) => ({
  listeners: [
    {
      lbPort: 80,
      protocol: "HTTP",
      instancePort: port,
      instanceProtocol: "HTTP",
      policies: ["stick"],
    },
  ],
  backEnds: { [port]: ["proxy"] },
  check: { target: `HTTP:${port}/health`, interval: 30, timeout: 5, unhealthy: 2, healthy: 10 },
  instances: [INSTANCE],
});

describe("the original's two files, unchanged", () => {
  it("switch while both tasks of a rolling deploy run, keep policies and PROXY protocol, and take the host out after its last task", async () => {
    await using lab = await balancerLab();
    lab.elb.add(web());
    lab.tasks = [taskOf(1, 32_768)];
    const agent = lab.agent();
    await agent.until(({ message }) => message === "service web: as wanted");
    expect(writes(lab)).toEqual([]);

    lab.tasks = [...lab.tasks, taskOf(2, 32_769)];
    await until(lab, () => lab.elb.balancer("web").backEnds[32_768] === undefined);
    expect(lab.tasks).toHaveLength(2);
    expect(lab.elb.balancer("web")).toEqual(switched(32_769));
    // Two prove what follows, five move the listener, its policies and the health check, one clears the old port.
    expect(writes(lab)).toHaveLength(8);

    lab.tasks = lab.tasks.slice(1);
    await cycles(lab, 3);
    expect(writes(lab)).toHaveLength(8);
    lab.tasks = [];
    await until(lab, () => lab.elb.balancer("web").instances.length === 0);
    expect(portOf(lab)).toBe(32_769);

    agent.kill("SIGTERM");
    expect(await agent.exit()).toEqual({ code: 0, signal: null });
  });

  it("of a host that is not registered: registers it last, with --once, and asks S3 for the exact key", async () => {
    await using lab = await balancerLab();
    lab.elb.add(web({ instances: [] }));
    lab.tasks = [taskOf(1, 40_000)];
    const agent = lab.agent("--once");
    expect(await agent.exit()).toEqual({ code: 0, signal: null });
    expect(lab.elb.balancer("web")).toEqual(switched(40_000));
    expect(writes(lab).at(-1)).toBe("RegisterInstancesWithLoadBalancer");
    const keys = lab.s3.requests.map(({ key }) => key);
    expect(new Set(keys)).toEqual(new Set(["files/configuration.json", "files/services.json"]));
    // What did not change is not sent again.
    expect(lab.s3.requests.slice(2).every(({ status }) => status === 304)).toBe(true);
  });

  it("with --dryRun print the steps as a difference, change nothing, and end with 3", async () => {
    await using lab = await balancerLab();
    lab.elb.add(web({ instances: [] }));
    const before = lab.elb.balancer("web");
    lab.tasks = [taskOf(1, 40_000)];
    const agent = lab.agent("--dryRun");
    expect(await agent.exit()).toEqual({ code: 3, signal: null });
    expect(agent.stdout).toContain("- listener 80/HTTP → 32768/HTTP");
    expect(agent.stdout).toContain("+ listener 80/HTTP → 40000/HTTP (web, policies stick kept");
    expect(agent.stdout).toContain(`+ instance ${INSTANCE}`);
    expect(lab.elb.balancer("web")).toEqual(before);
    expect(writes(lab)).toEqual([]);
  });
});

it("killed with SIGKILL at each moment from the delete to the policies: the next start has the listener as wanted, and nothing else is touched", async () => {
  await using lab = await balancerLab();
  lab.elb.add(web());
  lab.elb.add(web({ name: "other" }));
  const other = lab.elb.balancer("other");
  lab.tasks = [taskOf(1, 32_768)];
  const gaps: string[] = [];
  // Of a switch's requests, each with a moment before and one after its effect, the fourth is the delete.
  for (let at = 7; at < 11; at += 1) {
    const port = 40_000 + at;
    lab.tasks = [taskOf(at, port)];
    let moments = 0;
    const held = Promise.withResolvers<void>();
    const agent = lab.agent();
    lab.elb.gate(({ operation, phase }) => {
      if (operation.startsWith("Describe")) return undefined;
      moments += 1;
      if (moments !== at + 1) return undefined;
      agent.kill("SIGKILL");
      if (lab.elb.balancer("web").listeners.length === 0) gaps.push(`${phase} ${operation}`);
      held.resolve();
      // What it has sent by then it has sent; it will not hear the answer.
      return agent.exit().then(() => {});
    });
    await held.promise;
    expect(await agent.exit()).toEqual({ code: null, signal: "SIGKILL" });
    lab.elb.gate(undefined);
    const next = lab.agent();
    await next.until(({ message }) => message === "service web: as wanted");
    await until(lab, () => lab.elb.balancer("web").check.target === `HTTP:${port}/health`);
    next.kill("SIGTERM");
    expect(await next.exit()).toEqual({ code: 0, signal: null });
    expect({ at, ...lab.elb.balancer("web") }).toEqual({ at, ...switched(port) });
  }
  expect(gaps).toEqual(["after DeleteLoadBalancerListeners", "before CreateLoadBalancerListeners"]);
  expect(lab.elb.balancer("other")).toEqual(other);
});

describe("mode forward", () => {
  it("moves the listener to its port once, and then no client fails through replacements, each old task closing at the moment it stops", async () => {
    await using lab = await balancerLab();
    lab.elb.add(web({ backEnds: {}, healthCheck: { target: "TCP:32768" }, instances: [] }));
    const port = await freePort();
    lab.put(
      "services",
      JSON.stringify([
        {
          serviceName: "web",
          family: "web",
          exposedContainerName: "nginx",
          loadBalancerName: "web",
          mode: "forward",
          listenPort: port,
        },
      ]),
    );
    let old = await answering();
    lab.tasks = [taskOf(1, old.port)];
    const agent = lab.agent("--force");
    await until(lab, () => lab.elb.balancer("web").instances.length === 1);
    expect(lab.elb.balancer("web").listeners[0]?.instancePort).toBe(port);
    expect(lab.elb.balancer("web").check.target).toBe(`TCP:${port}`);
    const before = writes(lab).length;

    const client = clientOf(port);
    for (let n = 2; n < REPLACEMENTS + 2; n += 1) {
      const next = await answering();
      lab.tasks = [...lab.tasks, taskOf(n, next.port)];
      await client.until(() => next.taken() > 1);
      lab.tasks = lab.tasks.slice(1);
      await old.stop();
      old = next;
    }
    const { done, failed } = await client.stop();
    expect(failed).toEqual([]);
    expect(done).toBeGreaterThan(100);
    expect(writes(lab)).toHaveLength(before);
    process.stdout.write(
      `${done} connections, ${failed.length} failed, ${REPLACEMENTS} replacements\n`,
    );

    // No task answers: the port is closed, so that the health check sees it.
    await old.stop();
    await agent.until(({ message }) => message.startsWith(`no task answers behind port ${port}`));
    agent.kill("SIGTERM");
    expect(await agent.exit()).toEqual({ code: 0, signal: null });
  });
});

const REPLACEMENTS = Number(process.env["REPLACEMENTS"] ?? 3);
const PAUSE_MS = 5;

/** A new connection every few milliseconds, which must name the task that it reached. */
function clientOf(port: number) {
  const moved = changes();
  const failed: string[] = [];
  let done = 0;
  let open = 0;
  const ask = () => {
    open += 1;
    const socket = connect({ port, host: "127.0.0.1" });
    socket.setTimeout(5_000, () => socket.destroy(new Error("no answer in 5 s")));
    let answered = false;
    socket.once("data", () => {
      answered = true;
      socket.end();
    });
    socket.once("error", (error) => failed.push(String(error)));
    socket.once("close", () => {
      open -= 1;
      if (answered) done += 1;
      else if (failed.length < 100) failed.push("closed without an answer");
      moved.tell();
    });
  };
  const timer = setInterval(ask, PAUSE_MS);
  return {
    until: (look: () => boolean) => moved.until(look, () => `${done} done, ${failed.join("; ")}`),
    async stop() {
      clearInterval(timer);
      await moved.until(
        () => open === 0,
        () => `${open} open`,
      );
      return { done, failed };
    },
  };
}

/** A task that answers each connection and ends it. At its stop it closes its port at once, and what it took it ends. */
async function answering() {
  let taken = 0;
  const server = createServer((socket) => {
    taken += 1;
    socket.on("error", () => {});
    socket.end("a task\n");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    taken: () => taken,
    stop: () => new Promise((resolve) => server.close(resolve)),
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

it("with --onStop=deregister a stop takes the host out, waits for the draining, and ends with 0", async () => {
  await using lab = await balancerLab();
  lab.elb.add(web({ drainingSeconds: 2 }));
  lab.tasks = [taskOf(1, 32_768)];
  const agent = lab.agent("--onStop=deregister");
  await agent.until(({ message }) => message === "service web: as wanted");
  const stoppedAt = performance.now();
  agent.kill("SIGTERM");
  expect(await agent.exit()).toEqual({ code: 0, signal: null });
  expect(performance.now() - stoppedAt).toBeGreaterThan(1_900);
  expect(lab.elb.balancer("web").instances).toEqual([]);
  expect(lab.elb.requests.at(-1)?.operation).toBe("DescribeInstanceHealth");
});

it("with --onStop=deregister a stop takes only its own targets out of their group, waits for the draining, and ends with 0", async () => {
  await using lab = await balancerLab();
  const theirs = { id: INSTANCE, port: 9_000 };
  lab.elb.addGroup({ arn: GROUP, port: 80, delaySeconds: 1, targets: [theirs] });
  lab.put(
    "services",
    JSON.stringify([
      {
        serviceName: "web",
        family: "web",
        exposedContainerName: "nginx",
        mode: "targets",
        targetGroupArn: GROUP,
      },
    ]),
  );
  lab.tasks = [taskOf(1, 32_768), taskOf(2, 32_769)];
  const agent = lab.agent("--onStop=deregister");
  await agent.until(({ message }) => message === "service web: as wanted");
  expect(lab.elb.targets(GROUP)).toEqual([
    `${INSTANCE}:9000`,
    `${INSTANCE}:32769`,
    `${INSTANCE}:32768`,
  ]);
  agent.kill("SIGTERM");
  expect(await agent.exit()).toEqual({ code: 0, signal: null });
  // The last answer said that nothing of ours drains any more.
  expect(lab.elb.requests.at(-1)?.operation).toBe("DescribeTargetHealth");
  expect(lab.elb.targets(GROUP)).toEqual([`${INSTANCE}:9000`]);
});

it("a deploy is looked at when Docker tells of it, however long the sleep is", async () => {
  await using lab = await balancerLab();
  const docker = await dockerStandIn({ socketPath: `${lab.folder}/docker.sock` });
  try {
    lab.put("configuration", '{"cluster": "prod", "sleepTimeSeconds": 86400}');
    lab.elb.add(web());
    lab.tasks = [taskOf(1, 32_768)];
    const agent = lab.agent();
    await agent.until(({ message }) => message.startsWith("follows Docker's events"));
    await agent.until(({ message }) => message === "service web: as wanted");
    lab.tasks = [...lab.tasks, taskOf(2, 32_769)];
    docker.run({
      labels: {
        "com.amazonaws.ecs.task-arn": "arn:aws:ecs:eu-west-1:123456789012:task/prod/2",
        "com.amazonaws.ecs.container-name": "nginx",
      },
    });
    await until(lab, () => portOf(lab) === 32_769);
    agent.kill("SIGTERM");
    expect(await agent.exit()).toEqual({ code: 0, signal: null });
  } finally {
    await docker.close();
  }
});

it("two hosts on one Classic Load Balancer: rewrite leaves it to neither, and forward with one port serves both", async () => {
  await using lab = await balancerLab();
  const second = { id: "b0".repeat(16), ec2Id: "i-0000000000000000b" };
  const other = await metadataStandIn({ "instance-id": second.ec2Id, "local-ipv4": "127.0.0.1" });
  try {
    lab.elb.add(web({ backEnds: {}, instances: [INSTANCE, second.ec2Id] }));
    const here = await answering();
    const there = await answering();
    lab.tasks = [taskOf(1, here.port), taskOf(2, there.port, { instance: second.id })];
    const refused = lab.agent("--once");
    expect(await refused.exit()).toEqual({ code: 1, signal: null });
    expect(refused.stdout).toContain(`also has instance ${second.ec2Id}`);
    expect(writes(lab)).toEqual([]);

    const port = await freePort();
    const entry = { serviceName: "web", family: "web", exposedContainerName: "nginx" };
    const forward = { ...entry, loadBalancerName: "web", mode: "forward", listenPort: port };
    lab.put("services", JSON.stringify([forward]));
    const first = lab.agent("--force");
    lab.env["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = other.url;
    // It has a host, and so a folder and ports, of its own; on this one machine they share the port.
    const next = lab.agent("--force", `--stateDir=${lab.folder}/second`);
    for (const agent of [first, next]) {
      await agent.until(({ message }) => message === "service web: as wanted");
    }
    await until(lab, () => portOf(lab) === port);
    await until(lab, () => lab.elb.balancer("web").check.target === `HTTP:${port}/health`);
    const before = writes(lab).length;
    await cycles(lab, 4);
    expect(writes(lab)).toHaveLength(before);
    expect(lab.elb.balancer("web").instances).toEqual([INSTANCE, second.ec2Id]);
    for (const agent of [first, next]) {
      agent.kill("SIGTERM");
      expect(await agent.exit()).toEqual({ code: 0, signal: null });
    }
    await here.stop();
    await there.stop();
  } finally {
    await other.close();
  }
});

it("--json without --dryRun, and files of another form than s3:// and file://, end with 2 and the reason", async () => {
  await using lab = await balancerLab();
  const json = lab.agent("--json");
  const urls = lab.agent("--configurationUrl=https://a/b", "--servicesUrl=file://rel");
  expect(await json.exit()).toEqual({ code: 2, signal: null });
  expect(json.stdout).toContain("--json: expected --dryRun beside it");
  expect(await urls.exit()).toEqual({ code: 2, signal: null });
  const problems = await urls.stderr;
  for (const [flag, got] of [
    ["configurationUrl", "https://a/b"],
    ["servicesUrl", "file://rel"],
  ]) {
    expect(problems).toContain(`--${flag}: expected s3://bucket/key or file:///path, got "${got}"`);
  }
  expect(lab.calls()).toEqual([]);
});
