import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { ec2 } from "../../lib/aws/io/ec2.ts";
import { ecsService } from "../../lib/ecs/io/service.ts";
import { type MotoServer, motoServer } from "../support/moto.ts";

/** What the ambassador asks, against an emulator that somebody else wrote, as far as it has the rule. */
let moto: MotoServer;
const before = { ...process.env };
beforeAll(async () => {
  moto = await motoServer();
  Object.assign(process.env, moto.env);
});
afterAll(async () => {
  for (const name of Object.keys(moto.env)) {
    if (before[name] === undefined) delete process.env[name];
    else process.env[name] = before[name];
  }
  await moto[Symbol.asyncDispose]();
});

/** A request of EC2's query protocol; moto does not look at its signature. */
async function ask(parameters: Readonly<Record<string, string>>): Promise<string> {
  const answer = await fetch(moto.url, {
    method: "POST",
    headers: {
      "content-type": "application/x-www-form-urlencoded",
      authorization:
        "AWS4-HMAC-SHA256 Credential=test/20260101/eu-west-1/ec2/aws4_request, SignedHeaders=host, Signature=0",
    },
    body: new URLSearchParams({ Version: "2016-11-15", ...parameters }),
  });
  return answer.text();
}

it("finds an instance's addresses in EC2, and leaves out one that EC2 does not know", async () => {
  const started = await ask({
    Action: "RunInstances",
    ImageId: "ami-12c6146b",
    MinCount: "1",
    MaxCount: "1",
  });
  const [, id = ""] = /<instanceId>(i-[0-9a-f]+)</.exec(started) ?? [];
  const [, address = ""] = /<privateIpAddress>([\d.]+)</.exec(started) ?? [];
  const client = ec2({
    region: "eu-west-1",
    credentials: async () => moto.client.credentials,
    env: process.env,
  });
  const found = await client.instances([id, "i-0123456789abcdef0"]);
  expect([...found.keys()]).toEqual([id]);
  expect(found.get(id)?.private).toBe(address);
  expect(await client.interfaces(["eni-0123456789abcdef0"])).toEqual(new Map());
});

it("hears of an unknown cluster as of something that may come, and lists nothing of an empty one", async () => {
  const ecs = ecsService({ region: "eu-west-1" });
  await expect(ecs.tasks({ cluster: "nowhere", family: "web" }, undefined)).rejects.toThrow(
    'ECS knows no cluster "nowhere"',
  );
  await fetch(moto.url, {
    method: "POST",
    headers: {
      "content-type": "application/x-amz-json-1.1",
      "x-amz-target": "AmazonEC2ContainerServiceV20141113.CreateCluster",
      authorization:
        "AWS4-HMAC-SHA256 Credential=test/20260101/eu-west-1/ecs/aws4_request, SignedHeaders=host, Signature=0",
    },
    body: JSON.stringify({ clusterName: "prod" }),
  });
  expect(await ecs.tasks({ cluster: "prod", family: "web" }, undefined)).toEqual({ arns: [] });
  ecs.close();
});
