import {
  ListResourceRecordSetsCommand,
  type ResourceRecordSet,
  Route53Client,
} from "@aws-sdk/client-route-53";
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { parseSetIdentifier } from "../../lib/route53/set-identifier.ts";
import type { AgentProcess } from "../support/agent-process.ts";
import { NAME_LABEL, newTaskLabel, type SimulatedLab, simulatedLab } from "../support/lab.ts";
import { type MotoServer, motoServer, motoZone } from "../support/moto.ts";

/**
 * The agent's calls of Route 53 as a contract that our own stand-in did not write. Each task serves under one name only:
 * moto's DELETE of a set identifier takes it from every name.
 */

let moto: MotoServer;
let route53: Route53Client;

beforeAll(async () => {
  moto = await motoServer();
  route53 = new Route53Client(moto.client);
});
afterAll(async () => {
  route53.destroy();
  await moto[Symbol.asyncDispose]();
});

/** A lab whose agents work in a zone of the emulator, and the record sets of theirs in it. */
async function labOnMoto() {
  await using stack = new AsyncDisposableStack();
  const lab: SimulatedLab = stack.use(await simulatedLab());
  const zoneId = await motoZone(route53, "example.internal");
  const held = stack.move();
  return {
    ...lab,
    agent: (env: Readonly<Record<string, string>> = {}): AgentProcess =>
      lab.agentByEnvironment({ ...moto.env, HOSTED_ZONE_ID: zoneId, ...env }),
    serve: (label: string, address: string) =>
      lab.engine.run({ labels: { [NAME_LABEL]: label, ...newTaskLabel() }, address }),
    async records(): Promise<readonly ResourceRecordSet[]> {
      const { ResourceRecordSets: all = [] } = await route53.send(
        new ListResourceRecordSetsCommand({ HostedZoneId: zoneId }),
      );
      return all.filter(({ SetIdentifier }) => SetIdentifier !== undefined);
    },
    async [Symbol.asyncDispose]() {
      // All that was asked of Route 53 was asked of the emulator.
      expect(lab.route53.requests).toEqual([]);
      await held.disposeAsync();
    },
  };
}

const names = (records: readonly ResourceRecordSet[]) => records.map(({ Name }) => Name);

const told = (agent: AgentProcess, message: string, name: string) =>
  agent.until((line) => line.message === message && line["record"] === `${name}.example.internal`);

it("registers what starts, and removes what ends", async () => {
  await using lab = await labOnMoto();
  const web = lab.serve("web", "10.0.0.1");
  lab.serve("api", "10.0.0.2");
  const agent = lab.agent();
  await told(agent, "registered", "web");
  await told(agent, "registered", "api");
  const weighted = { Type: "A", TTL: 10, Weight: 1, SetIdentifier: expect.any(String) };
  const records = await lab.records();
  expect(records).toEqual([
    {
      ...weighted,
      Name: "api.example.internal.",
      ResourceRecords: [{ Value: "10.0.0.2" }],
    },
    {
      ...weighted,
      Name: "web.example.internal.",
      ResourceRecords: [{ Value: "10.0.0.1" }],
    },
  ]);
  expect(records.map(({ SetIdentifier = "" }) => parseSetIdentifier(SetIdentifier))).toEqual([
    expect.objectContaining({ task: expect.any(String) }),
    expect.objectContaining({ task: expect.any(String) }),
  ]);

  lab.engine.kill(web);
  await told(agent, "removed", "web");
  expect(names(await lab.records())).toEqual(["api.example.internal."]);
});

it("finds its records in the zone when it starts anew, and removes all when it is asked to", async () => {
  await using lab = await labOnMoto();
  lab.serve("web", "10.0.0.1");
  lab.serve("web", "10.0.0.2");
  // A folder that can't be: without a journal it has to read the zone.
  const env = {
    ECS_DISCOVERY_STATE_DIR: "/dev/null/nowhere",
    ECS_DISCOVERY_ON_STOP: "remove",
  };
  const first = lab.agent({ ...env, ON_STOP: "keep" });
  await first.until(({ message, address }) => message === "registered" && address === "10.0.0.1");
  await first.until(({ message, address }) => message === "registered" && address === "10.0.0.2");
  first.kill("SIGKILL");
  await first.exit();

  const second = lab.agent(env);
  await second.until(({ message }) => message.startsWith("every container is looked at once"));
  expect(second.log).toContainEqual(
    expect.objectContaining({
      message: "knows this host's records from the zone",
      ownRecords: 2,
    }),
  );
  second.kill("SIGTERM");
  expect(await second.exit()).toEqual({ code: 0, signal: null });
  expect(second.log.filter(({ message }) => message === "registered")).toEqual([]);
  expect(await lab.records()).toEqual([]);
});

it("says in one sentence that there is no such zone, and ends with 1", async () => {
  await using lab = await labOnMoto();
  const agent = lab.agent({ HOSTED_ZONE_ID: "Z00000000000000000000" });
  expect(await agent.exit()).toEqual({ code: 1, signal: null });
  expect(agent.log.at(-1)).toMatchObject({
    message: "ends: failed",
    cause: expect.stringMatching(
      /^Route 53 refused GetHostedZone on zone Z00000000000000000000: .*No hosted zone found/,
    ),
  });
});
