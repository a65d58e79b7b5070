import { describe, expect, it } from "@jest/globals";
import { balancerLab, ORIGINAL, taskOf } from "../support/balancer-lab.ts";
import { INSTANCE, web } from "../support/elb.ts";
import { changes } from "../support/wait.ts";

type Lab = Awaited<ReturnType<typeof balancerLab>>;

/** Waits until the load balancers are as wanted; looks at each request. */
async function until(lab: Lab, look: () => boolean): Promise<void> {
  const moved = changes();
  lab.elb.onRequest(() => setImmediate(() => moved.tell()));
  lab.ecs.onRequest(() => setImmediate(() => moved.tell()));
  await moved.until(
    () => look(),
    () => `${lab.calls().join("\n")}\n${lab.agents.map(({ stdout }) => stdout).join("\n")}`,
  );
}

const portOf = (lab: Lab, lbPort = 80, name = "web") =>
  lab.elb.balancer(name).listeners.find((one) => one.lbPort === lbPort)?.instancePort;

describe("the original's two files, unchanged", () => {
  it("a rolling deploy: switches while both tasks run, keeps policies and PROXY protocol, and leaves on its last task", async () => {
    await using lab = await balancerLab();
    lab.elb.add(web());
    lab.tasks = [taskOf(1, 32_768)];
    const agent = lab.agent();
    await agent.until(({ message }) => message === "service web: as wanted");
    expect(lab.elb.requests.filter(({ operation }) => !operation.startsWith("Describe"))).toEqual(
      [],
    );

    lab.tasks = [...lab.tasks, taskOf(2, 32_769)];
    await until(
      lab,
      () =>
        portOf(lab) === 32_769 &&
        lab.elb.balancer("web").check.target === "HTTP:32769/health" &&
        lab.elb.balancer("web").backEnds[32_768] === undefined,
    );
    // Both still run.
    expect(lab.tasks).toHaveLength(2);
    expect(lab.elb.balancer("web")).toEqual({
      listeners: [
        {
          lbPort: 80,
          protocol: "HTTP",
          instancePort: 32_769,
          instanceProtocol: "HTTP",
          policies: ["stick"],
        },
      ],
      backEnds: { 32769: ["proxy"] },
      check: { target: "HTTP:32769/health", interval: 30, timeout: 5, unhealthy: 2, healthy: 10 },
      instances: [INSTANCE],
    });

    // The old one goes: nothing changes. Then the new one: the host leaves.
    const before = lab.elb.requests.filter(
      ({ operation }) => !operation.startsWith("Describe"),
    ).length;
    lab.tasks = lab.tasks.slice(1);
    const seen = lab.calls().filter((call) => call === "ECS ListTasks").length;
    await until(
      lab,
      () => lab.calls().filter((call) => call === "ECS ListTasks").length > seen + 2,
    );
    expect(
      lab.elb.requests.filter(({ operation }) => !operation.startsWith("Describe")),
    ).toHaveLength(before);
    lab.tasks = [];
    await until(lab, () => lab.elb.balancer("web").instances.length === 0);
    expect(portOf(lab)).toBe(32_769);

    agent.kill("SIGTERM");
    expect(await agent.exit()).toEqual({ code: 0, signal: null });
  });

  it("registers a host that is not, last, and asks S3 for the exact key", async () => {
    await using lab = await balancerLab();
    lab.elb.add(web({ instances: [] }));
    lab.tasks = [taskOf(1, 40_000)];
    const agent = lab.agent("--once");
    expect(await agent.exit()).toEqual({ code: 0, signal: null });
    expect(lab.elb.balancer("web").instances).toEqual([INSTANCE]);
    expect(portOf(lab)).toBe(40_000);
    expect(
      lab.elb.requests.filter(({ operation }) => !operation.startsWith("Describe")).at(-1)
        ?.operation,
    ).toBe("RegisterInstancesWithLoadBalancer");
    expect(lab.s3.requests[0]).toEqual({
      operation: "GetObject",
      bucket: "statika",
      key: expect.stringMatching(/^files\//),
      status: 200,
    });
  });
});

describe("--dryRun", () => {
  it("prints the steps as a difference, changes nothing, and ends with 3", async () => {
    await using lab = await balancerLab();
    lab.elb.add(web({ instances: [] }));
    const before = lab.elb.balancer("web");
    lab.tasks = [taskOf(1, 40_000)];
    const agent = lab.agent("--dryRun");
    expect(await agent.exit()).toEqual({ code: 3, signal: null });
    expect(agent.stdout).toContain("load balancer web");
    expect(agent.stdout).toContain("- listener 80/HTTP → 32768/HTTP");
    expect(agent.stdout).toContain("+ listener 80/HTTP → 40000/HTTP");
    expect(agent.stdout).toContain(`+ instance ${INSTANCE}`);
    expect(lab.elb.balancer("web")).toEqual(before);
  });
});

it("an idle cycle of 20 services asks at most four questions and changes nothing, of 100 at most six", async () => {
  for (const [count, most] of [
    [20, 4],
    [100, 6],
  ] as const) {
    await using lab = await balancerLab();
    const names = Array.from({ length: count }, (_, n) => `web-${n}`);
    for (const [n, name] of names.entries()) {
      lab.elb.add(
        web({
          name,
          listeners: [{ lbPort: 80, protocol: "HTTP", instancePort: 40_000 + n }],
          backEnds: {},
          healthCheck: { target: `HTTP:${40_000 + n}/` },
        }),
      );
    }
    lab.tasks = names.map((family, n) => taskOf(n + 1, 40_000 + n, { family }));
    lab.put(
      "services",
      JSON.stringify(
        names.map((name) => ({
          serviceName: name,
          family: name,
          exposedContainerName: "nginx",
          loadBalancerName: name,
        })),
      ),
    );
    const agent = lab.agent();
    await agent.until(({ message }) => message === `service ${names.at(-1)}: as wanted`);
    /** How many questions each cycle asked; a cycle begins with the list of tasks. */
    const cycles: number[] = [];
    lab.ecs.onRequest(({ operation }) => {
      if (operation === "ListTasks") cycles.push(0);
    });
    const total = () => lab.calls().length;
    const from = total();
    await until(lab, () => cycles.length >= 7);
    const cost = (total() - from) / 6;
    expect({
      count,
      cost,
      writes: lab.elb.requests.filter(({ operation }) => !operation.startsWith("Describe")).length,
    }).toEqual({
      count,
      cost: expect.any(Number),
      writes: 0,
    });
    expect(cost).toBeLessThanOrEqual(most + 0.7);
    process.stdout.write(`${count} services: ${cost} calls a cycle\n`);
  }
});
void ORIGINAL;
