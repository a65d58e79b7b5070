import { Resolver } from "node:dns/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, it } from "@jest/globals";
import { dnsServer } from "../../lib/standins/dns/server.ts";
import type { IntrospectionTask } from "../../lib/standins/ecs/introspection-shape.ts";
import { awsvpcTask, bridgeTask, hostTask, taskArn } from "../../lib/standins/ecs/tasks.ts";
import { type SimulatedLab, simulatedLab } from "../support/lab.ts";

const V4 = "10.0.41.17";
const V6 = "2a05:d018:abc:de00:1f2e:3d4c:5b6a:7988";
const HOST = "10.0.0.5";
const hex = (n: number, length: number) => n.toString(16).padStart(length, "0");
const taskId = (n: number) => hex(n, 32);

/** A lab whose ECS agent knows the tasks that the test gives it, each with one running container. */
async function lab() {
  const tasks: IntrospectionTask[] = [];
  const made = await simulatedLab({ tasks: () => tasks });
  return Object.assign(made, {
    /** Adds a task of a container with this label; its number is its id's. */
    add(
      n: number,
      labels: Readonly<Record<string, string>>,
      make: (spec: { arn: string; containers: { dockerId: string }[] }) => IntrospectionTask,
      networkMode?: string,
    ) {
      const id = hex(n, 64);
      tasks.push(make({ arn: taskArn(taskId(n)), containers: [{ dockerId: id }] }));
      made.engine.run({
        id,
        labels: {
          "com.amazonaws.ecs.task-arn": taskArn(taskId(n)),
          ...Object.fromEntries(
            Object.entries(labels).map(([name, value]) => [`discovery.service.${name}`, value]),
          ),
        },
        ...(networkMode !== undefined && { networkMode }),
      });
    },
  });
}

/** Every record of ours as `name type values`. */
const records = ({ route53, zone }: SimulatedLab): readonly string[] =>
  route53
    .records(zone.id)
    .filter(({ setIdentifier }) => setIdentifier !== undefined)
    .map(
      ({ name, type, values }) =>
        `${name.replace(`.${zone.name}.`, "")} ${type} ${values.join(" ")}`,
    )
    .toSorted();

/** Waits until there are so many records of ours. */
const until = ({ route53, zone }: SimulatedLab, count: number) =>
  route53.until(
    zone.id,
    (all) => all.filter(({ setIdentifier }) => setIdentifier !== undefined).length === count,
  );

it("registers what each task has: IPv4, IPv6 or both of its own, or this host's address; and DNS answers it", async () => {
  await using here = await lab();
  const { add } = here;
  add(1, { name: "four" }, (spec) => awsvpcTask({ ...spec, ipv4: [V4] }));
  add(2, { name: "six" }, (spec) => awsvpcTask({ ...spec, ipv6: [V6] }));
  add(3, { name: "both" }, (spec) => awsvpcTask({ ...spec, ipv4: [V4], ipv6: [V6] }));
  add(4, { name: "bridge" }, bridgeTask, "bridge");
  add(5, { name: "host" }, hostTask, "host");
  add(6, { name: "neither" }, (spec) => awsvpcTask(spec));
  const agent = here.agent(`--hostAddress=${HOST}`);
  await until(here, 6);
  expect(records(here)).toEqual(
    [
      `both A ${V4}`,
      `both AAAA ${V6}`,
      `bridge A ${HOST}`,
      `four A ${V4}`,
      `host A ${HOST}`,
      `six AAAA ${V6}`,
    ].toSorted(),
  );
  await agent.until(({ message }) => message.includes("serves at this host's address"));
  await agent.until((line) => line["reason"] === "address-pending");

  const dns = await dnsServer({
    zones: () => [{ name: here.zone.name, records: here.route53.records(here.zone.id) }],
    random: Math.random,
  });
  try {
    const resolver = new Resolver();
    resolver.setServers([`${dns.address}:${dns.port}`]);
    expect(await resolver.resolve4(`both.${here.zone.name}`)).toEqual([V4]);
    expect(await resolver.resolve6(`six.${here.zone.name}`)).toEqual([V6]);
    expect(await resolver.resolve4(`bridge.${here.zone.name}`)).toEqual([HOST]);
    await expect(resolver.resolve4(`neither.${here.zone.name}`)).rejects.toMatchObject({
      code: "ENOTFOUND",
    });
  } finally {
    await dns.close();
  }
});

it("registers SRV with the port that clients can reach, and a target that resolves", async () => {
  await using here = await lab();
  const { add } = here;
  add(1, { name: "web", port: "8080" }, (spec) => awsvpcTask({ ...spec, ipv4: [V4], ipv6: [V6] }));
  const mapped = { containerPort: 80, hostPort: 32_768 };
  add(
    2,
    { name: "api", port: "80" },
    (spec) =>
      bridgeTask({ ...spec, containers: spec.containers.map((one) => ({ ...one, ...mapped })) }),
    "bridge",
  );
  here.agent(`--hostAddress=${HOST}`);
  await until(here, 8);
  const { name: zone } = here.zone;
  expect(records(here)).toEqual(
    [
      `web A ${V4}`,
      `web AAAA ${V6}`,
      `web SRV 1 1 8080 ${taskId(1)}.web.${zone}`,
      `${taskId(1)}.web A ${V4}`,
      `${taskId(1)}.web AAAA ${V6}`,
      `api A ${HOST}`,
      `api SRV 1 1 32768 ${taskId(2)}.api.${zone}`,
      `${taskId(2)}.api A ${HOST}`,
    ].toSorted(),
  );

  const dns = await dnsServer({
    zones: () => [{ name: zone, records: here.route53.records(here.zone.id) }],
    random: Math.random,
  });
  try {
    const resolver = new Resolver();
    resolver.setServers([`${dns.address}:${dns.port}`]);
    const [service] = await resolver.resolveSrv(`api.${zone}`);
    expect(service).toMatchObject({ port: 32_768, name: `${taskId(2)}.api.${zone}` });
    expect(await resolver.resolve4(service?.name ?? "")).toEqual([HOST]);
  } finally {
    await dns.close();
  }

  here.engine.kill(hex(1, 64));
  await until(here, 3);
});

