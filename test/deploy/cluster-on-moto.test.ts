import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CloudFormationClient, DescribeStacksCommand } from "@aws-sdk/client-cloudformation";
import {
  DescribeServicesCommand,
  DescribeTaskDefinitionCommand,
  ECSClient,
  ListServicesCommand,
  ListTaskDefinitionsCommand,
} from "@aws-sdk/client-ecs";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";
import { startAgent } from "../support/agent-process.ts";
import { type AwsFront, awsFront } from "../support/aws-front.ts";
import { type MotoServer, motoServer } from "../support/moto.ts";

/** The original's own two files, as its repository has them (deweysasser/ecs-template, MIT). */
const WEBSERVER = `{
   "containerDefinitions" : [
      {
         "image" : "nginx",
         "name" : "webserver",
         "essential" : true,
\t "memoryReservation": 32,
         "mountPoints": [
             {
                 "sourceVolume": "html", 
                 "containerPath": "/usr/share/nginx/html", 
                 "readOnly": true
             }
         ], 
         "dockerLabels" : {
            "proxy.host" : "www.ecs-example.com"
         }
      }
   ],
   "volumes" : [
      {
         "name" : "html",
         "host" : {
            "sourcePath" : "/cluster/webserver/html"
         }
      }
   ]

}
`;
const SERVICE = `{
    "taskDefinition": "$\{TASK_PREFIX}webserver", 
    "desiredCount": 2, 
    "deploymentConfiguration": {
        "maximumPercent": 200, 
        "minimumHealthyPercent": 100
    }
}
`;

let moto: MotoServer;
let front: AwsFront;
let cloudFormation: CloudFormationClient;
let ecs: ECSClient;
let folder: string;

