import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import {
  CloudFormationClient,
  CreateStackCommand,
  DescribeStackResourcesCommand,
  DescribeStacksCommand,
} from "@aws-sdk/client-cloudformation";
import {
  type ContainerDefinition,
  CreateClusterCommand,
  DescribeServicesCommand,
  DescribeTaskDefinitionCommand,
  ECSClient,
} from "@aws-sdk/client-ecs";
import {
  ChangeResourceRecordSetsCommand,
  type ChangeResourceRecordSetsCommandInput,
  ListResourceRecordSetsCommand,
  Route53Client,
} from "@aws-sdk/client-route-53";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { commonFlags } from "../../agent/cli/common-flags.ts";
import { embedded } from "../../deploy/cluster/embed.ts";
import { type MotoServer, motoServer } from "../support/moto.ts";
import { pinnedPython } from "../support/python.ts";

const DEPLOY = new URL("../../deploy/", import.meta.url);
const text = (file: string) => readFileSync(new URL(file, DEPLOY), "utf8");
/** The one that an operator puts another in for. */
const ZONE_IN_FILES = "Z0123456789ABCDEFGHIJ";
const TEMPLATES = [
  ...["agent.yaml", "sweep.yaml", "zone.yaml"],
  ...["cluster/storage.yaml", "cluster/cluster.yaml", "writer/writer.yaml"],
];

it("cfn-lint finds nothing in the templates", async () => {
  const python = await pinnedPython();
  const files = TEMPLATES.map((file) => fileURLToPath(new URL(file, DEPLOY)));
  const lint = [join(dirname(python), "cfn-lint"), "--include-checks", "I", "--", ...files];
  await expect(promisify(execFile)(python, lint)).resolves.toMatchObject({ stdout: "" });
});

it("the program carries deploy/cluster's templates as they are", () => {
  expect(text("../agent/cluster/templates.json")).toBe(embedded());
});

