import {
  ConfigureHealthCheckCommand,
  CreateLBCookieStickinessPolicyCommand,
  CreateLoadBalancerCommand,
  DescribeLoadBalancersCommand,
  ElasticLoadBalancingClient,
  RegisterInstancesWithLoadBalancerCommand,
  SetLoadBalancerPoliciesOfListenerCommand,
} from "@aws-sdk/client-elastic-load-balancing";
import {
  CreateTargetGroupCommand,
  DescribeTargetHealthCommand,
  ElasticLoadBalancingV2Client,
} from "@aws-sdk/client-elastic-load-balancing-v2";
import { CreateBucketCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, beforeEach, expect, it } from "@jest/globals";
import { type BalancerLab, balancerLab, ORIGINAL, taskOf } from "../support/balancer-lab.ts";
import { INSTANCE } from "../support/elb.ts";
import { type MotoServer, motoServer } from "../support/moto.ts";

/**
 * A second opinion on load balancers, target groups and objects: moto has rules of its own for them. It does not know all
 * (one instance as two targets, back-end policies of a port that came later), so what it is asked here is what it knows.
 */
let moto: MotoServer;
let elb: ElasticLoadBalancingClient;
let groups: ElasticLoadBalancingV2Client;
let s3: S3Client;

beforeAll(async () => {
  moto = await motoServer();
  elb = new ElasticLoadBalancingClient(moto.client);
  groups = new ElasticLoadBalancingV2Client(moto.client);
  s3 = new S3Client({ ...moto.client, forcePathStyle: true });
});
afterAll(async () => {
  for (const client of [elb, groups, s3]) client?.destroy();
  await moto?.[Symbol.asyncDispose]();
});
beforeEach(async () => {
  await fetch(new URL("/moto-api/reset", moto.url), { method: "POST" });
});

const BUCKET = "statika-files";

/** The lab with moto in the place of three of its stand-ins, and the files in moto's S3. */
async function labOnMoto(services: string): Promise<BalancerLab> {
  const lab = await balancerLab();
  await s3.send(
    new CreateBucketCommand({
      Bucket: BUCKET,
      CreateBucketConfiguration: { LocationConstraint: "eu-west-1" },
    }),
  );
  const put = (Key: string, Body: string) =>
    s3.send(new PutObjectCommand({ Bucket: BUCKET, Key, Body }));
  await put("config.json", ORIGINAL.configuration);
  await put("dir/services.json", services);
  Object.assign(lab.env, {
    AWS_ENDPOINT_URL_S3: moto.url,
    AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING: moto.url,
    AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2: moto.url,
    CONFIGURATION_URL: `s3://${BUCKET}/config.json`,
    SERVICES_URL: `s3://${BUCKET}/dir/services.json`,
  });
  return lab;
}

async function balancer() {
  const { LoadBalancerDescriptions: all = [] } = await elb.send(
    new DescribeLoadBalancersCommand({ LoadBalancerNames: ["web"] }),
  );
  const [seen] = all;
  return {
    listeners: seen?.ListenerDescriptions?.map(({ Listener: one, PolicyNames }) => [
      one?.LoadBalancerPort,
      one?.InstancePort,
      PolicyNames,
    ]),
    target: seen?.HealthCheck?.Target,
    instances: seen?.Instances?.map(({ InstanceId }) => InstanceId),
  };
}

async function webBalancer(): Promise<void> {
  const LoadBalancerName = "web";
  await elb.send(
    new CreateLoadBalancerCommand({
      LoadBalancerName,
      AvailabilityZones: ["eu-west-1a"],
      Listeners: [
        { Protocol: "HTTP", LoadBalancerPort: 80, InstanceProtocol: "HTTP", InstancePort: 32_768 },
      ],
    }),
  );
  await elb.send(
    new CreateLBCookieStickinessPolicyCommand({ LoadBalancerName, PolicyName: "stick" }),
  );
  await elb.send(
    new SetLoadBalancerPoliciesOfListenerCommand({
      LoadBalancerName,
      LoadBalancerPort: 80,
      PolicyNames: ["stick"],
    }),
  );
  await elb.send(
    new ConfigureHealthCheckCommand({
      LoadBalancerName,
      HealthCheck: {
        Target: "HTTP:32768/health",
        Interval: 30,
        Timeout: 5,
        UnhealthyThreshold: 2,
        HealthyThreshold: 10,
      },
    }),
  );
}

