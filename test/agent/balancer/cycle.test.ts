import { describe, expect, it, test } from "@jest/globals";
import { dryRunReport } from "../../../agent/balancer/show/report.ts";
import { balancerWorld, GROUP, hostTask, Killed } from "../../support/balancer-world.ts";
import { INSTANCE, web } from "../../support/elb.ts";

const entry = (family: string, over: object = {}) => ({
  serviceName: family,
  family,
  exposedContainerName: "app",
  loadBalancerName: family,
  ...over,
});
const plain = (name: string, port: number) =>
  web({
    name,
    listeners: [{ lbPort: 80, protocol: "HTTP", instancePort: port }],
    backEnds: {},
    healthCheck: { target: `HTTP:${port}/` },
  });
const isWrite = (call: string) => !/^(?:Describe|List|Get)/.test(call);

test.each([
  [1, 4],
  [20, 4],
  [100, 6],
])(
  "an idle cycle of %i services changes nothing and asks at most %i questions",
  async (count, most) => {
    const names = Array.from({ length: count }, (_, n) => `s-${n}`);
    const world = await balancerWorld({
      services: names.map((name) => entry(name)),
      balancers: names.map((name, n) => plain(name, 33_000 + 2 * n)),
    });
    world.outside.tasks = names.map((name, n) =>
      hostTask(name, 33_000 + 2 * n, { health: "HEALTHY" }),
    );
    // The host's other tasks, the balancer itself among them.
    for (let n = 0; n < 20; n += 1) world.outside.tasks.push(hostTask("other", 50_000 + 2 * n));
    const first = await world.cycle();
    expect([...first.standings.values()].map(({ mark }) => mark)).toEqual(names.map(() => "good"));
    await world.cycle();
    for (let turn = 0; turn < 6; turn += 1) {
      world.calls.length = 0;
      await world.cycle();
      expect(world.calls.filter(isWrite)).toEqual([]);
      expect({ turn, calls: world.calls.length <= most ? "few" : world.calls }).toEqual({
        turn,
        calls: "few",
      });
    }
  },
);

describe("what is in the way of one service", () => {
  it("shows with its reason, and the others go on", async () => {
    const world = await balancerWorld({
      services: JSON.stringify([
        entry("gone"),
        { serviceName: "broken", family: 1 },
        entry("pending"),
        entry("ill"),
        entry("unbound"),
        entry("fine"),
      ]),
      balancers: ["pending", "ill", "unbound", "fine"].map((name) => plain(name, 33_000)),
    });
    world.outside.tasks = [
      hostTask("gone", 40_000),
      hostTask("pending", 40_002, { lastStatus: "PENDING" }),
      hostTask("ill", 40_004, { health: "UNHEALTHY" }),
      hostTask("unbound", 40_006, {
        containers: [{ name: "app", lastStatus: "RUNNING", health: "UNKNOWN", bindings: [] }],
      }),
      hostTask("fine", 40_008),
    ];
    const result = await world.cycle();
    expect(world.standing(result, "gone")).toContain(
      "there is no Classic Load Balancer gone in eu-west-1",
    );
    expect(world.standing(result, "pending")).toContain("PENDING");
    expect(world.standing(result, "ill")).toContain("UNHEALTHY");
    expect(world.standing(result, "unbound")).toContain("no TCP port bound");
    expect(world.standing(result, "fine")).toBe("as wanted");
    expect(result.files.broken.map(({ name }) => name)).toEqual(["broken"]);
    expect(world.elb.plain("fine").listeners[0]?.instancePort).toBe(40_008);
    for (const name of ["pending", "ill", "unbound"]) {
      expect(world.elb.plain(name).listeners[0]?.instancePort).toBe(33_000);
      expect(world.elb.plain(name).instances).toEqual([INSTANCE]);
    }
    expect(world.log.join("\n")).toMatch(
      /warn s3:\/\/bkt\/services: line 1, \[1\]\.family: expected the family/,
    );
    // A name that is of no load balancer is not asked for each time.
    world.calls.length = 0;
    await world.cycle();
    await world.cycle();
    expect(
      world.calls.filter((call) => call === "DescribeLoadBalancers").length,
    ).toBeLessThanOrEqual(2);
  });

  it("is two hosts on one load balancer: rewrite is refused, forward would not be", async () => {
    const world = await balancerWorld({
      services: [entry("web")],
      balancers: [{ ...plain("web", 33_000), instances: [INSTANCE, "i-00000000000000001"] }],
    });
    world.outside.tasks = [hostTask("web", 40_000)];
    const result = await world.cycle();
    expect(world.standing(result, "web")).toContain("one health check and one instance port");
    expect(world.calls.filter(isWrite)).toEqual([]);
  });
});

