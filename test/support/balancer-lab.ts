import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type FleetStandIn, fleetStandIn } from "../../lib/standins/ecs/service-api.ts";
import type { FleetTask } from "../../lib/standins/ecs/service-rules.ts";
import { type ElbStandIn, elbStandIn } from "../../lib/standins/elb/server.ts";
import { type MetadataStandIn, metadataStandIn } from "../../lib/standins/metadata/server.ts";
import { type S3StandIn, s3StandIn } from "../../lib/standins/s3/server.ts";
import { type AgentProcess, startAgent } from "./agent-process.ts";
import { INSTANCE } from "./elb.ts";

export const CLUSTER = "prod";
const CONTAINER_INSTANCE = "c0".repeat(16);

/** The original's two files, as its README has them. */
export const ORIGINAL = {
  configuration: '{\n  "cluster": "prod",\n  "sleepTimeSeconds": 1\n}\n',
  services: `[
  {
    "serviceName": "web",
    "family": "web",
    "exposedContainerName": "nginx",
    "loadBalancerName": "web"
  }
]
`,
};

/** Everything around a balancer: AWS as stand-ins, and a folder for its journal. */
export interface BalancerLab extends AsyncDisposable {
  readonly elb: ElbStandIn;
  readonly ecs: FleetStandIn;
  readonly s3: S3StandIn;
  readonly metadata: MetadataStandIn;
  readonly folder: string;
  /** The tasks of this host; whoever changes them changes what ECS says. */
  tasks: FleetTask[];
  /** Writes the file to where the agents read it. */
  put(file: "configuration" | "services", text: string): void;
  readonly agents: readonly AgentProcess[];
  /** A balancer with these flags beside its two files. */
  agent(...flags: readonly string[]): AgentProcess;
  /** All requests to AWS so far: `S3 GetObject`, `ECS ListTasks`, `ELB DescribeLoadBalancers`, … */
  calls(): readonly string[];
  env: Record<string, string>;
}

export async function balancerLab(): Promise<BalancerLab> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "eda-balancer-"));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const elb = await elbStandIn();
  stack.defer(() => elb.close());
  const s3 = await s3StandIn();
  stack.defer(() => s3.close());
  const metadata = await metadataStandIn({ "instance-id": INSTANCE, "local-ipv4": "127.0.0.1" });
  stack.defer(() => metadata.close());
  const world: { tasks: FleetTask[] } = { tasks: [] };
  const ecs = await fleetStandIn(() => ({
    clusters: [
      {
        name: CLUSTER,
        instances: [
          { id: "b0".repeat(16), ec2Id: "i-0000000000000000b" },
          { id: CONTAINER_INSTANCE, ec2Id: INSTANCE },
        ],
        tasks: world.tasks,
      },
    ],
  }));
  stack.defer(() => ecs.close());
  const agents: AgentProcess[] = [];
  const ends = stack.use(new AsyncDisposableStack());
  const put = (file: "configuration" | "services", text: string) =>
    s3.put("statika", `files/${file}.json`, text);
  put("configuration", ORIGINAL.configuration);
  put("services", ORIGINAL.services);
  const env: Record<string, string> = {
    AWS_ENDPOINT_URL_ROUTE_53: "http://127.0.0.1:9",
    AWS_ENDPOINT_URL_ECS: ecs.url,
    AWS_ENDPOINT_URL_S3: s3.url,
    AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING: elb.url,
    AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2: elb.url,
    AWS_EC2_METADATA_DISABLED: "false",
    AWS_EC2_METADATA_SERVICE_ENDPOINT: metadata.url,
    // Where no engine is.
    DOCKER_HOST: `unix://${folder}/docker.sock`,
    CONFIGURATION_URL: "s3://statika/files/configuration.json",
    SERVICES_URL: "s3://statika/files/services.json",
  };
  const disposal = stack.move();
  return {
    elb,
    ecs,
    s3,
    metadata,
    folder,
    put,
    agents,
    env,
    get tasks() {
      return world.tasks;
    },
    set tasks(tasks) {
      world.tasks = tasks;
    },
    agent(...flags) {
      const agent = startAgent(
        [
          "statika",
          // No ECS agent there: the host is told by its metadata and the API, as the original did.
          "--introspectionUrl=http://127.0.0.1:9",
          `--stateDir=${folder}`,
          "--logFormat=json",
          "--statusAddress=off",
          ...flags,
        ],
        env,
      );
      agents.push(agent);
      ends.defer(async () => {
        if (!agent.ended) agent.kill("SIGKILL");
        await agent.exit();
      });
      return agent;
    },
    calls: () => [
      ...s3.requests.map(({ operation }) => `S3 ${operation}`),
      ...ecs.requests.map(({ operation }) => `ECS ${operation}`),
      ...elb.requests.map(({ operation }) => `ELB ${operation}`),
    ],
    [Symbol.asyncDispose]: () => disposal.disposeAsync(),
  };
}

let started = 1_700_000_000;

/** A task of the family on this host, each younger than the one before. */
export function taskOf(
  n: number,
  hostPort: number,
  over: Partial<FleetTask> & { readonly container?: string; readonly containerPort?: number } = {},
): FleetTask {
  started += 1;
  const { container = "nginx", containerPort = 80, ...rest } = over;
  return {
    id: n.toString(16).padStart(32, "0"),
    family: "web",
    instance: CONTAINER_INSTANCE,
    createdAt: started,
    startedAt: started,
    containers: [
      { name: "sidecar" },
      {
        name: container,
        networkBindings: [
          { bindIP: "0.0.0.0", containerPort, hostPort, protocol: "tcp" },
          { bindIP: "::", containerPort, hostPort, protocol: "tcp" },
        ],
      },
    ],
    ...rest,
  };
}
