/**
 * What ECS and EC2 answer to the operations by which a client of a service finds its tasks.
 * Sources: [API] Amazon ECS API Reference, the operation's own page and its data types; [EC2] Amazon EC2 API Reference;
 * [FAIL] ECS Developer Guide, API failure reasons. Texts without a source are ours.
 */

interface FleetContainer {
  readonly name: string;
  /** Default RUNNING. */
  readonly lastStatus?: string;
  /** Default UNKNOWN: it has no health check [API, Container]. */
  readonly healthStatus?: string;
  /** Docker's id of it. */
  readonly runtimeId?: string;
  readonly networkBindings?: readonly {
    readonly bindIP?: string;
    readonly containerPort?: number;
    readonly hostPort?: number;
    readonly containerPortRange?: string;
    readonly hostPortRange?: string;
    readonly protocol?: string;
  }[];
}

export interface FleetTask {
  /** 32 hex digits. */
  readonly id: string;
  readonly family: string;
  /** Default 1. */
  readonly revision?: number;
  readonly service?: string;
  /** The id of its container instance; none for Fargate. */
  readonly instance?: string;
  /** Default RUNNING. */
  readonly lastStatus?: string;
  /** Default RUNNING. */
  readonly desiredStatus?: "RUNNING" | "STOPPED";
  /** Default UNKNOWN. */
  readonly healthStatus?: string;
  /** Unix seconds, with fractions [API, Task]. */
  readonly createdAt?: number;
  readonly startedAt?: number;
  readonly containers: readonly FleetContainer[];
  /** Of awsvpc and Fargate. */
  readonly eni?: {
    readonly id: string;
    readonly ipv4?: string;
    readonly ipv6?: string;
    readonly publicIp?: string;
  };
  /** For answers that no ECS gives: laid over what is told of the task. */
  readonly garbage?: object;
}

interface FleetInstance {
  /** 32 hex digits. */
  readonly id: string;
  /** `i-…`, or `mi-…` for an external one, which EC2 does not know. */
  readonly ec2Id: string;
  readonly privateIp?: string;
  readonly publicIp?: string;
}

interface FleetDefinition {
  readonly family: string;
  readonly revision?: number;
  readonly networkMode?: string;
  readonly containers: readonly {
    readonly name: string;
    readonly portMappings?: readonly object[];
  }[];
}

export interface FleetCluster {
  readonly name: string;
  readonly services?: readonly string[];
  readonly instances?: readonly FleetInstance[];
  readonly tasks: readonly FleetTask[];
}

export interface FleetState {
  readonly clusters: readonly FleetCluster[];
  readonly definitions?: readonly FleetDefinition[];
}

export const fleetOperations = [
  "ListTasks",
  "DescribeTasks",
  "ListContainerInstances",
  "DescribeContainerInstances",
  "DescribeTaskDefinition",
  "DescribeInstances",
  "DescribeNetworkInterfaces",
] as const;
export type FleetOperation = (typeof fleetOperations)[number];

/** The most on a page and in a question [API]. */
const MOST = 100;
/** Values of one filter [EC2, DescribeInstances]. */
const MOST_VALUES = 200;
const REGION = "eu-west-1";
const ACCOUNT = "123456789012";

/** Thrown inside, and answered. */
export class FleetRefusal extends Error {
  readonly code: string;
  readonly status: number;
  constructor(code: string, message: string, status = 400) {
    super(message);
    this.code = code;
    this.status = status;
  }
}
const invalid = (message: string) => new FleetRefusal("InvalidParameterException", message);

const fleetArn = (resource: string, rest: string): string =>
  `arn:aws:ecs:${REGION}:${ACCOUNT}:${resource}/${rest}`;
const definitionArn = ({ family, revision = 1 }: { family: string; revision?: number }) =>
  fleetArn("task-definition", `${family}:${revision}`);

