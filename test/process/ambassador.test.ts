import { once } from "node:events";
import { createServer } from "node:net";
import { describe, expect, it, test } from "@jest/globals";
import { dnsServer } from "../../lib/standins/dns/server.ts";
import { ec2Denied, fleetDenied, fleetThrottled } from "../../lib/standins/ecs/service-api.ts";
import { startAgent } from "../support/agent-process.ts";
import { absencesOf, ambassadorLab, rowsOf } from "../support/ambassador.ts";
import { bridgeTask, fleet, HOST, someId } from "../support/fleet.ts";
import { client, refusingPort, silentPort, task } from "../support/tcp-peers.ts";

/** Who answers at the port, or how the connection ended. */
async function who(port: number, host = "127.0.0.1"): Promise<string> {
  const one = client(port, host);
  const name = await one.line();
  one.socket.destroy();
  return name ?? (await one.ended);
}

describe("the flags", () => {
  const run = async (...flags: readonly string[]) => {
    const agent = startAgent(flags, { AWS_ENDPOINT_URL_ROUTE_53: "http://127.0.0.1:9" });
    return { exit: await agent.exit(), stderr: await agent.stderr };
  };

  test.each([
    [["ambassador"], ["exactly one of --family", "got none", "--name: expected"]],
    [["kite", "-name=web", "-family=web", "-service=shop"], ["got --family and --service"]],
    [["ambassador", "--dns=web.example.internal"], ["--ports: expected the ports to serve"]],
    [
      ["ambassador", "--name=web", "--service=shop", "--ports=80,80", "--family=web:0"],
      ["--ports: expected ports", "--family: expected a family"],
    ],
    [
      ["ambassador", "--name=web", "--service=s", "--dataPlane=kernel", "--proxyProtocol"],
      ["--dataPlane=kernel: expected without --proxyProtocol"],
    ],
  ])("%j is a mistake, and all that is wrong is said", async (flags, problems) => {
    const { exit, stderr } = await run(...flags);
    expect(exit.code).toBe(2);
    for (const problem of problems) expect(stderr).toContain(problem);
  });

  it("may be spelled as the original's", async () => {
    await using a = await task("a");
    const port = await refusingPort();
    const state = fleet([bridgeTask({ [port]: a.port })], {
      instances: [{ ...HOST, privateIp: "127.0.0.9", publicIp: "127.0.0.1" }],
    });
    await using lab = await ambassadorLab(state, ["-family", "web", "-public", "-loglevel=info"]);
    await lab.agent.until(({ message }) => message === "listens");
    expect(await who(port)).toBe("a");
  });
});