beforeAll(async () => {
  moto = await motoServer();
  front = await awsFront(moto.url);
  cloudFormation = new CloudFormationClient(moto.client);
  ecs = new ECSClient(moto.client);
});
afterAll(async () => {
  cloudFormation.destroy();
  ecs.destroy();
  await front[Symbol.asyncDispose]();
  await moto[Symbol.asyncDispose]();
});
beforeEach(async () => {
  await fetch(new URL("/moto-api/reset", moto.url), { method: "POST" });
  folder = await mkdtemp(join(tmpdir(), "cluster-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Runs the mode as a process against the emulator; comes back with how it ended, what it said, and what it asked. */
async function cluster(...words: readonly string[]) {
  front.taken();
  const agent = startAgent(["cluster", ...words, `--folder=${folder}`, "--prefix=demo"], {
    ...moto.env,
    AWS_ENDPOINT_URL: front.url,
    AWS_ENDPOINT_URL_ECS: front.url,
    PATH: process.env["PATH"] ?? "",
    USER: "joe",
  });
  const { code } = await agent.ends;
  return { code, stdout: agent.stdout, stderr: await agent.stderr, ...front.taken() };
}

const write = (file: string, text: string) => writeFile(join(folder, file), text);

/** The emulator's default VPC, with a key pair beside it. */
async function keyPair(name: string): Promise<void> {
  const scope = `20260101/${moto.client.region}/ec2/aws4_request`;
  const Authorization = `AWS4-HMAC-SHA256 Credential=test/${scope}, SignedHeaders=host, Signature=0`;
  const body = new URLSearchParams({
    Action: "CreateKeyPair",
    Version: "2016-11-15",
    KeyName: name,
  });
  const answer = await fetch(moto.url, { method: "POST", headers: { Authorization }, body });
  expect(answer.status).toBe(200);
}

const stackStatus = async (name: string): Promise<string | undefined> => {
  try {
    const { Stacks = [] } = await cloudFormation.send(
      new DescribeStacksCommand({ StackName: name }),
    );
    return Stacks[0]?.StackStatus;
  } catch {
    return undefined;
  }
};

describe("the original's web server, its files unchanged", () => {
  it("is planned, applied, applied again without a write, changed, applied, destroyed, and its data stays", async () => {
    await write("webserver.taskdef", WEBSERVER);
    await write("webserver.service.template", SERVICE);
    await keyPair("My SSH Key");

    const plan = await cluster();
    expect(plan).toMatchObject({ code: 3, writes: [] });
    expect(plan.calls).toBeLessThanOrEqual(25);
    expect(plan.stdout).toContain("+ stack demo-ecs-storage: create");
    expect(plan.stdout).toContain("KeyName: My SSH Key");
    expect(plan.stdout).toContain("+ service webserver: create (webserver.service.template)");

    const first = await cluster("apply");
    expect(first).toMatchObject({ code: 0 });
    expect(first.writes).toEqual([
      ...["CreateChangeSet", "ExecuteChangeSet", "CreateChangeSet", "ExecuteChangeSet"],
      ...["RegisterTaskDefinition", "CreateService"],
    ]);
    expect(await readFile(join(folder, "ecs-cluster.params"), "utf8")).toContain(
      "KeyName=My SSH Key\n",
    );
    const { services: [service] = [] } = await ecs.send(
      new DescribeServicesCommand({ cluster: "demo-cluster", services: ["webserver"] }),
    );
    expect(service).toMatchObject({
      desiredCount: 2,
      taskDefinition: expect.stringMatching(/task-definition\/demo-webserver:1$/),
    });
    const { taskDefinition } = await ecs.send(
      new DescribeTaskDefinitionCommand({ taskDefinition: "demo-webserver" }),
    );
    expect(taskDefinition).toMatchObject(JSON.parse(WEBSERVER) as object);

    const second = await cluster("apply");
    expect(second).toMatchObject({ code: 0, writes: [] });
    expect(second.stdout).toContain("nothing to do");
    expect(await cluster("plan")).toMatchObject({ code: 0, writes: [] });

    await write("webserver.taskdef", WEBSERVER.replace("32", "48"));
    const changed = await cluster("plan");
    expect(changed).toMatchObject({ code: 3, writes: [] });
    expect(changed.stdout).toContain("containerDefinitions[webserver].memoryReservation: 32 → 48");
    expect(await cluster("apply")).toMatchObject({
      code: 0,
      writes: ["RegisterTaskDefinition", "UpdateService"],
    });
    expect(await cluster("apply")).toMatchObject({ code: 0, writes: [] });

    const params = await readFile(join(folder, "ecs-cluster.params"), "utf8");
    await write("ecs-cluster.params", `${params}MaxSize=7\nBackup=DISABLED\n`);
    const resized = await cluster("plan");
    expect(resized).toMatchObject({ code: 3 });
    // What shows a change to a stack is thrown away again.
    expect(resized.writes).toEqual([
      ...["CreateChangeSet", "DeleteChangeSet", "CreateChangeSet", "DeleteChangeSet"],
    ]);
    expect(resized.stdout).toContain("MaxSize: 6 → 7");
    expect(await cluster("apply")).toMatchObject({ code: 0 });
    expect(await stackStatus("demo-ecs-cluster")).toBe("UPDATE_COMPLETE");
    expect(await stackStatus("demo-ecs-storage")).toBe("UPDATE_COMPLETE");
    expect(await cluster("plan")).toMatchObject({ code: 0, writes: [] });

    const shown = await cluster("destroy");
    expect(shown).toMatchObject({ code: 3, writes: [] });
    const destroyed = await cluster("destroy", "CONFIRM=yes");
    expect(destroyed).toMatchObject({ code: 0 });
    expect(destroyed.writes).toEqual([
      ...["UpdateService", "DeleteService"],
      ...["DeregisterTaskDefinition", "DeregisterTaskDefinition", "DeleteTaskDefinitions"],
      "DeleteStack",
    ]);
    expect(await stackStatus("demo-ecs-cluster")).toBeUndefined();
    expect(await stackStatus("demo-ecs-storage")).toBe("UPDATE_COMPLETE");

    const all = await cluster("destroy", "--deleteData", "--confirm");
    expect(all).toMatchObject({ code: 0, writes: ["DeleteStack", "DELETEPath"] });
    expect(await stackStatus("demo-ecs-storage")).toBeUndefined();
    expect(await cluster("destroy")).toMatchObject({ code: 0, writes: [] });
  }, 240_000);
});

describe("thirty task definitions and ten services", () => {
  it("are planned with at most 25 calls, whatever there is, and applied twice with no second write", async () => {
    await write(
      "ecs-cluster.cf",
      "Resources:\n  C: { Type: 'AWS::ECS::Cluster', Properties: { ClusterName: demo-cluster } }\n",
    );
    const taskdef = (n: number, memory: number) =>
      `{"containerDefinitions":[{"name":"a","image":"nginx","memory":${memory},"environment":[{"name":"N","value":"${n}"}]}]}`;
    const all = Array.from({ length: 30 }, (_, n) => n);
    for (const n of all) await write(`t${n}.taskdef`, taskdef(n, 8));
    for (const n of all.slice(0, 10)) await write(`t${n}.service`, `{"desiredCount": 1}`);

    const fresh = await cluster("plan");
    expect(fresh).toMatchObject({ code: 3, writes: [] });
    const first = await cluster("apply");
    expect(first).toMatchObject({ code: 0 });
    expect(first.writes).toHaveLength(2 + 30 + 10);
    const second = await cluster("apply");
    expect(second).toMatchObject({ code: 0, writes: [] });

    for (const n of all) await write(`t${n}.taskdef`, taskdef(n, 9));
    const changed = await cluster("plan");
    expect(changed).toMatchObject({ code: 3, writes: [] });
    const most = Math.max(fresh.calls, second.calls, changed.calls);
    expect(most).toBeLessThanOrEqual(25);

    const { serviceArns = [] } = await ecs.send(
      new ListServicesCommand({ cluster: "demo-cluster", maxResults: 100 }),
    );
    const { taskDefinitionArns = [] } = await ecs.send(new ListTaskDefinitionsCommand({}));
    expect([serviceArns.length, taskDefinitionArns.length]).toEqual([10, 30]);
  }, 240_000);
});
