import {
  CreateClusterCommand,
  DeregisterContainerInstanceCommand,
  ECSClient,
  RegisterContainerInstanceCommand,
  RegisterTaskDefinitionCommand,
  StartTaskCommand,
  StopTaskCommand,
} from "@aws-sdk/client-ecs";
import {
  ChangeResourceRecordSetsCommand,
  ListResourceRecordSetsCommand,
  Route53Client,
} from "@aws-sdk/client-route-53";
import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { type InstanceId, ownerOf, type TaskId, taskIdOf } from "../../lib/ecs/arn.ts";
import { formatSetIdentifier } from "../../lib/route53/set-identifier.ts";
import { startAgent } from "../support/agent-process.ts";
import { task } from "../support/build.ts";
import { type MotoServer, motoServer, motoZone } from "../support/moto.ts";

/**
 * The sweep's calls of ECS and Route 53 as a contract that our own stand-in did not write. Moto's deviations that matter
 * here: it has no pages; it says nothing at all of a task that it does not know, and ECS calls it MISSING; and its
 * DELETE of a set identifier takes that from every name, so each task has one record.
 */

let moto: MotoServer;
let ecs: ECSClient;
let route53: Route53Client;

beforeAll(async () => {
  moto = await motoServer();
  ecs = new ECSClient(moto.client);
  route53 = new Route53Client(moto.client);
});
afterAll(async () => {
  ecs.destroy();
  route53.destroy();
  await moto[Symbol.asyncDispose]();
});

/** Of this run's own: the emulator may be somebody's who has more in it. */
const unique = () => process.hrtime.bigint().toString(36);

/** An EC2 instance: moto registers no container instance without one. By hand, for want of another client. */
async function machine(): Promise<string> {
  const answer = await fetch(moto.url, {
    method: "POST",
    headers: {
      "content-type": "application/x-www-form-urlencoded",
      // Moto knows by it which service is asked, and does not check the signature.
      authorization:
        "AWS4-HMAC-SHA256 Credential=test/20260101/eu-west-1/ec2/aws4_request, SignedHeaders=host, Signature=0",
    },
    body: "Action=RunInstances&Version=2016-11-15&ImageId=ami-12c6146b&MinCount=1&MaxCount=1",
  });
  const [, id] = /<instanceId>(i-[0-9a-f]+)</.exec(await answer.text()) ?? [];
  if (id === undefined) throw new Error(`expected an EC2 instance, got ${answer.status}`);
  return id;
}

async function host(cluster: string): Promise<InstanceId> {
  const { containerInstance } = await ecs.send(
    new RegisterContainerInstanceCommand({
      cluster,
      instanceIdentityDocument: JSON.stringify({ instanceId: await machine() }),
    }),
  );
  const owner = ownerOf(containerInstance?.containerInstanceArn ?? "");
  if (owner === undefined) throw new Error("expected a container instance");
  return owner.instance;
}

async function started(cluster: string, instance: InstanceId): Promise<TaskId> {
  const { tasks: [one] = [] } = await ecs.send(
    new StartTaskCommand({ cluster, containerInstances: [instance], taskDefinition: "web" }),
  );
  const id = taskIdOf(one?.taskArn ?? "");
  if (id === undefined) throw new Error("expected a task");
  return id;
}