it("more than 100 tasks are read to the last page", async () => {
  const world = await balancerWorld({
    services: [entry("web")],
    balancers: [plain("web", 33_000)],
  });
  world.outside.tasks = [
    ...Array.from({ length: 120 }, () => hostTask("other", 41_000)),
    hostTask("web", 40_000),
  ];
  await world.cycle();
  expect(world.elb.plain("web").listeners[0]?.instancePort).toBe(40_000);
});

describe("a host without a task", () => {
  it("is deregistered when two looks have said so, and the other service of the load balancer has none either", async () => {
    const world = await balancerWorld({
      services: [
        entry("a", { loadBalancerName: "lb", ports: [{ lbPort: 80, containerPort: 80 }] }),
        entry("b", { loadBalancerName: "lb", ports: [{ lbPort: 81, containerPort: 81 }] }),
      ],
      balancers: [
        web({
          name: "lb",
          listeners: [
            { lbPort: 80, protocol: "TCP", instancePort: 1 },
            { lbPort: 81, protocol: "TCP", instancePort: 2 },
          ],
          backEnds: {},
        }),
      ],
    });
    world.outside.tasks = [hostTask("a", 40_000), hostTask("b", 42_000)];
    await world.cycle();
    expect(world.elb.plain("lb").listeners.map((one) => one.instancePort)).toEqual([
      40_000, 42_001,
    ]);
    world.outside.tasks = world.outside.tasks.slice(1);
    for (let times = 0; times < 3; times += 1) await world.cycle();
    expect(world.elb.plain("lb").instances).toEqual([INSTANCE]);
    world.outside.tasks = [];
    await world.cycle();
    expect(world.elb.plain("lb").instances).toEqual([INSTANCE]);
    await world.cycle();
    expect(world.elb.plain("lb").instances).toEqual([]);
    expect(world.elb.plain("lb").listeners.map((one) => one.instancePort)).toEqual([
      40_000, 42_001,
    ]);
  });

  it("stays registered while ECS does not answer", async () => {
    const world = await balancerWorld({
      services: [entry("web")],
      balancers: [plain("web", 40_000)],
    });
    world.outside.tasks = [hostTask("web", 40_000)];
    await world.cycle();
    world.outside.tasks = [];
    world.outside.ecsFails = true;
    for (let times = 0; times < 4; times += 1) {
      expect((await world.cycle()).problems).toEqual([
        expect.stringContaining("ECS did not answer"),
      ]);
    }
    expect(world.elb.plain("web").instances).toEqual([INSTANCE]);
  });
});

describe("a services file", () => {
  it("that can't be read any more keeps what it said last, and says where it is wrong", async () => {
    const world = await balancerWorld({
      services: [entry("web")],
      balancers: [plain("web", 40_000)],
    });
    world.outside.tasks = [hostTask("web", 40_000)];
    await world.cycle();
    world.outside.services.text = '[\n {"family": }\n]';
    const result = await world.cycle();
    expect(result.files.problems).toEqual([
      {
        why: 's3://bkt/services: line 2, column 13: expected a value, got "}"',
        isKept: true,
      },
    ]);
    expect(world.standing(result, "web")).toBe("as wanted");
    world.outside.tasks.push(hostTask("web", 40_100));
    await world.cycle();
    expect(world.elb.plain("web").listeners[0]?.instancePort).toBe(40_100);
    world.outside.services.fails = true;
    expect(world.standing(await world.cycle(), "web")).toBe("as wanted");
  });

  it("whose entry breaks keeps that service as it was", async () => {
    const world = await balancerWorld({
      services: [entry("a"), entry("b")],
      balancers: [plain("a", 1), plain("b", 2)],
    });
    world.outside.tasks = [hostTask("a", 40_000), hostTask("b", 42_000)];
    await world.cycle();
    world.outside.services.text = JSON.stringify([
      entry("a"),
      { ...entry("b"), loadBalancerName: 7 },
    ]);
    world.outside.tasks.push(hostTask("b", 42_100));
    const result = await world.cycle();
    expect(result.files.broken).toHaveLength(1);
    expect(world.elb.plain("b").listeners[0]?.instancePort).toBe(42_100);
    expect(world.elb.plain("b").instances).toEqual([INSTANCE]);
  });
});

