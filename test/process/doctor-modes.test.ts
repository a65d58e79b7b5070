import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import type { Finding } from "../../agent/doctor/finding.ts";
import { cloudStandIn } from "../../lib/standins/cloud/server.ts";
import { ecsControlStandIn } from "../../lib/standins/ecs/control.ts";
import { ec2Denied, fleetDenied, fleetStandIn } from "../../lib/standins/ecs/service-api.ts";
import { route53StandIn } from "../../lib/standins/route53/server.ts";
import { sqsStandIn } from "../../lib/standins/sqs/server.ts";
import { startAgent } from "../support/agent-process.ts";
import { balancerLab } from "../support/balancer-lab.ts";
import { web } from "../support/elb.ts";

const NOWHERE = { AWS_ENDPOINT_URL_ROUTE_53: "http://127.0.0.1:9" };
const NO_CREDENTIALS = { AWS_ACCESS_KEY_ID: "", AWS_SECRET_ACCESS_KEY: "" };

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "eda-doctor-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** `check: verdict` of each finding, the exit code, and the findings by name. */
async function examine(
  mode: string,
  flags: readonly string[],
  env: Readonly<Record<string, string>> = NOWHERE,
) {
  const doctor = startAgent(["doctor", `--mode=${mode}`, "--json", ...flags], {
    ...NOWHERE,
    ...env,
  });
  const { code } = await doctor.exit();
  const [line = ""] = doctor.stdout.split("\n");
  if (!line.startsWith("{")) throw new Error(`expected JSON\n${await doctor.stderr}`);
  const { ok, findings } = JSON.parse(line) as { ok: boolean; findings: readonly Finding[] };
  expect(ok).toBe(code === 0);
  for (const { verdict, todo } of findings) expect(todo === undefined).toBe(verdict === "ok");
  return {
    code,
    verdicts: Object.fromEntries(findings.map(({ check, verdict }) => [check, verdict])),
    of: (check: string) => findings.find((one) => one.check === check),
  };
}

const TASK = {
  id: "1".repeat(32),
  family: "web",
  service: "shop",
  instance: "a".repeat(32),
  containers: [{ name: "web", networkBindings: [{ containerPort: 80, hostPort: 32_768 }] }],
};

describe("ambassador", () => {
  const flags = ["--name=web", "--service=shop", "--cluster=prod", "--statusAddress=off"];
  const shop = () =>
    fleetStandIn(() => ({
      clusters: [
        {
          name: "prod",
          services: ["shop"],
          instances: [{ id: TASK.instance, ec2Id: "i-1", privateIp: "10.0.0.1" }],
          tasks: [TASK],
        },
      ],
    }));

  it("finds the tasks with each of its requests; a denied one names its permission; a wrong container names those there are", async () => {
    const api = await shop();
    const env = { AWS_ENDPOINT_URL_ECS: api.url, AWS_ENDPOINT_URL_EC2: api.url };
    const well = await examine("ambassador", flags, env);
    expect(well.verdicts).toEqual({
      ...{ region: "ok", credentials: "ok", tasks: "ok", describe: "ok", hosts: "ok" },
      ...{ addresses: "ok", "data-plane": "ok", status: "ok" },
    });
    expect(well.of("tasks")?.what).toContain("1 tasks of the service shop in the cluster prod");

    const other = await examine("kite", ["-name=app", ...flags.slice(1)], env);
    expect(other.of("describe")).toMatchObject({
      verdict: "fail",
      what: expect.stringContaining("they have web"),
    });

    api.fail({ operation: "DescribeTasks", error: fleetDenied("DescribeTasks") });
    const denied = await examine("ambassador", flags, env);
    expect(denied.of("describe")?.todo).toContain("allow ecs:DescribeTasks");
    expect(denied.verdicts).toMatchObject({ tasks: "ok", describe: "fail", hosts: "skip" });
    api.clearFaults();
    api.fail({ operation: "DescribeInstances", error: ec2Denied });
    const blind = await examine("ambassador", flags, env);
    expect(blind.of("addresses")?.todo).toContain("allow ec2:DescribeInstances");
    await api.close();
  });

  it("without credentials says so once, and tries nothing that needs them", async () => {
    const { verdicts, of } = await examine("ambassador", flags, NO_CREDENTIALS);
    expect(verdicts).toMatchObject({ credentials: "fail", tasks: "skip", addresses: "skip" });
    expect(of("tasks")?.todo).toBe('first "credentials"');
  });

  it("of an endpoint that does not answer blames it once", async () => {
    const { verdicts } = await examine("ambassador", flags);
    expect(verdicts).toMatchObject({ tasks: "fail", describe: "skip", hosts: "skip" });
  });
});

describe("balancer", () => {
  it("reads both files, and knows whether their load balancers are there", async () => {
    await using lab = await balancerLab();
    const flags = [
      "--introspectionUrl=http://127.0.0.1:9",
      `--stateDir=${lab.folder}`,
      "--statusAddress=off",
    ];
    const lacking = await examine("balancer", flags, lab.env);
    expect(lacking.verdicts).toMatchObject({
      ...{ configuration: "ok", services: "ok", tasks: "ok", journal: "ok" },
      ...{ "load-balancers": "fail", "ecs-agent": "fail", owner: "skip", docker: "fail" },
    });
    expect(lacking.of("load-balancers")?.what).toContain("there is no Classic Load Balancer web");
    lab.elb.add(web());
    lab.put("configuration", "{}");
    const broken = await examine("statika", flags, lab.env);
    expect(broken.verdicts).toMatchObject({
      ...{ configuration: "fail", services: "ok", tasks: "skip", "load-balancers": "ok" },
    });
    expect(broken.of("configuration")?.what).toContain("cluster");
  });
});

