import {
  DescribeContainerInstancesCommand,
  DescribeTasksCommand,
  ECSClient,
  type Failure,
  ListClustersCommand,
  ListContainerInstancesCommand,
  ListTasksCommand,
} from "@aws-sdk/client-ecs";
import { errorFacts, judged } from "../../aws/answer.ts";
import { clientDefaults } from "../../aws/io/client-defaults.ts";
import { inTime, REQUEST_LIMIT_MS, readWhole } from "../../aws/io/whole-answers.ts";
import { Fatal, Unavailable } from "../../kit/failure.ts";
import { quote } from "../../kit/quote.ts";
import { ECS_ID, type InstanceId, ownerOf, type TaskId, taskIdOf } from "../arn.ts";
import { clusterName, type Described, type InstanceState, type TaskState } from "../fleet.ts";

/** A page of a list. `next` is where the following one begins; undefined on the last one. */
interface Page<Id> {
  readonly ids: readonly Id[];
  readonly next?: string;
}

/**
 * What ECS tells of one account and region, read only; each function is one request. All throw `Unavailable` when trying
 * again may help, and `Fatal` when only an operator can (no permission, no such cluster). `cluster` is a name or an ARN.
 */
export interface EcsControl {
  /** ARNs. */
  clusters(from: string | undefined): Promise<Page<string>>;
  /** Those of every status but INACTIVE (API reference, ListContainerInstances, `status`). */
  instances(cluster: string, from: string | undefined): Promise<Page<InstanceId>>;
  /** Those whose desired status is RUNNING. */
  runningTasks(cluster: string, from: string | undefined): Promise<Page<TaskId>>;
  /** At most 100. What ECS does not answer about is not in the map. */
  describeInstances(
    cluster: string,
    ids: readonly InstanceId[],
  ): Promise<ReadonlyMap<InstanceId, Described<InstanceState>>>;
  /** At most 100; ECS remembers stopped tasks for at least an hour (API reference, DescribeTasks). */
  describeTasks(
    cluster: string,
    ids: readonly TaskId[],
  ): Promise<ReadonlyMap<TaskId, Described<TaskState>>>;
  close(): void;
}

/** Credentials and, when set, the endpoint (AWS_ENDPOINT_URL_ECS) come from where the AWS SDK finds them. */
export function ecsControl({ region }: { readonly region: string }): EcsControl {
  const client = new ECSClient({ region, ...clientDefaults() });
  readWhole(client);
  const asked: Ask = (operation, cluster, send) =>
    inTime(REQUEST_LIMIT_MS, send).catch((error: unknown): never => {
      throw failure(operation, cluster, error);
    });
  return { ...lists(client, asked), ...descriptions(client, asked), close: () => client.destroy() };
}

/** The answer to one request, in time. Throws what a failure means to the caller. */
type Ask = <T>(
  operation: string,
  cluster: string | undefined,
  send: (limit: { readonly abortSignal: AbortSignal }) => Promise<T>,
) => Promise<T>;

const lists = (
  client: ECSClient,
  asked: Ask,
): Pick<EcsControl, "clusters" | "instances" | "runningTasks"> => ({
  async clusters(from) {
    const { clusterArns, nextToken } = await asked("ListClusters", undefined, (limit) =>
      client.send(new ListClustersCommand({ nextToken: from }), limit),
    );
    return page(present("clusterArns", clusterArns), nextToken);
  },
  async instances(cluster, from) {
    const { containerInstanceArns, nextToken } = await asked(
      "ListContainerInstances",
      cluster,
      (limit) =>
        client.send(new ListContainerInstancesCommand({ cluster, nextToken: from }), limit),
    );
    const arns = present("containerInstanceArns", containerInstanceArns);
    return page(
      arns.map((arn) => ownerOf(arn)?.instance ?? strange(arn)),
      nextToken,
    );
  },
  async runningTasks(cluster, from) {
    const { taskArns, nextToken } = await asked("ListTasks", cluster, (limit) =>
      client.send(
        new ListTasksCommand({ cluster, desiredStatus: "RUNNING", nextToken: from }),
        limit,
      ),
    );
    const arns = present("taskArns", taskArns);
    return page(
      arns.map((arn) => taskIdOf(arn) ?? strange(arn)),
      nextToken,
    );
  },
});