it("a dry run says of each service whether its load balancer would be changed", async () => {
  const world = await balancerWorld({
    services: [entry("moves"), entry("stays")],
    balancers: [plain("moves", 33_000), plain("stays", 40_100)],
    flagsGiven: ["--dryRun"],
  });
  world.outside.tasks = [hostTask("moves", 40_000), hostTask("stays", 40_100)];
  const { services } = dryRunReport(await world.cycle(), INSTANCE);
  expect(services.map(({ service, mark, text }) => [service, mark, text])).toEqual([
    ["moves", "wait", "load balancer moves would be changed"],
    ["stays", "good", "as wanted"],
  ]);
});

it("a dry run shows what a killed process has left: a listener to bring back, a target to take out; and changes nothing", async () => {
  const target = { ...entry("t"), loadBalancerName: undefined, mode: "targets" };
  const world = await balancerWorld({
    services: [entry("web"), { ...target, targetGroupArn: GROUP }],
    balancers: [plain("web", 33_000)],
    groups: [{ arn: GROUP, port: 80 }],
  });
  world.outside.tasks = [hostTask("web", 33_000), hostTask("t", 50_000)];
  await world.cycle();
  world.outside.tasks = [hostTask("web", 40_000)];
  world.faults((name) => (name === "DeleteLoadBalancerListeners" ? "killed after" : "none"));
  await expect(world.cycle()).rejects.toThrow(Killed);
  world.faults(() => "none");
  expect(world.elb.plain("web").listeners).toEqual([]);
  const { disk } = world.outside;

  await world.restart({ dryRun: true });
  await world.cycle();
  const report = dryRunReport(await world.cycle(), INSTANCE);
  expect(report.changes).toBe(true);
  expect(report.loadBalancers).toEqual([
    {
      name: "web",
      diff: [
        "+ listener 80/HTTP → 40000/HTTP (web, a move that was not at its end)",
        expect.stringMatching(/^- health check HTTP:33000/),
        expect.stringMatching(/^\+ health check HTTP:40000/),
      ],
      calls: [
        "CreateLoadBalancerListeners web listener 80/HTTP → 40000/HTTP",
        expect.stringMatching(/^ConfigureHealthCheck web HTTP:40000/),
      ],
    },
  ]);
  expect(report.targetGroups).toEqual([{ arn: GROUP, diff: [`- target ${INSTANCE}:50000`] }]);
  expect(report.services.map(({ mark }) => mark)).toEqual(["wait", "wait"]);
  expect(world.elb.plain("web").listeners).toEqual([]);
  expect(world.targets(GROUP)).toEqual([`${INSTANCE}:50000`]);
  expect(world.outside.disk).toBe(disk);
});

it("a file that was never read has said nothing that could still count", async () => {
  const world = await balancerWorld({ services: "[" });
  await world.cycle();
  expect(world.log.filter((line) => line.includes("s3://bkt/services"))).toEqual([
    expect.stringMatching(/^warn s3:\/\/bkt\/services: line 1, .* got the end of the text$/),
  ]);
  world.outside.services.text = "[]";
  await world.cycle();
  world.outside.services.text = "{}";
  await world.cycle();
  expect(world.log.at(-1)).toMatch(/got an object; what it said last still counts$/);
});

it("a service that was refused rests for 30 s, and is tried again then", async () => {
  const world = await balancerWorld({
    services: [entry("web")],
    balancers: [plain("web", 33_000)],
  });
  world.outside.tasks = [hostTask("web", 40_000)];
  // A certificate that is gone: the listener can't be made anew as it is, which the proof finds before the delete.
  const state = world.elb.rules.classic.balancers.get("web");
  const listener = state?.listeners.get(80);
  if (listener === undefined) throw new Error("no listener");
  listener.listener = { ...listener.listener, protocol: "HTTPS", certificate: "arn:missing" };
  const result = await world.cycle();
  expect(world.standing(result, "web")).toContain(
    "is left as it is: CreateLoadBalancerListeners web",
  );
  const tries = () => world.calls.filter((call) => call === "CreateLoadBalancerListeners").length;
  const after = tries();
  await world.cycle();
  await world.cycle();
  expect(tries()).toBe(after);
  await world.clock.pass(world.clock.now() + 31_000);
  listener.listener = { ...listener.listener, certificate: "arn:there" };
  await world.cycle();
  expect(world.elb.plain("web").listeners[0]).toMatchObject({
    instancePort: 40_000,
    certificate: "arn:there",
  });
});