describe("ports", () => {
  it("appear and go with the tasks, are refused when there is none, and are served again", async () => {
    await using a = await task("a");
    await using b = await task("b");
    const [one, two] = [await refusingPort(), await refusingPort()];
    const first = bridgeTask({ [one]: a.port });
    await using lab = await ambassadorLab(fleet([first]));
    await lab.polls(3);
    // Two requests a look, once the host is known.
    expect(lab.api.requests.slice(0, 6).map(({ operation }) => operation)).toEqual([
      "ListTasks",
      "DescribeTasks",
      "DescribeContainerInstances",
      "DescribeInstances",
      "ListTasks",
      "DescribeTasks",
    ]);
    expect(await who(one)).toBe("a");
    expect(await who(one, "::1")).toBe("a");
    expect(await who(two)).toBe("ECONNREFUSED");
    const second = bridgeTask({ [one]: b.port, [two]: b.port });
    lab.tell(fleet([first, second]));
    await lab.agent.until(({ message, port }) => message === "listens" && port === two);
    expect(await who(two)).toBe("b");
    lab.tell(fleet([]));
    await lab.agent.until(({ message, port }) => message.startsWith("listens no") && port === one);
    expect(await who(one)).toBe("ECONNREFUSED");
    expect((await lab.health()).ok).toBe(true);
    lab.tell(fleet([second]));
    await lab.until((state) => rowsOf(state).filter((row) => row.includes("serves")).length === 2);
    expect(await who(one)).toBe("b");
    lab.agent.kill("SIGTERM");
    expect(await lab.agent.exit()).toEqual({ code: 0, signal: null });
  });

  it("in use by somebody else are told and tried again, and the others are served", async () => {
    await using a = await task("a");
    const owner = createServer().listen(0);
    await once(owner, "listening");
    const { port: taken } = owner.address() as { port: number };
    const free = await refusingPort();
    await using lab = await ambassadorLab(fleet([bridgeTask({ [taken]: a.port, [free]: a.port })]));
    await lab.agent.until(({ message, port }) => message === "listens" && port === free);
    const { cause } = await lab.agent.until(
      ({ message, port }) => message.startsWith("can't listen") && port === taken,
    );
    expect(cause).toBe("somebody else listens on this port");
    expect(await who(free)).toBe("a");
    const state = await lab.state();
    expect(state.needsYou.map(({ what }) => what)).toEqual([`Port ${taken} can't be served`]);
    expect(state.health.ok).toBe(true);
    owner.close();
    await once(owner, "close");
    await lab.agent.until(({ message, port }) => message === "listens" && port === taken);
    expect(await who(taken)).toBe("a");
    const said = lab.agent.log.filter(({ message }) => message.startsWith("can't listen"));
    expect(said).toHaveLength(1);
  });

  it("may be limited and put elsewhere by --ports; one that no task has is red", async () => {
    await using a = await task("a");
    const [here, none] = [await refusingPort(), await refusingPort()];
    await using lab = await ambassadorLab(fleet([bridgeTask({ 80: a.port, 81: a.port })]), [
      "--service=shop",
      `--ports=${here}:80,${none}:82`,
    ]);
    await lab.agent.until(({ message }) => message === "listens");
    expect(await who(here)).toBe("a");
    expect(await who(none)).toBe("ECONNREFUSED");
    expect(await lab.health()).toEqual({ ok: false, problems: [`port ${none} has no task`] });
    expect(absencesOf(await lab.state())).toEqual([
      "no-task: no task that may be used has port 82",
    ]);
  });
});