describe("in an emulator of AWS", () => {
  let moto: MotoServer;
  let cloudFormation: CloudFormationClient;
  let ecs: ECSClient;
  let route53: Route53Client;

  beforeAll(async () => {
    moto = await motoServer();
    cloudFormation = new CloudFormationClient(moto.client);
    ecs = new ECSClient(moto.client);
    route53 = new Route53Client(moto.client);
  });
  afterAll(async () => {
    for (const client of [cloudFormation, ecs, route53]) client.destroy();
    await moto[Symbol.asyncDispose]();
  });

  /** The stack's outputs, and the physical id of each resource that the emulator made. */
  async function create(
    name: string,
    template: string,
    parameters: Readonly<Record<string, string>>,
  ) {
    await cloudFormation.send(
      new CreateStackCommand({
        StackName: name,
        TemplateBody: text(template),
        Capabilities: ["CAPABILITY_IAM"],
        Parameters: Object.entries(parameters).map(([ParameterKey, ParameterValue]) => ({
          ParameterKey,
          ParameterValue,
        })),
      }),
    );
    const { Stacks: [stack] = [] } = await cloudFormation.send(
      new DescribeStacksCommand({ StackName: name }),
    );
    expect(stack?.StackStatus).toBe("CREATE_COMPLETE");
    const { StackResources: resources = [] } = await cloudFormation.send(
      new DescribeStackResourcesCommand({ StackName: name }),
    );
    return {
      outputs: new Map(
        stack?.Outputs?.map(({ OutputKey, OutputValue }) => [OutputKey, OutputValue]),
      ),
      ids: new Map(
        resources.map(({ LogicalResourceId, PhysicalResourceId }) => [
          LogicalResourceId,
          PhysicalResourceId ?? "",
        ]),
      ),
    };
  }

  /** For what no client of ours speaks: the emulator tells services apart by what a request is signed for. */
  async function ask(service: string, path: string, init: RequestInit = {}): Promise<string> {
    const scope = `20260101/${service === "s3" ? "us-east-1" : moto.client.region}/${service}/aws4_request`;
    const Authorization = `AWS4-HMAC-SHA256 Credential=test/${scope}, SignedHeaders=host, Signature=0`;
    const answer = await fetch(new URL(path, moto.url), { ...init, headers: { Authorization } });
    const body = await answer.text();
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${body}`);
    return body;
  }

  async function policyOf(role: string): Promise<unknown> {
    const query = new URLSearchParams({
      Action: "GetRolePolicy",
      Version: "2010-05-08",
      RoleName: role,
      PolicyName: "records",
    });
    const answer = await ask("iam", "/", { method: "POST", body: query });
    const [, document = ""] = /<PolicyDocument>([\s\S]*)<\/PolicyDocument>/.exec(answer) ?? [];
    // As Python writes a dictionary.
    return JSON.parse(decodeURIComponent(document).replaceAll("'", '"'));
  }

  it("zone.yaml makes a private zone, whose negative-caching TTL negative-ttl.json then lowers", async () => {
    const { outputs } = await create("zone", "zone.yaml", {
      ZoneName: "example.internal",
      VpcId: "vpc-0123456789abcdef0",
    });
    const HostedZoneId = outputs.get("HostedZoneId") ?? "";
    const ChangeBatch = JSON.parse(
      text("negative-ttl.json"),
    ) as ChangeResourceRecordSetsCommandInput["ChangeBatch"];
    await route53.send(new ChangeResourceRecordSetsCommand({ HostedZoneId, ChangeBatch }));
    const { ResourceRecordSets: records = [] } = await route53.send(
      new ListResourceRecordSetsCommand({ HostedZoneId }),
    );
    const soa = records.filter(({ Type }) => Type === "SOA");
    expect(soa).toHaveLength(1);
    expect(soa[0]).toMatchObject({ Name: "example.internal.", TTL: 10 });
    expect(soa[0]?.ResourceRecords?.[0]?.Value).toMatch(/ 10$/);
  });

  it("agent.yaml makes a daemon service whose task can do what the agent needs, and no more", async () => {
    const byHand = JSON.parse(text("task-definition.json")) as {
      readonly containerDefinitions: readonly ContainerDefinition[];
    };
    await ecs.send(new CreateClusterCommand({ clusterName: "prod" }));
    const { ids, outputs } = await create("ecs-discovery-agent", "agent.yaml", {
      Cluster: "prod",
      HostedZoneId: ZONE_IN_FILES,
      ZoneName: "example.internal",
      Image: byHand.containerDefinitions[0]?.image ?? "",
      DockerGroupId: "993",
    });
    const { services: [service] = [] } = await ecs.send(
      new DescribeServicesCommand({ cluster: "prod", services: [ids.get("Service") ?? ""] }),
    );
    // The emulator knows replicas only.
    expect(text("agent.yaml")).toMatch(/^ +SchedulingStrategy: DAEMON$/m);
    const { taskDefinition } = await ecs.send(
      new DescribeTaskDefinitionCommand({ taskDefinition: service?.taskDefinition }),
    );
    expect(outputs.get("TaskRoleArn")).toMatch(/^arn:aws:iam::\d+:role\//);
    // The file for those who use no template says the same.
    expect(taskDefinition?.containerDefinitions).toMatchObject(byHand.containerDefinitions);
    const [{ stopTimeout = 0 } = {}] = byHand.containerDefinitions;
    expect(stopTimeout).toBeGreaterThan(Number(commonFlags.drainTimeout.byDefault));
    expect(await policyOf(ids.get("TaskRole") ?? "")).toEqual(JSON.parse(text("iam-agent.json")));
  });

  it("sweep.yaml makes a function on a schedule that can delete records, and do nothing else", async () => {
    await ask("s3", "/sweep-code", { method: "PUT" });
    await ask("s3", "/sweep-code/sweep.zip", { method: "PUT", body: "a zip file" });
    const { ids } = await create("sweep", "sweep.yaml", {
      HostedZoneId: ZONE_IN_FILES,
      ZoneName: "example.internal",
      CodeBucket: "sweep-code",
      CodeKey: "sweep.zip",
      Clusters: "prod,batch",
    });
    const name = ids.get("Function") ?? "";
    const { Configuration } = JSON.parse(await ask("lambda", `/2015-03-31/functions/${name}`)) as {
      readonly Configuration: unknown;
    };
    expect(Configuration).toMatchObject({
      Runtime: "nodejs24.x",
      Handler: "sweep.handler",
      Environment: {
        Variables: {
          HOSTED_ZONE_ID: ZONE_IN_FILES,
          ECS_DISCOVERY_CLUSTERS: "prod,batch",
          ECS_DISCOVERY_DRY_RUN: "false",
          ECS_DISCOVERY_MAX_DELETES: "50%",
        },
      },
    });
    expect(await policyOf(ids.get("Role") ?? "")).toEqual(JSON.parse(text("iam-sweep.json")));
  });
});