/** Two clusters, and in the zone the records of tasks and hosts, living and dead, and of others. */
async function fleet() {
  const id = unique();
  const [prod, batch] = [`prod-${id}`, `batch-${id}`];
  await ecs.send(
    new RegisterTaskDefinitionCommand({
      family: "web",
      containerDefinitions: [{ name: "web", image: "web:1", memory: 16 }],
    }),
  );
  for (const clusterName of [prod, batch])
    await ecs.send(new CreateClusterCommand({ clusterName }));
  const [one, gone, two] = [await host(prod), await host(prod), await host(batch)];
  const [runs, stopped, other] = [
    await started(prod, one),
    await started(prod, one),
    await started(batch, two),
  ];
  await ecs.send(new StopTaskCommand({ cluster: prod, task: stopped }));
  await ecs.send(
    new DeregisterContainerInstanceCommand({ cluster: prod, containerInstance: gone, force: true }),
  );

  const zoneId = await motoZone(route53, "example.internal");
  const identifiers = {
    runs: formatSetIdentifier({ instance: one, task: runs }),
    stopped: formatSetIdentifier({ instance: one, task: stopped }),
    unknown: formatSetIdentifier({ instance: one, task: task(1) }),
    gone: formatSetIdentifier({ instance: gone, task: task(2) }),
    other: formatSetIdentifier({ instance: two, task: other }),
    older: `ecs-discovery-0/${gone}/${task(2)}`,
    foreign: "by-hand",
  };
  await route53.send(
    new ChangeResourceRecordSetsCommand({
      HostedZoneId: zoneId,
      ChangeBatch: {
        Changes: Object.values(identifiers).map((SetIdentifier, n) => ({
          Action: "CREATE",
          ResourceRecordSet: {
            Name: "web.example.internal.",
            Type: "A",
            ...{ SetIdentifier, Weight: 1, TTL: 10 },
            ResourceRecords: [{ Value: `10.0.0.${n}` }],
          },
        })),
      },
    }),
  );
  return {
    identifiers,
    async left(): Promise<readonly string[]> {
      const { ResourceRecordSets: all = [] } = await route53.send(
        new ListResourceRecordSetsCommand({ HostedZoneId: zoneId }),
      );
      const held = new Set(all.map(({ SetIdentifier }) => SetIdentifier));
      return Object.entries(identifiers).flatMap(([name, id]) => (held.has(id) ? [name] : []));
    },
    async sweep(...flags: readonly string[]) {
      const sweep = startAgent(
        [
          ...["sweep", `--hostedZoneId=${zoneId}`, `--clusters=${prod},${batch}`],
          ...["--confirmAfter=1", "--patience=0", "--logFormat=json", "--json", ...flags],
        ],
        { ...moto.env, AWS_ENDPOINT_URL_ECS: moto.url },
      );
      const { code } = await sweep.exit();
      return { code, log: [...sweep.log, ...(await sweep.errorLog())] };
    },
  };
}

const EVERYTHING = ["runs", "stopped", "unknown", "gone", "other", "older", "foreign"];

it("deletes what is dead, and nothing else; a dry run nothing at all", async () => {
  const world = await fleet();
  const dry = await world.sweep("--dryRun");
  expect(dry.code).toBe(0);
  expect(await world.left()).toEqual(EVERYTHING);

  const { code, log } = await world.sweep("--unknownInstances=delete");
  expect(await world.left()).toEqual(["runs", "unknown", "other", "older", "foreign"]);
  const { identifiers } = world;
  expect(log).toContainEqual(
    expect.objectContaining({
      seen: 5,
      deleted: expect.arrayContaining([
        expect.objectContaining({ setIdentifier: identifiers.stopped, reason: "task-stopped" }),
        expect.objectContaining({ setIdentifier: identifiers.gone, reason: "instance-gone" }),
      ]),
      unsure: [
        expect.objectContaining({ setIdentifier: identifiers.unknown, reason: "no-answer" }),
        expect.objectContaining({ setIdentifier: identifiers.older, reason: "other-format" }),
      ],
    }),
  );
  expect(code).toBe(0);
});

it("says in one sentence that there is no such cluster, deletes no host's records, and ends with 1", async () => {
  const world = await fleet();
  const { code, log } = await world.sweep("--clusters=nosuch");
  expect(code).toBe(1);
  expect(log.at(-1)).toMatchObject({
    cause: expect.stringContaining('ECS knows no cluster "nosuch"'),
  });
  expect(await world.left()).toEqual(EVERYTHING);
});