type Input = Readonly<Record<string, unknown>>;
type EcsOperation = Exclude<FleetOperation, "DescribeInstances" | "DescribeNetworkInterfaces">;

/** The fields that the stand-in knows of each operation; the real ones have more, which it refuses. */
const FIELDS: Readonly<Record<EcsOperation, readonly string[]>> = {
  ListTasks: [
    "cluster",
    "family",
    "serviceName",
    "containerInstance",
    "nextToken",
    "maxResults",
    "desiredStatus",
  ],
  ListContainerInstances: ["cluster", "nextToken", "maxResults"],
  DescribeTasks: ["cluster", "tasks"],
  DescribeContainerInstances: ["cluster", "containerInstances"],
  DescribeTaskDefinition: ["taskDefinition"],
};

/** What ECS answers, as the value of its JSON. Throws a `FleetRefusal`. */
export function ecsAnswer(operation: EcsOperation, input: Input, state: FleetState): object {
  for (const name of Object.keys(input)) {
    if (!FIELDS[operation].includes(name)) {
      throw invalid(`the stand-in does not know ${operation}'s ${name}`);
    }
  }
  switch (operation) {
    case "ListTasks":
      return listTasks(input, clusterOf(input, state));
    case "DescribeTasks":
      return describeTasks(input, clusterOf(input, state));
    case "ListContainerInstances":
      return listInstances(input, clusterOf(input, state));
    case "DescribeContainerInstances":
      return describeInstances(input, clusterOf(input, state));
    case "DescribeTaskDefinition":
      return describeDefinition(input, state);
  }
}

function clusterOf({ cluster = "default" }: Input, { clusters }: FleetState): FleetCluster {
  const found = clusters.find(
    ({ name }) => cluster === name || cluster === fleetArn("cluster", name),
  );
  if (found === undefined) throw new FleetRefusal("ClusterNotFoundException", "Cluster not found.");
  return found;
}