const descriptions = (
  client: ECSClient,
  asked: Ask,
): Pick<EcsControl, "describeInstances" | "describeTasks"> => ({
  async describeInstances(cluster, ids) {
    const { containerInstances = [], failures } = await asked(
      "DescribeContainerInstances",
      cluster,
      (limit) =>
        client.send(
          new DescribeContainerInstancesCommand({ cluster, containerInstances: [...ids] }),
          limit,
        ),
    );
    const answers = missing<InstanceId, InstanceState>(failures);
    for (const one of containerInstances) {
      const { containerInstanceArn = "", status, agentConnected, ec2InstanceId } = one;
      const id = ownerOf(containerInstanceArn)?.instance ?? strange(containerInstanceArn);
      const ec2 = ec2InstanceId && { ec2Instance: ec2InstanceId };
      if (status === undefined) continue;
      answers.set(id, { kind: "found", status, agentConnected: agentConnected === true, ...ec2 });
    }
    return answers;
  },
  async describeTasks(cluster, ids) {
    const { tasks = [], failures } = await asked("DescribeTasks", cluster, (limit) =>
      client.send(new DescribeTasksCommand({ cluster, tasks: [...ids] }), limit),
    );
    const answers = missing<TaskId, TaskState>(failures);
    for (const { taskArn = "", lastStatus: status, containerInstanceArn: on = "" } of tasks) {
      const id = taskIdOf(taskArn) ?? strange(taskArn);
      const { instance } = ownerOf(on) ?? {};
      if (status !== undefined)
        answers.set(id, { kind: "found", status, ...(instance && { instance }) });
    }
    return answers;
  },
});

const page = <Id>(ids: readonly Id[], next: string | undefined): Page<Id> =>
  // An empty token would lead back to the first page.
  next === undefined || next === "" ? { ids } : { ids, next };

/** A list that is not there at all is no empty list. */
function present<T>(name: string, list: readonly T[] | undefined): readonly T[] {
  if (list === undefined) throw new Fatal(`ECS gave an answer without ${name}`);
  return list;
}

function strange(arn: string): never {
  throw new Fatal(`ECS gave ${quote(arn)}, expected the ARN of a container instance or task`);
}

const FAILED_ID = new RegExp(`(?:^|/)(${ECS_ID})$`);

/**
 * Those that ECS calls MISSING; a failure for any other reason says nothing. Asked for an id, it answers with an ARN
 * (Developer Guide, API failure reasons).
 */
function missing<Id extends string, State>(
  failures: readonly Failure[] = [],
): Map<Id, Described<State>> {
  const answers = new Map<Id, Described<State>>();
  for (const { arn = "", reason } of failures) {
    const [, id] = FAILED_ID.exec(arn) ?? [];
    if (reason === "MISSING" && id !== undefined) answers.set(id as Id, { kind: "missing" });
  }
  return answers;
}

function failure(
  operation: string,
  asked: string | undefined,
  error: unknown,
): Unavailable | Fatal {
  if (error instanceof Unavailable || error instanceof Fatal) return error;
  const { kind, words } = judged(error);
  const { name, attempts } = errorFacts(error);
  const cluster = asked === undefined ? "" : quote(clusterName(asked));
  const where = asked === undefined ? "" : ` in cluster ${cluster}`;
  if (kind === "defect") throw error;
  if (kind !== "refused") {
    return new Unavailable("ECS", `did not take ${operation}${where}`, {
      cause: `${words}${attempts > 1 ? ` (${attempts} times)` : ""}`,
      // All that is asked here only reads.
      mayHaveLanded: false,
      ...(kind !== "outage" && { demand: kind }),
    });
  }
  if (name.startsWith("AccessDenied")) {
    return new Fatal(
      `ECS denied ${operation}${where}: allow ecs:${operation} in the role of this process`,
      { cause: error },
    );
  }
  if (name === "ClusterNotFoundException") {
    return new Fatal(
      `ECS knows no cluster ${cluster} in this account and region: see \`aws ecs list-clusters\`, and AWS_REGION`,
      { cause: error },
    );
  }
  return new Fatal(`ECS refused ${operation}${where}`, { cause: error });
}