describe("tasks", () => {
  it("of each kind of network are found, over all pages, and who can't be used has a reason", async () => {
    const servers = await Promise.all(
      ["bridge", "fargate", "host", "range"].map((name) => task(name)),
    );
    const [bridge, fargate, host, range] = servers as [
      (typeof servers)[0],
      (typeof servers)[0],
      (typeof servers)[0],
      (typeof servers)[0],
    ];
    const port = (name: number) => servers[name]?.port ?? 0;
    const web = { name: "web" };
    const listen = await refusingPort();
    const others = Array.from({ length: 210 }, () =>
      bridgeTask({ 9: 9 }, { containers: [{ name: "sidecar" }] }),
    );
    const tasks = [
      bridgeTask({ [listen]: bridge.port }),
      ...others,
      // Its network interface has the task's own address; its port is the task definition's.
      {
        id: someId(),
        family: "fargate",
        service: "shop",
        containers: [web],
        eni: { id: "eni-1", ipv4: "127.0.0.1" },
      },
      { id: someId(), family: "host", service: "shop", instance: HOST.id, containers: [web] },
      bridgeTask(
        {},
        {
          containers: [
            {
              ...web,
              networkBindings: [
                {
                  containerPortRange: `${range.port}-${range.port}`,
                  hostPortRange: `${range.port}-${range.port}`,
                  protocol: "tcp",
                },
              ],
            },
          ],
        },
      ),
      bridgeTask({ [listen]: 1 }, { lastStatus: "PENDING" }),
      bridgeTask({ [listen]: 1 }, { lastStatus: "DEACTIVATING" }),
      bridgeTask({ [listen]: 1 }, { healthStatus: "UNHEALTHY" }),
      bridgeTask({ [listen]: 1 }, { garbage: { containers: "none" } }),
      bridgeTask({ [listen]: 1 }, { instance: "ee".repeat(16) }),
    ];
    await using lab = await ambassadorLab(
      fleet(
        tasks,
        { instances: [HOST, { id: "ee".repeat(16), ec2Id: "mi-0123456789abcdef0" }] },
        {
          definitions: [
            {
              family: "fargate",
              networkMode: "awsvpc",
              containers: [{ ...web, portMappings: [{ containerPort: fargate.port }] }],
            },
            {
              family: "host",
              networkMode: "host",
              containers: [{ ...web, portMappings: [{ containerPort: host.port }] }],
            },
          ],
        },
      ),
      [
        "--service=shop",
        `--ports=${listen},${await refusingPort()}:${port(1)},${await refusingPort()}:${port(2)},${await refusingPort()}:${port(3)}`,
      ],
    );
    const state = await lab.until(
      (now) => rowsOf(now).filter((row) => row.endsWith("serves")).length === 4,
    );
    const answers = await Promise.all(
      rowsOf(state).map((row) => who(Number(/^\d+/.exec(row)?.[0]))),
    );
    expect(answers.toSorted()).toEqual(["bridge", "fargate", "host", "range"]);
    const reasons = absencesOf(state);
    expect(
      reasons.filter((one) => one === "no-container: its containers are sidecar"),
    ).toHaveLength(210);
    expect(reasons.filter((one) => !one.startsWith("no-container")).toSorted()).toEqual([
      expect.stringContaining("garbage: ECS described it strangely: containers"),
      expect.stringContaining("no-address: its container instance has no such address"),
      "starting: its status is PENDING",
      "stopping: it is to stop: what is open stays, nothing new comes",
      "unhealthy: ECS calls it UNHEALTHY",
    ]);
    // From the second look on nothing is asked twice but who is there: three pages, three times a hundred tasks.
    await lab.polls(3);
    const before = lab.api.requests.length;
    await lab.polls(3);
    const asked = lab.api.requests.slice(before).map(({ operation }) => operation);
    expect(new Set(asked)).toEqual(new Set(["ListTasks", "DescribeTasks"]));
    await Promise.all(servers.map((one) => one[Symbol.asyncDispose]()));
  });

  it("of another revision get nothing", async () => {
    await using a = await task("six");
    await using b = await task("seven");
    const port = await refusingPort();
    const tasks = [
      bridgeTask({ [port]: a.port }, { revision: 6 }),
      bridgeTask({ [port]: b.port }, { revision: 7 }),
    ];
    await using lab = await ambassadorLab(fleet(tasks), ["--family=web:7"]);
    await lab.agent.until(({ message }) => message === "listens");
    for (let count = 0; count < 5; count += 1) expect(await who(port)).toBe("seven");
    expect(absencesOf(await lab.state())).toEqual(["other-revision: it is of revision 6"]);
  });

  it("that stop get nothing new, and keep what is open until it ends", async () => {
    await using a = await task("a");
    await using b = await task("b");
    const port = await refusingPort();
    const [first, second] = [bridgeTask({ [port]: a.port }), bridgeTask({ [port]: b.port })];
    await using lab = await ambassadorLab(fleet([first]));
    await lab.agent.until(({ message }) => message === "listens");
    const old = client(port);
    expect(await old.line()).toBe("a");
    lab.tell(fleet([{ ...first, desiredStatus: "STOPPED" }, second]));
    await lab.until((state) => rowsOf(state).some((row) => row.includes("leaves")));
    for (let count = 0; count < 5; count += 1) expect(await who(port)).toBe("b");
    old.socket.write("still there?\n");
    await once(old.socket, "data");
    expect(old.received).toBe("a\nstill there?\n");
    old.socket.destroy();
  });

  it("one of three that refuses, or is silent, costs no client its connection and none more than 300 ms", async () => {
    await using silent = await silentPort();
    await using a = await task("a");
    await using b = await task("b");
    const port = await refusingPort();
    const tasks = [silent.port, await refusingPort(), a.port, b.port].map((at) =>
      bridgeTask({ [port]: at }),
    );
    await using lab = await ambassadorLab(fleet(tasks));
    await lab.agent.until(({ message }) => message === "listens");
    const times: number[] = [];
    for (let count = 0; count < 60; count += 1) {
      const startMs = performance.now();
      expect(["a", "b"]).toContain(await who(port));
      times.push(performance.now() - startMs);
    }
    // The promise is 300 ms on an idle machine; this one may be busy.
    expect(Math.max(...times)).toBeLessThan(1_000);
    const { figures } = await lab.state();
    expect(figures.find(({ label }) => label === "Lost")?.value).toBe(0);
    expect(figures.find(({ label }) => label === "Rescued")?.value).toBeGreaterThan(0);
  });

  it("are replaced under 500 connects a second, and none fails", async () => {
    const port = await refusingPort();
    const old = await Promise.all(["a", "b", "c"].map((name) => task(name)));
    let tasks = old.map((one) => bridgeTask({ [port]: one.port }));
    await using lab = await ambassadorLab(fleet(tasks));
    await lab.agent.until(({ message }) => message === "listens");
    const answers: Promise<string>[] = [];
    const beat = setInterval(() => {
      for (let count = 0; count < 5; count += 1) answers.push(who(port));
    }, 10);
    const fresh = [];
    for (const gone of old) {
      const next = await task(`new ${gone.name}`);
      fresh.push(next);
      tasks = [...tasks.slice(1), bridgeTask({ [port]: next.port })];
      lab.tell(fleet(tasks));
      await lab.polls(2);
      await gone.die();
    }
    clearInterval(beat);
    const all = await Promise.all(answers);
    expect(all.length).toBeGreaterThan(500);
    const known = [...old, ...fresh].map(({ name }) => name);
    expect(all.filter((name) => !known.includes(name))).toEqual([]);
    await Promise.all(fresh.map((one) => one.die()));
  });
});