it("with --srv names the first port of every task that has one", async () => {
  await using here = await lab();
  const one = (spec: { arn: string; containers: { dockerId: string }[] }) =>
    awsvpcTask({
      ...spec,
      containers: spec.containers.map((each) => ({ ...each, containerPort: 9000 })),
      ipv4: [V4],
    });
  here.add(1, { name: "web" }, one);
  here.add(2, { name: "plain" }, (spec) => awsvpcTask({ ...spec, ipv4: [V4] }));
  here.agent("--srv");
  await until(here, 4);
  expect(records(here)).toContain(`web SRV 1 1 9000 ${taskId(1)}.web.${here.zone.name}`);
});

it("with --srv=rfc2782 names the SRV record as RFC 2782 has it, and takes it away with its container", async () => {
  await using here = await lab();
  const one = (spec: { arn: string; containers: { dockerId: string }[] }) =>
    awsvpcTask({
      ...spec,
      containers: spec.containers.map((each) => ({ ...each, containerPort: 9000 })),
      ipv4: [V4],
    });
  here.add(1, { name: "web" }, one);
  here.agent("--srv=rfc2782");
  await until(here, 3);
  expect(records(here)).toContain(`_web._tcp SRV 1 1 9000 ${taskId(1)}.web.${here.zone.name}`);
  here.engine.kill(hex(1, 64));
  await until(here, 0);
});

it("asks instance metadata, version 2, for this host's address when it matters, and not before", async () => {
  const asked: string[] = [];
  const metadata = createServer((request, response) => {
    const { method, url, headers } = request;
    asked.push(`${method} ${url}`);
    if (method === "PUT" && url === "/latest/api/token") return response.end("token-1");
    if (headers["x-aws-ec2-metadata-token"] !== "token-1") return response.writeHead(401).end();
    if (url === "/latest/meta-data/local-ipv4") return response.end(`${HOST}\n`);
    return response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => metadata.listen(0, "127.0.0.1", resolve));
  try {
    await using here = await lab();
    const { port } = metadata.address() as AddressInfo;
    here.add(1, { name: "web" }, (spec) => awsvpcTask({ ...spec, ipv4: [V4] }));
    here.agentByEnvironment({
      AWS_EC2_METADATA_DISABLED: "false",
      AWS_EC2_METADATA_SERVICE_ENDPOINT: `http://127.0.0.1:${port}`,
    });
    await until(here, 1);
    expect(asked).toEqual([]);
    here.add(2, { name: "edge" }, hostTask, "host");
    await until(here, 2);
    expect(records(here)).toContain(`edge A ${HOST}`);
    expect(asked[0]).toBe("PUT /latest/api/token");
  } finally {
    metadata.close();
  }
});

it("says of a bridge task what is missing where this host's address is not known", async () => {
  await using here = await lab();
  here.add(1, { name: "api" }, bridgeTask, "bridge");
  const agent = here.agent();
  const line = await agent.until(({ message }) => message.includes("is skipped"));
  expect(line).toMatchObject({ reason: "no-address" });
  expect(line.message).toContain("--hostAddress");
});

it("with --addressSource=docker registers containers outside of ECS at their Docker address", async () => {
  await using here = await lab();
  const id = here.engine.run({
    labels: { "discovery.service.name": "local" },
    networkMode: "bridge",
    address: "172.18.0.2",
  });
  here.agent("--addressSource=docker");
  const [record] = await until(here, 1).then((all) =>
    all.filter(({ setIdentifier }) => setIdentifier !== undefined),
  );
  expect(record).toMatchObject({ values: ["172.18.0.2"] });
  expect(record?.setIdentifier).toContain(`/${id.slice(0, 32)}/${id.slice(0, 12)}`);
  expect(here.ecs.requests.filter(({ path }) => path.includes("dockerid"))).toEqual([]);
  here.engine.kill(id);
  await until(here, 0);
});

it("with --routing=multivalue answers with all tasks, and a weighted name becomes one in one request", async () => {
  await using here = await lab();
  for (const n of [1, 2, 3]) {
    here.add(n, { name: "web" }, (spec) => awsvpcTask({ ...spec, ipv4: [`10.0.0.${n}`] }));
  }
  await here.agent("--once").exit();
  expect(records(here)).toHaveLength(3);
  const before = here.zone.changeRequests;
  const multivalue = here.agent("--routing=multivalue");
  await here.route53.until(
    here.zone.id,
    (all) => all.filter(({ multiValueAnswer }) => multiValueAnswer === true).length === 3,
  );
  expect(here.zone.changeRequests).toBe(before + 1);
  multivalue.kill("SIGTERM");
  await multivalue.exit();

  const dns = await dnsServer({
    zones: () => [{ name: here.zone.name, records: here.route53.records(here.zone.id) }],
    random: Math.random,
  });
  try {
    const resolver = new Resolver();
    resolver.setServers([`${dns.address}:${dns.port}`]);
    const all = await resolver.resolve4(`web.${here.zone.name}`);
    expect(all.toSorted()).toEqual(["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
  } finally {
    await dns.close();
  }
});