describe("mode targets", () => {
  const services = [
    {
      serviceName: "t",
      family: "t",
      exposedContainerName: "app",
      mode: "targets",
      targetGroupArn: GROUP,
    },
  ];

  it("registers each task by its port, drains what goes, and touches nobody else's targets, over a restart", async () => {
    const world = await balancerWorld({
      services,
      groups: [
        {
          arn: GROUP,
          port: 80,
          targets: [
            { id: INSTANCE, port: 9_000 },
            { id: "i-00000000000000001", port: 40_000 },
          ],
        },
      ],
    });
    world.outside.tasks = [hostTask("t", 40_000)];
    await world.cycle();
    world.outside.tasks.push(hostTask("t", 40_100));
    await world.cycle();
    const others = [`${INSTANCE}:9000`, "i-00000000000000001:40000"];
    expect(world.targets(GROUP)).toEqual([...others, `${INSTANCE}:40000`, `${INSTANCE}:40100`]);
    await world.restart();
    world.outside.tasks = world.outside.tasks.slice(1);
    await world.cycle();
    expect(world.targets(GROUP)).toEqual([
      ...others,
      `${INSTANCE}:40000 draining`,
      `${INSTANCE}:40100`,
    ]);
    // One look at nothing is none; after two, the last one goes, and nobody else's.
    world.outside.tasks = [];
    await world.cycle();
    expect(world.targets(GROUP)).toContain(`${INSTANCE}:40100`);
    await world.cycle();
    expect(world.targets(GROUP)).toEqual([
      ...others,
      `${INSTANCE}:40000 draining`,
      `${INSTANCE}:40100 draining`,
    ]);
  });

  it("leaves alone what ECS has registered, also when its task is gone", async () => {
    const world = await balancerWorld({
      services,
      groups: [{ arn: GROUP, port: 80, targets: [{ id: INSTANCE, port: 40_000 }] }],
    });
    world.outside.tasks = [hostTask("t", 40_000)];
    await world.cycle();
    world.outside.tasks = [];
    for (let times = 0; times < 4; times += 1) await world.cycle();
    expect(world.calls.filter(isWrite)).toEqual([]);
    expect(world.targets(GROUP)).toEqual([`${INSTANCE}:40000`]);
  });

  it("takes a task's own address where the group is one of addresses", async () => {
    const world = await balancerWorld({
      services: services.map((one) => ({ ...one, ports: [{ containerPort: 80 }] })),
      groups: [{ arn: GROUP, port: 80, targetType: "ip" }],
    });
    world.outside.tasks = [
      hostTask("t", 40_000, { network: { ipv4: "10.0.9.9" } }),
      hostTask("t", 40_100),
    ];
    await world.cycle();
    expect([...world.targets(GROUP)].toSorted()).toEqual(["10.0.0.1:40100", "10.0.9.9:80"]);
  });

  it("says when the group is not there", async () => {
    const world = await balancerWorld({ services });
    world.outside.tasks = [hostTask("t", 40_000)];
    expect(world.standing(await world.cycle(), "t")).toContain("TargetGroupNotFound");
  });
});

describe("mode forward", () => {
  it("refuses a port that Docker or the kernel may give away, unless forced", async () => {
    const services = [entry("web", { mode: "forward", listenPort: 40_000 })];
    const world = await balancerWorld({ services, balancers: [plain("web", 33_000)] });
    world.outside.tasks = [hostTask("web", 50_000)];
    expect(world.standing(await world.cycle(), "web")).toContain("port 40000 lies within");
    const forced = await balancerWorld({
      services,
      balancers: [plain("web", 33_000)],
      flagsGiven: ["--force"],
    });
    forced.outside.tasks = [hostTask("web", 50_000)];
    expect(forced.standing(await forced.cycle(), "web")).toBe("no task has answered yet");
  });

  it("moves no listener before its port listens, and in a dry run shows the move", async () => {
    const services = [entry("web", { mode: "forward", listenPort: 8_080 })];
    const world = await balancerWorld({ services, balancers: [plain("web", 33_000)] });
    world.outside.tasks = [hostTask("web", 50_000)];
    await world.cycle();
    expect(world.calls.filter(isWrite)).toEqual([]);
    const dry = await balancerWorld({
      services,
      balancers: [plain("web", 33_000)],
      flagsGiven: ["--dryRun"],
    });
    dry.outside.tasks = [hostTask("web", 50_000)];
    const { plans } = await dry.cycle();
    expect(plans[0]?.moves[0]?.toPort).toBe(8_080);
    expect(dry.calls.filter(isWrite)).toEqual([]);
  });
});