/** `serviceName` and `family` may not be given together [API, ListTasks: by the service, or by the family]. */
function listTasks(input: Input, cluster: FleetCluster): object {
  const { family, serviceName, containerInstance, desiredStatus = "RUNNING" } = input;
  if (family !== undefined && serviceName !== undefined) {
    throw invalid("cannot specify both serviceName and family");
  }
  if (serviceName !== undefined && !cluster.services?.includes(textIn(serviceName))) {
    throw new FleetRefusal("ServiceNotFoundException", "Service not found.");
  }
  const all = cluster.tasks.filter(
    (task) =>
      (task.desiredStatus ?? "RUNNING") === desiredStatus &&
      // A family has no revision here: `web:7` is the family of nothing.
      (family === undefined || task.family === family) &&
      // By its id or ARN [API, ListTasks].
      (containerInstance === undefined ||
        task.instance === textIn(containerInstance).replace(/^.*\//, "")) &&
      (serviceName === undefined || task.service === serviceName),
  );
  const { arns: taskArns, ...next } = pageOf(input, cluster.name, all, "task");
  return { taskArns, ...next };
}

/** Those of every status but INACTIVE [API, ListContainerInstances]. */
function listInstances(input: Input, { name, instances = [] }: FleetCluster): object {
  const { arns, ...next } = pageOf(input, name, instances, "container-instance");
  return { containerInstanceArns: arns, ...next };
}

function pageOf(
  { nextToken, maxResults = MOST }: Input,
  cluster: string,
  all: readonly { readonly id: string }[],
  resource: string,
) {
  const size = Number(maxResults);
  if (!Number.isInteger(size) || size < 1 || size > MOST) throw invalid("maxResults: 1 to 100");
  const from = nextToken === undefined ? 0 : offsetIn(textIn(nextToken), cluster);
  const to = from + size;
  return {
    arns: all.slice(from, to).map(({ id }) => fleetArn(resource, `${cluster}/${id}`)),
    ...(to < all.length && { nextToken: tokenOf(cluster, to) }),
  };
}

function textIn(value: unknown): string {
  if (typeof value !== "string") throw invalid("expected a text");
  return value;
}

const tokenOf = (cluster: string, offset: number): string =>
  Buffer.from(JSON.stringify([cluster, offset])).toString("base64url");

function offsetIn(token: string, cluster: string): number {
  const [, digits] = /,(\d+)\]$/.exec(Buffer.from(token, "base64url").toString()) ?? [];
  if (digits === undefined || tokenOf(cluster, Number(digits)) !== token) {
    throw invalid("Invalid token");
  }
  return Number(digits);
}

function idsIn(value: unknown, name: string): readonly string[] {
  if (!Array.isArray(value) || value.length === 0) throw invalid(`${name} can not be empty.`);
  if (value.length > MOST) throw invalid(`${name} can have at most ${MOST} items.`);
  return value.map((one) => String(one).replace(/^.*\//, ""));
}

function describeTasks(input: Input, { name, tasks }: FleetCluster): object {
  const ids = idsIn(input["tasks"], "taskIds");
  const found = tasks.filter(({ id }) => ids.includes(id));
  return {
    tasks: found.map((task) => shownTask(name, task)),
    failures: missing(ids, found, "task", name),
  };
}

const missing = (
  ids: readonly string[],
  found: readonly { readonly id: string }[],
  resource: string,
  cluster: string,
) =>
  ids
    .filter((id) => !found.some((one) => one.id === id))
    .map((id) => ({ arn: fleetArn(resource, `${cluster}/${id}`), reason: "MISSING" }));

function shownTask(cluster: string, task: FleetTask): object {
  const { id, instance, lastStatus = "RUNNING", desiredStatus = "RUNNING", eni } = task;
  return {
    taskArn: fleetArn("task", `${cluster}/${id}`),
    clusterArn: fleetArn("cluster", cluster),
    taskDefinitionArn: definitionArn(task),
    group: task.service === undefined ? `family:${task.family}` : `service:${task.service}`,
    launchType: instance === undefined ? "FARGATE" : "EC2",
    ...(instance !== undefined && {
      containerInstanceArn: fleetArn("container-instance", `${cluster}/${instance}`),
    }),
    lastStatus,
    desiredStatus,
    healthStatus: task.healthStatus ?? "UNKNOWN",
    ...(task.createdAt !== undefined && { createdAt: task.createdAt }),
    ...(task.startedAt !== undefined && { startedAt: task.startedAt }),
    attachments: eni === undefined ? [] : [attachmentOf(eni)],
    containers: task.containers.map((container) => ({
      name: container.name,
      lastStatus: container.lastStatus ?? lastStatus,
      healthStatus: container.healthStatus ?? "UNKNOWN",
      ...(container.runtimeId !== undefined && { runtimeId: container.runtimeId }),
      networkBindings: container.networkBindings ?? [],
      networkInterfaces:
        eni === undefined
          ? []
          : [
              {
                attachmentId: eni.id,
                ...(eni.ipv4 !== undefined && { privateIpv4Address: eni.ipv4 }),
                ...(eni.ipv6 !== undefined && { ipv6Address: eni.ipv6 }),
              },
            ],
    })),
    ...task.garbage,
  };
}

/** The detail's names: [API, Attachment]. */
const attachmentOf = (eni: NonNullable<FleetTask["eni"]>): object => ({
  id: eni.id,
  type: "ElasticNetworkInterface",
  status: "ATTACHED",
  details: [
    { name: "networkInterfaceId", value: eni.id },
    ...(eni.ipv4 === undefined ? [] : [{ name: "privateIPv4Address", value: eni.ipv4 }]),
    ...(eni.ipv6 === undefined ? [] : [{ name: "ipv6Address", value: eni.ipv6 }]),
  ],
});

function describeInstances(input: Input, { name, instances = [] }: FleetCluster): object {
  const ids = idsIn(input["containerInstances"], "instanceIds");
  const found = instances.filter(({ id }) => ids.includes(id));
  return {
    containerInstances: found.map(({ id, ec2Id }) => ({
      containerInstanceArn: fleetArn("container-instance", `${name}/${id}`),
      ec2InstanceId: ec2Id,
      status: "ACTIVE",
      agentConnected: true,
    })),
    failures: missing(ids, found, "container-instance", name),
  };
}

function describeDefinition({ taskDefinition }: Input, { definitions = [] }: FleetState): object {
  const found = definitions.find((one) => definitionArn(one) === taskDefinition);
  if (found === undefined) {
    throw new FleetRefusal("ClientException", "Unable to describe task definition.");
  }
  return {
    taskDefinition: {
      taskDefinitionArn: definitionArn(found),
      family: found.family,
      revision: found.revision ?? 1,
      networkMode: found.networkMode ?? "bridge",
      containerDefinitions: found.containers.map(({ name, portMappings = [] }) => ({
        name,
        portMappings,
      })),
    },
  };
}

/** What EC2 answers, as XML. Throws a `FleetRefusal`. */
export function ec2Answer(
  operation: "DescribeInstances" | "DescribeNetworkInterfaces",
  form: URLSearchParams,
  { clusters }: FleetState,
): string {
  const filter = operation === "DescribeInstances" ? "instance-id" : "network-interface-id";
  const asked = valuesIn(form, filter);
  const head = `<${operation}Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>00000000-0000-4000-8000-000000000000</requestId>`;
  if (operation === "DescribeInstances") {
    const found = clusters
      .flatMap(({ instances = [] }) => instances)
      .filter(({ ec2Id }) => asked.includes(ec2Id) && ec2Id.startsWith("i-"));
    // One reservation each, as instances that an auto scaling group starts one by one have.
    const items = found.map(
      ({ ec2Id, privateIp, publicIp }) =>
        `<item><reservationId>r-1</reservationId><instancesSet><item><instanceId>${ec2Id}</instanceId>${element("privateIpAddress", privateIp)}${element("ipAddress", publicIp)}</item></instancesSet></item>`,
    );
    return `${head}<reservationSet>${items.join("")}</reservationSet></${operation}Response>`;
  }
  const found = clusters
    .flatMap(({ tasks }) => tasks.flatMap(({ eni }) => (eni === undefined ? [] : [eni])))
    .filter(({ id }) => asked.includes(id));
  const items = found.map(
    ({ id, ipv4, publicIp }) =>
      `<item><networkInterfaceId>${id}</networkInterfaceId>${element("privateIpAddress", ipv4)}${publicIp === undefined ? "" : `<association>${element("publicIp", publicIp)}</association>`}</item>`,
  );
  return `${head}<networkInterfaceSet>${items.join("")}</networkInterfaceSet></${operation}Response>`;
}

const element = (name: string, text: string | undefined): string =>
  text === undefined ? "" : `<${name}>${text}</${name}>`;

function valuesIn(form: URLSearchParams, filter: string): readonly string[] {
  const known = /^(?:Action|Version|Filter\.1\.Name|Filter\.1\.Value\.\d+)$/;
  for (const name of form.keys()) {
    if (!known.test(name)) {
      throw new FleetRefusal("UnknownParameter", `The parameter ${name} is not recognized`);
    }
  }
  if (form.get("Version") !== "2016-11-15") {
    throw new FleetRefusal("NoSuchVersion", "the stand-in knows version 2016-11-15");
  }
  if (form.get("Filter.1.Name") !== filter) {
    throw new FleetRefusal("InvalidParameterValue", `the stand-in knows the filter ${filter}`);
  }
  const values = [...form].flatMap(([name, value]) =>
    name.startsWith("Filter.1.Value.") ? [value] : [],
  );
  if (values.length === 0 || values.length > MOST_VALUES) {
    throw new FleetRefusal("FilterLimitExceeded", `a filter has 1 to ${MOST_VALUES} values`);
  }
  return values;
}