it("the original's files switch a listener with its policies, and the health check, and register the host", async () => {
  await using lab = await labOnMoto(ORIGINAL.services);
  await webBalancer();
  lab.tasks = [taskOf(1, 40_000)];
  expect(await lab.agent("--dryRun").exit()).toEqual({ code: 3, signal: null });
  expect((await balancer()).listeners).toEqual([[80, 32_768, ["stick"]]]);
  expect(await lab.agent("--once").exit()).toEqual({ code: 0, signal: null });
  expect(await balancer()).toEqual({
    listeners: [[80, 40_000, ["stick"]]],
    target: "HTTP:40000/health",
    instances: [INSTANCE],
  });
  expect(await lab.agent("--dryRun").exit()).toEqual({ code: 0, signal: null });
});

it("two hosts on one load balancer: rewrite is refused with the reason, and touches nothing", async () => {
  await using lab = await labOnMoto(ORIGINAL.services);
  await webBalancer();
  const other = { InstanceId: "i-00000000000000001" };
  await elb.send(
    new RegisterInstancesWithLoadBalancerCommand({ LoadBalancerName: "web", Instances: [other] }),
  );
  const before = await balancer();
  lab.tasks = [taskOf(1, 40_000)];
  const agent = lab.agent("--once");
  expect(await agent.exit()).toEqual({ code: 1, signal: null });
  expect(agent.stdout).toContain("one health check and one instance port");
  expect(await balancer()).toEqual(before);
});

/** By hand: the project has no client of EC2. */
async function defaultVpc(): Promise<string> {
  const answer = await fetch(moto.url, {
    method: "POST",
    headers: {
      "content-type": "application/x-www-form-urlencoded",
      // Moto tells services apart by what a request was signed for; it does not look at the signature.
      authorization: "AWS4-HMAC-SHA256 Credential=test/20260101/eu-west-1/ec2/aws4_request",
    },
    body: "Action=DescribeVpcs&Version=2016-11-15",
  });
  const text = await answer.text();
  const [, id] = /<vpcId>(vpc-[0-9a-f]+)<\/vpcId>/.exec(text) ?? [];
  if (id === undefined) throw new Error(`expected a VPC, got ${text.slice(0, 300)}`);
  return id;
}

it("a target group of addresses gets the task that ECS did not register, and loses it with the process; a load balancer that is not there harms nobody", async () => {
  const { TargetGroups: made = [] } = await groups.send(
    new CreateTargetGroupCommand({
      Name: "shop",
      Protocol: "HTTP",
      Port: 80,
      VpcId: await defaultVpc(),
      TargetType: "ip",
    }),
  );
  const arn = made[0]?.TargetGroupArn ?? "";
  const entry = { serviceName: "web", family: "web", exposedContainerName: "nginx" };
  await using lab = await labOnMoto(
    JSON.stringify([
      { ...entry, serviceName: "gone", loadBalancerName: "gone" },
      { ...entry, mode: "targets", targetGroupArn: arn },
    ]),
  );
  const targets = async () => {
    const { TargetHealthDescriptions: all = [] } = await groups.send(
      new DescribeTargetHealthCommand({ TargetGroupArn: arn }),
    );
    return all
      .filter(({ TargetHealth }) => TargetHealth?.State !== "draining")
      .map(({ Target }) => `${Target?.Id}:${Target?.Port}`);
  };
  lab.tasks = [taskOf(1, 40_000)];
  const agent = lab.agent("--onStop=deregister");
  await agent.until(({ message }) => message === "service web: as wanted");
  await agent.until(({ message }) => message.includes("there is no Classic Load Balancer gone"));
  expect(await targets()).toEqual(["127.0.0.1:40000"]);
  agent.kill("SIGTERM");
  expect(await agent.exit()).toEqual({ code: 0, signal: null });
  expect(await targets()).toEqual([]);
});
