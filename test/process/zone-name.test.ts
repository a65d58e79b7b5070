import { afterAll, beforeAll, expect, it, test } from "@jest/globals";
import { taskArn } from "../../lib/standins/ecs/tasks.ts";
import { type Route53StandIn, route53StandIn } from "../../lib/standins/route53/server.ts";
import { sqsStandIn } from "../../lib/standins/sqs/server.ts";
import { AGENT, type LogLine, startAgent } from "../support/agent-process.ts";
import { type SimulatedLab, simulatedLab } from "../support/lab.ts";

const BY_NAME = "--hostedZoneId=Example.Internal.";
const NONE =
  "no hosted zone of this account is named other.example: check the name and whose credentials these are (aws route53 list-hosted-zones), or give the zone's id";

let lab: SimulatedLab;
/** An account with two zones of one name. */
let twice: Route53StandIn;

beforeAll(async () => {
  lab = await simulatedLab();
  lab.engine.run({
    id: "c".repeat(64),
    name: "web",
    address: "10.0.0.1",
    labels: {
      "discovery.service.name": "web",
      "com.amazonaws.ecs.task-arn": taskArn("1".repeat(32)),
    },
  });
  twice = await route53StandIn({
    zones: [
      { id: "Z1", name: "example.internal" },
      { id: "Z2", name: "example.internal", privateZone: true },
    ],
  });
});
afterAll(async () => {
  await lab[Symbol.asyncDispose]();
  await twice.close();
});

it("discover finds its zone by the name, in the ECS agent's region, and knows it by its id from then on", async () => {
  const agent = lab.agentBy(AGENT, [BY_NAME, "--once"], { AWS_REGION: "" });
  expect(await agent.exit()).toEqual({ code: 0, signal: null });
  expect(agent.log).toContainEqual(
    expect.objectContaining({ message: "found the zone by its name", id: lab.zone.id }),
  );
  await lab.zone.until(["web.example.internal 10.0.0.1"]);
});

test.each(["plan", "deregister"])("%s says the id of the zone", async (mode) => {
  const command = lab.command(mode, [BY_NAME]);
  await command.exit();
  expect(command.stdout).toContain(`(${lab.zone.id})`);
});

it("sweep and writer find it, too", async () => {
  const sqs = await sqsStandIn({
    queues: [{ name: "discovery", visibilitySeconds: 60 }],
    senders: { test: "AROAWRITER:0" },
  });
  const env = { AWS_ENDPOINT_URL_ROUTE_53: lab.route53.url };
  const found = (line: LogLine) =>
    line.message === "found the zone by its name" && line["id"] === lab.zone.id;
  const json = "--logFormat=json";
  // Nobody plays ECS here: it comes as far as that.
  const sweep = startAgent(["sweep", BY_NAME, "--patience=0", "--logLevel=info", json], env);
  const queue = `--queueUrl=${sqs.url("discovery")}`;
  const flags = [BY_NAME, queue, "--senders=anyone", "--statusAddress=off", json];
  const writer = startAgent(["writer", ...flags], env);
  await writer.until(found);
  await writer.until(({ message }) => message === "takes messages from now on");
  writer.kill("SIGTERM");
  expect(await writer.exit()).toEqual({ code: 0, signal: null });
  await sweep.exit();
  expect((await sweep.errorLog()).some(found)).toBe(true);
  await sqs.close();
});

it("nobody asks for the zones of the account who is given an id", async () => {
  const asked = () =>
    lab.route53.requests.filter(({ operation }) => operation === "ListHostedZonesByName").length;
  const before = asked();
  await lab.command("plan").exit();
  expect(asked()).toBe(before);
});

it("a name that no zone has ends the start with one sentence", async () => {
  const agent = lab.agent("--hostedZoneId=other.example");
  expect((await agent.exit()).code).toBe(1);
  expect(agent.log.at(-1)).toMatchObject({ cause: NONE });
});

it("of several zones of one name it takes none, and names them", async () => {
  const env = { AWS_ENDPOINT_URL_ROUTE_53: twice.url };
  const agent = lab.command("plan", [BY_NAME], env);
  expect((await agent.exit()).code).toBe(1);
  expect(await agent.stderr).toContain("Z1 (public) or Z2 (private)");
  expect(twice.requests.map(({ operation }) => operation)).toEqual(["ListHostedZonesByName"]);
});

it("doctor finds the zone by its name, or tells why not as a finding", async () => {
  const well = lab.command("doctor", [BY_NAME, "--statusAddress=off", "--json"]);
  await well.exit();
  expect(JSON.parse(well.stdout).findings).toContainEqual(
    expect.objectContaining({ check: "read", verdict: "ok" }),
  );
  const bad = lab.command("doctor", ["--hostedZoneId=other.example", "--json"]);
  expect((await bad.exit()).code).toBe(1);
  expect(JSON.parse(bad.stdout)).toMatchObject({
    ok: false,
    findings: [
      { check: "zone", verdict: "fail", what: NONE },
      { check: "all else", verdict: "skip" },
    ],
  });
});

it("a denied look-up names the permission", async () => {
  lab.route53.fail({
    operation: "ListHostedZonesByName",
    kind: { error: { status: 403, code: "AccessDenied", message: "no" } },
  });
  const plan = lab.command("plan", [BY_NAME]);
  expect((await plan.exit()).code).toBe(1);
  expect(await plan.stderr).toContain("allow route53:ListHostedZonesByName to whoever runs this");
});

it("a throttled look-up is tried again", async () => {
  lab.route53.fail({
    operation: "ListHostedZonesByName",
    times: 3,
    kind: { error: { status: 400, code: "Throttling", message: "Rate exceeded" } },
  });
  const plan = lab.command("plan", [BY_NAME]);
  await plan.exit();
  expect(plan.stdout).toContain(`(${lab.zone.id})`);
});

it("a host that sends to a writer is asked for the id", async () => {
  const agent = lab.agent(BY_NAME, "--via=sqs:http://127.0.0.1:9/123456789012/discovery");
  expect((await agent.exit()).code).toBe(2);
  expect(await agent.stderr).toContain(
    "--hostedZoneId: expected the zone's id beside --via, got the name example.internal",
  );
});
