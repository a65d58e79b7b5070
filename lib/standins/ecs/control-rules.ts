/**
 * What ECS answers to the five operations that a sweep reads with.
 * Sources: [API] Amazon ECS API Reference, the operation's own page; [FAIL] Developer Guide, API failure reasons;
 * [GH owner/repo#n] a thread that quotes a real answer. Texts without a source are ours.
 */

export interface ControlInstance {
  /** 32 hex digits. */
  readonly id: string;
  /** Default ACTIVE. */
  readonly status?: string;
  /** Default true. */
  readonly agentConnected?: boolean;
}

export interface ControlTask {
  /** 32 hex digits. */
  readonly id: string;
  readonly instance?: string;
  /** Default RUNNING. */
  readonly lastStatus?: string;
  /** Default RUNNING, but STOPPED for one that has stopped. */
  readonly desiredStatus?: "RUNNING" | "STOPPED";
}

export interface ControlCluster {
  readonly name: string;
  readonly instances: readonly ControlInstance[];
  readonly tasks: readonly ControlTask[];
}

export interface ControlState {
  readonly clusters: readonly ControlCluster[];
}

export interface EcsError {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

const operations = [
  "ListClusters",
  "ListContainerInstances",
  "ListTasks",
  "DescribeContainerInstances",
  "DescribeTasks",
] as const;
export type Operation = (typeof operations)[number];

/** The most on a page and in a question [API]. */
const MOST = 100;
const REGION = "eu-west-1";
const ACCOUNT = "123456789012";

export type ControlAnswer =
  | { readonly ok: true; readonly body: object }
  | { readonly ok: false; readonly error: EcsError };

/** What a request asks for, as far as it could be read. */
interface Asked {
  readonly cluster?: string;
  readonly page: number;
  readonly ids: number;
}

/** By the service's target prefix, in its API's version of 2014-11-13. */
export function operationOf(
  method: string | undefined,
  target: string | string[] | undefined,
): Operation | "unknown" {
  if (method !== "POST") return "unknown";
  return (
    operations.find((one) => target === `AmazonEC2ContainerServiceV20141113.${one}`) ?? "unknown"
  );
}

/** Thrown inside, and answered. */
class Refusal extends Error {
  readonly error: EcsError;
  constructor(code: string, message: string) {
    super(message);
    this.error = { status: 400, code, message };
  }
}
const invalid = (message: string) => new Refusal("InvalidParameterException", message);

const arn = (resource: string, cluster: string, id?: string): string =>
  `arn:aws:ecs:${REGION}:${ACCOUNT}:${resource}/${cluster}${id === undefined ? "" : `/${id}`}`;

export function answerTo(
  operation: Operation | "unknown",
  body: string,
  state: ControlState,
): { readonly asked: Asked; readonly answer: ControlAnswer } {
  let asked: Asked = { page: 1, ids: 0 };
  try {
    if (operation === "unknown") {
      throw new Refusal("UnknownOperationException", "the stand-in does not know this operation");
    }
    const input = inputOf(operation, body);
    const cluster = input.cluster ?? "default";
    asked = {
      ...(operation !== "ListClusters" && { cluster: shortName(cluster) }),
      page: Math.floor(offsetOf(operation, input) / (input.maxResults ?? MOST)) + 1,
      ids: (input.containerInstances ?? input.tasks ?? []).length,
    };
    const found = operation === "ListClusters" ? undefined : clusterOf(cluster, state);
    return { asked, answer: { ok: true, body: answers[operation](input, found ?? NONE, state) } };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { asked, answer: { ok: false, error: error.error } };
  }
}

const NONE: ControlCluster = { name: "", instances: [], tasks: [] };

interface Input {
  readonly cluster?: string;
  readonly nextToken?: string;
  readonly maxResults?: number;
  readonly desiredStatus?: string;
  readonly containerInstances?: readonly string[];
  readonly tasks?: readonly string[];
}

type Kind = "text" | "count" | "texts";
/** The fields that the stand-in knows of each operation; the real ones have more, which it refuses. */
const fields: Readonly<Record<Operation, Readonly<Record<string, Kind>>>> = {
  ListClusters: { nextToken: "text", maxResults: "count" },
  ListContainerInstances: { cluster: "text", nextToken: "text", maxResults: "count" },
  ListTasks: { cluster: "text", nextToken: "text", maxResults: "count", desiredStatus: "text" },
  DescribeContainerInstances: { cluster: "text", containerInstances: "texts" },
  DescribeTasks: { cluster: "text", tasks: "texts" },
};

const isKind: Readonly<Record<Kind, (value: unknown) => boolean>> = {
  text: (value) => typeof value === "string",
  count: (value) => Number.isInteger(value) && Number(value) >= 1 && Number(value) <= MOST,
  texts: (value) => Array.isArray(value) && value.every((one) => typeof one === "string"),
};

function inputOf(operation: Operation, body: string): Input {
  let input: unknown;
  try {
    input = JSON.parse(body);
  } catch {
    throw new Refusal("SerializationException", "expected JSON");
  }
  if (typeof input !== "object" || input === null || Array.isArray(input)) {
    throw new Refusal("SerializationException", "expected an object");
  }
  const known = fields[operation];
  for (const [name, value] of Object.entries(input)) {
    const kind = Object.hasOwn(known, name) ? known[name] : undefined;
    if (kind === undefined) throw invalid(`the stand-in does not know ${operation}'s ${name}`);
    if (!isKind[kind](value)) throw invalid(`${name}: expected ${kind}`);
  }
  return input as Input;
}

const shortName = (cluster: string): string => cluster.replace(/^.*\//, "");

function clusterOf(asked: string, { clusters }: ControlState): ControlCluster {
  const found = clusters.find(({ name }) => asked === name || asked === arn("cluster", name));
  // The text: [GH docker-archive/compose-cli#1084].
  if (found === undefined) throw new Refusal("ClusterNotFoundException", "Cluster not found.");
  return found;
}

/** A token holds for the operation and the cluster that gave it; to the client it is opaque [API]. */
const tokenOf = (operation: Operation, cluster: string, offset: number): string =>
  Buffer.from(JSON.stringify([operation, cluster, offset])).toString("base64url");

function offsetOf(operation: Operation, { nextToken, cluster = "default" }: Input): number {
  if (nextToken === undefined) return 0;
  const about = operation === "ListClusters" ? "" : shortName(cluster);
  const text = Buffer.from(nextToken, "base64url").toString();
  const [, offset] = /,(\d+)\]$/.exec(text) ?? [];
  if (offset === undefined || tokenOf(operation, about, Number(offset)) !== nextToken) {
    throw invalid("Invalid token");
  }
  return Number(offset);
}

function pageOf(operation: Operation, input: Input, about: string, all: readonly string[]) {
  const from = offsetOf(operation, input);
  const to = from + (input.maxResults ?? MOST);
  return {
    arns: all.slice(from, to),
    ...(to < all.length && { nextToken: tokenOf(operation, about, to) }),
  };
}

/** By id or ARN. */
function idsOf(asked: readonly string[] | undefined, name: string): readonly string[] {
  // The texts: [GH traefik/traefik#3625] and [GH sil-org/ecs-deploy#266].
  const called = name === "tasks" ? "taskIds" : "instanceIds";
  if (asked === undefined || asked.length === 0) throw invalid(`${called} can not be empty.`);
  if (asked.length > MOST) throw invalid(`${called} can have at most ${MOST} items.`);
  return asked.map(shortName);
}

/** One answer or one failure for each id, MISSING for what there is none of [FAIL]. */
function describe<T extends { readonly id: string }>(
  ids: readonly string[],
  all: readonly T[],
  resource: string,
  cluster: string,
  show: (one: T) => object,
) {
  const found = all.filter(({ id }) => ids.includes(id));
  return {
    found: found.map(show),
    failures: ids
      .filter((id) => !found.some((one) => one.id === id))
      .map((id) => ({ arn: arn(resource, cluster, id), reason: "MISSING" })),
  };
}

const desiredOf = ({ desiredStatus, lastStatus }: ControlTask): string =>
  desiredStatus ?? (lastStatus === "STOPPED" ? "STOPPED" : "RUNNING");

const answers: Readonly<
  Record<Operation, (input: Input, cluster: ControlCluster, state: ControlState) => object>
> = {
  ListClusters(input, _, { clusters }) {
    const all = clusters.map(({ name }) => arn("cluster", name));
    const { arns: clusterArns, ...next } = pageOf("ListClusters", input, "", all);
    return { clusterArns, ...next };
  },
  ListContainerInstances(input, { name, instances }) {
    // Without `status`: all but INACTIVE [API].
    const all = instances
      .filter(({ status }) => status !== "INACTIVE")
      .map(({ id }) => arn("container-instance", name, id));
    const { arns, ...next } = pageOf("ListContainerInstances", input, name, all);
    return { containerInstanceArns: arns, ...next };
  },
  ListTasks(input, { name, tasks }) {
    const { desiredStatus = "RUNNING" } = input;
    const all = tasks
      .filter((task) => desiredOf(task) === desiredStatus)
      .map(({ id }) => arn("task", name, id));
    const { arns: taskArns, ...next } = pageOf("ListTasks", input, name, all);
    return { taskArns, ...next };
  },
  DescribeContainerInstances({ containerInstances }, { name, instances }) {
    const ids = idsOf(containerInstances, "containerInstances");
    const { found, failures } = describe(
      ids,
      instances,
      "container-instance",
      name,
      ({ id, status = "ACTIVE", agentConnected = true }) => ({
        containerInstanceArn: arn("container-instance", name, id),
        ec2InstanceId: `i-${id.slice(-17)}`,
        status,
        agentConnected,
      }),
    );
    return { containerInstances: found, failures };
  },
  DescribeTasks({ tasks: asked }, { name, tasks }) {
    const ids = idsOf(asked, "tasks");
    const { found, failures } = describe(ids, tasks, "task", name, (task) => ({
      taskArn: arn("task", name, task.id),
      clusterArn: arn("cluster", name),
      ...(task.instance !== undefined && {
        containerInstanceArn: arn("container-instance", name, task.instance),
      }),
      lastStatus: task.lastStatus ?? "RUNNING",
      desiredStatus: desiredOf(task),
      launchType: "EC2",
    }));
    return { tasks: found, failures };
  },
};