it("proxy looks at the engine, Docker, the port, folders and the authority that its flags name", async () => {
  const authority = createServer((_, response) => response.end("{}"));
  await new Promise<void>((resolve) => authority.listen(0, "127.0.0.1", resolve));
  const { port } = authority.address() as AddressInfo;
  await writeFile(join(folder, "shop.pem"), "");
  const env = { PATH: process.env["PATH"] ?? "" };
  const flags = [
    "--acme",
    `--certificates=${folder}`,
    `--stateDir=${folder}`,
    "--listenAddress=127.0.0.77",
    "--statusAddress=off",
  ];
  // Nobody gets a certificate over plain HTTP, so the flag wants https: at this port nobody speaks it.
  const found = await examine(
    "proxy",
    [...flags, `--acmeDirectory=https://127.0.0.1:${port}/`],
    env,
  );
  expect(found.verdicts).toMatchObject({ certificates: "ok", state: "ok", authority: "fail" });
  expect(found.of("certificates")?.what).toContain(`1 in ${folder}`);
  const none = await examine("proxy", ["--statusAddress=off", `--stateDir=${folder}/none/x`], {
    PATH: folder,
    DOCKER_HOST: `unix://${folder}/docker.sock`,
  });
  expect(none.verdicts).toMatchObject({ engine: "fail", docker: "fail" });
  expect(none.of("engine")).toMatchObject({ what: "HAProxy is not on the PATH" });
  authority.close();
});

it("login tells lines that are wrong without their text, and folders that can't be written", async () => {
  const file = join(folder, "login.txt");
  await writeFile(file, "-u joe -p s3cret registry.example.com\n-u joe -p s3cret --nonsense x y\n");
  const found = await examine("login", [
    `--loginFile=${file}`,
    `--dockerConfig=${folder}`,
    `--ecsConfig=${file}/ecs.config`,
    "--statusAddress=off",
  ]);
  expect(found.verdicts).toEqual({
    ...{ lines: "fail", "docker-config": "ok", "ecs-config": "fail", status: "ok" },
  });
  expect(found.of("lines")?.what).toContain("login.txt, line 2: ");
  expect(JSON.stringify(found.of("lines"))).not.toContain("s3cret");
});

it("cluster asks ECS and CloudFormation, and looks whether the folder has files", async () => {
  const account = await cloudStandIn();
  const env = { AWS_ENDPOINT_URL: account.url, AWS_ENDPOINT_URL_ECS: account.url };
  const found = await examine("cluster", ["--folder=deploy/cluster/example"], env);
  expect(found.verdicts).toEqual({
    ...{ folder: "ok", region: "ok", credentials: "ok", ecs: "ok", stacks: "ok" },
  });
  const empty = await examine("cluster", [`--folder=${folder}/none`], env);
  expect(empty.verdicts).toMatchObject({ folder: "fail", ecs: "ok" });
  await account.close();
});

it("writer looks at the queue, each zone, and ECS; sweep at the zone and the clusters", async () => {
  const route53 = await route53StandIn({ zones: [{ id: "Z1", name: "example.internal" }] });
  const ecs = await ecsControlStandIn(() => ({
    clusters: [{ name: "prod", instances: [{ id: "a".repeat(32) }], tasks: [] }],
  }));
  const sqs = await sqsStandIn({
    queues: [{ name: "discovery", visibilitySeconds: 60 }],
    senders: { test: "AROAWRITER:0" },
  });
  const env = { AWS_ENDPOINT_URL_ROUTE_53: route53.url, AWS_ENDPOINT_URL_ECS: ecs.url };
  const writer = await examine(
    "writer",
    [
      `--queueUrl=${sqs.url("discovery")}`,
      "--hostedZoneId=example.internal,Z2",
      "--statusAddress=off",
    ],
    env,
  );
  expect(writer.verdicts).toMatchObject({
    ...{ queue: "warn", "zone Z1": "ok", "read Z1": "ok", "zone Z2": "fail", senders: "ok" },
  });
  const sweep = await examine("sweep", ["--hostedZoneId=Z1"], env);
  expect(sweep.verdicts).toEqual({
    ...{ region: "ok", credentials: "ok", zone: "ok", read: "ok" },
    ...{ clusters: "ok", instances: "ok", tasks: "ok" },
  });
  await Promise.all([route53.close(), ecs.close(), sqs.close()]);
});

it("convert needs nothing, and kube without a cluster says where it looked", async () => {
  expect((await examine("convert", [], NO_CREDENTIALS)).verdicts).toEqual({ files: "ok" });
  const kube = await examine("kube", ["--statusAddress=off"], { HOME: folder });
  expect(kube.verdicts).toMatchObject({ connection: "fail", server: "skip", rights: "skip" });
});