describe("an API that fails", () => {
  it("changes nothing: who was read last is served, it is told once, and the page shows the age", async () => {
    await using a = await task("a");
    await using b = await task("b");
    const port = await refusingPort();
    await using lab = await ambassadorLab(fleet([bridgeTask({ [port]: a.port })]));
    await lab.agent.until(({ message }) => message === "listens");
    lab.api.fail({ error: fleetThrottled });
    await lab.agent.until(({ message }) => message.startsWith("the tasks can't be read"));
    expect(await who(port)).toBe("a");
    const warned = lab.agent.log.filter(
      ({ level, message }) => level === "warn" && message.startsWith("the tasks can't"),
    );
    expect(warned).toHaveLength(1);
    expect(warned[0]?.["cause"]).toContain("ThrottlingException");
    const state = await lab.state();
    expect(state.health.ok).toBe(true);
    expect(state.needsYou.map(({ what }) => what)).toEqual(["The tasks can't be read"]);
    lab.api.clearFaults();
    lab.tell(fleet([bridgeTask({ [port]: b.port })]));
    await lab.agent.until(({ message }) => message === "the tasks can be read again");
    expect(await who(port)).toBe("b");
  });

  it("in whatever way never ends it once something was read", async () => {
    await using a = await task("a");
    const port = await refusingPort();
    await using lab = await ambassadorLab(fleet([bridgeTask({ [port]: a.port })]));
    await lab.agent.until(({ message }) => message === "listens");
    const unknown = {
      status: 400,
      code: "ClusterNotFoundException",
      message: "Cluster not found.",
    };
    const faults = [
      { body: "<html>502 Bad Gateway</html>" },
      { body: "{}" },
      { error: fleetDenied("ListTasks") },
      { error: unknown },
      { error: { status: 500, code: "ServerException", message: "Internal." } },
    ];
    for (const fault of faults) lab.api.fail({ ...fault, operation: "ListTasks", times: 1 });
    const missed = () =>
      lab.agent.log.filter(({ message }) => message.startsWith("the tasks can't be read"));
    await lab.agent.until(() => missed().length >= 4);
    expect(await who(port)).toBe("a");
    await lab.agent.until(({ message }) => message === "the tasks can be read again");
    const told = missed().map(({ cause }) => String(cause));
    for (const text of ["allow ecs:ListTasks", 'knows no cluster "default"', "502 Bad Gateway"]) {
      expect(told.some((one) => one.includes(text))).toBe(true);
    }
  });

  it("by denying a permission at the start ends it with the action to allow", async () => {
    const denials = [
      ["ecs", "ListTasks"],
      ["ecs", "DescribeTasks"],
      ["ecs", "DescribeContainerInstances"],
      ["ec2", "DescribeInstances"],
    ] as const;
    await Promise.all(
      denials.map(async ([service, operation]) => {
        const error = service === "ec2" ? ec2Denied : fleetDenied(operation);
        await using lab = await ambassadorLab(fleet([bridgeTask({ 80: 80 })]), undefined, {
          prepare: (api) => api.fail({ operation, error }),
        });
        expect(await lab.agent.exit()).toEqual({ code: 1, signal: null });
        expect(lab.agent.stdout).toContain(`allow ${service}:${operation} in the role`);
      }),
    );
  });

  it("by not knowing the cluster or the service is told once, and tried again", async () => {
    await using a = await task("a");
    const port = await refusingPort();
    await using lab = await ambassadorLab({ clusters: [] });
    const { cause } = await lab.agent.until(({ message }) =>
      message.startsWith("the tasks can't be read"),
    );
    expect(cause).toContain('knows no cluster "default"');
    expect((await lab.health()).problems[0]).toContain("the tasks were never read");
    lab.tell(fleet([], { services: [] }));
    await lab.agent.until((line) => String(line["cause"]).includes('knows no service "shop"'));
    lab.tell(fleet([bridgeTask({ [port]: a.port })]));
    await lab.agent.until(({ message }) => message === "listens");
    expect(await who(port)).toBe("a");
    const warned = lab.agent.log.filter(
      ({ level, message }) => level === "warn" && message.startsWith("the tasks can't"),
    );
    expect(warned).toHaveLength(2);
  });
});

it("a container name that no task has keeps the ports closed, with the reason on page and log", async () => {
  const port = await refusingPort();
  await using lab = await ambassadorLab(
    fleet([bridgeTask({ [port]: 1 }, { containers: [{ name: "wep" }, { name: "log" }] })]),
  );
  const { reason, message } = await lab.agent.until((line) => line["reason"] !== undefined);
  expect([reason, message]).toEqual(["no-container", "gets nothing: its containers are wep, log"]);
  expect(await who(port)).toBe("ECONNREFUSED");
  expect((await lab.state()).needsYou.map(({ what }) => what)).toEqual(["No task can be used"]);
});

it("SIGTERM closes the ports at once; what is open has --drainTimeout, then it is cut, and the end is orderly", async () => {
  await using a = await task("a");
  const port = await refusingPort();
  await using lab = await ambassadorLab(fleet([bridgeTask({ [port]: a.port })]), [
    "--service=shop",
    "--drainTimeout=2",
  ]);
  await lab.agent.until(({ message }) => message === "listens");
  const open = client(port);
  expect(await open.line()).toBe("a");
  lab.agent.kill("SIGTERM");
  await lab.agent.until(({ message }) => message.startsWith("SIGTERM"));
  // Whoever came in the very moment of the signal was reset.
  while ((await who(port)) !== "ECONNREFUSED");
  open.socket.write("still open\n");
  await once(open.socket, "data");
  expect(await open.ended).toBe("ECONNRESET");
  expect(await lab.agent.exit()).toEqual({ code: 0, signal: null });
  expect(lab.agent.stdout).toContain("connections were still open after --drainTimeout: cut");
});

it("by --dns it serves what the records lead to, SRV before A, without any AWS API", async () => {
  await using a = await task("a");
  await using b = await task("b");
  const listen = await refusingPort();
  const record = (name: string, type: "A" | "SRV", values: readonly string[]) => ({
    name: `${name}.example.internal.`,
    type,
    ttlSeconds: 10,
    values,
  });
  let records = [
    record("web", "SRV", [
      `0 1 ${a.port} a.web.example.internal.`,
      `0 1 ${b.port} b.web.example.internal.`,
    ]),
    record("a.web", "A", ["127.0.0.1"]),
    record("b.web", "A", ["127.0.0.1"]),
  ];
  const dns = await dnsServer({
    zones: () => [{ name: "example.internal.", records }],
    random: Math.random,
  });
  const agent = startAgent(
    [
      ...["ambassador", "--dns=web.example.internal", `--ports=${listen}`, "--poll=1"],
      ...[`--resolver=127.0.0.1:${dns.port}`, "--logFormat=json", "--statusAddress=off"],
    ],
    // Nobody listens there: it must not be asked.
    { AWS_ENDPOINT_URL_ROUTE_53: "http://127.0.0.1:9" },
  );
  try {
    await agent.until(({ message }) => message === "listens");
    const names = new Set<string>();
    while (names.size < 2) names.add(await who(listen));
    expect(names).toEqual(new Set(["a", "b"]));
    // No record is left: the service has no task.
    records = [];
    await agent.until(({ message }) => message.startsWith("listens no longer"));
    expect(await who(listen)).toBe("ECONNREFUSED");
  } finally {
    agent.kill("SIGTERM");
    await agent.exit();
    await dns.close();
  }
});
