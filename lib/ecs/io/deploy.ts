import {
  CreateServiceCommand,
  type CreateServiceCommandInput,
  DeleteServiceCommand,
  DeleteTaskDefinitionsCommand,
  DeregisterTaskDefinitionCommand,
  DescribeClustersCommand,
  DescribeServicesCommand,
  DescribeTaskDefinitionCommand,
  DescribeTasksCommand,
  ECSClient,
  ListServicesCommand,
  ListTaskDefinitionFamiliesCommand,
  ListTaskDefinitionsCommand,
  ListTasksCommand,
  RegisterTaskDefinitionCommand,
  type RegisterTaskDefinitionCommandInput,
  type Service,
  type Tag,
  TagResourceCommand,
  UpdateServiceCommand,
  type UpdateServiceCommandInput,
} from "@aws-sdk/client-ecs";
import { errorFacts } from "../../aws/answer.ts";
import { clientDefaults } from "../../aws/io/client-defaults.ts";
import { awsFailure } from "../../aws/io/failure.ts";
import { Fatal } from "../../kit/failure.ts";
import type { DeployedService, RegisteredRevision } from "../deployment.ts";

type Content = Readonly<Record<string, unknown>>;
type Tags = ReadonlyMap<string, string>;

/**
 * What ECS has of task definitions and services, and the ways to change it. Each function is one request, or one a page.
 * All throw `Unavailable` when trying again may help and `Fatal` when it does not.
 */
export interface EcsDeploy {
  /** Of an active cluster, how many hosts it has; undefined where there is no such cluster. */
  cluster(name: string): Promise<{ readonly hosts: number; readonly running: number } | undefined>;
  /** Names of the services that are not inactive. */
  serviceNames(cluster: string): Promise<readonly string[]>;
  /** At most 10 (API reference, DescribeServices); those that ECS does not know are left out. */
  services(cluster: string, names: readonly string[]): Promise<readonly DeployedService[]>;
  /** Families with an active revision, of those whose name begins so. */
  families(prefix: string): Promise<readonly string[]>;
  /** The latest active revision of a family, or the one that is named; undefined where there is none. */
  taskDefinition(reference: string): Promise<RegisteredRevision | undefined>;
  /** The ARNs of a family's active revisions. */
  revisions(family: string): Promise<readonly string[]>;
  /** Sent once: whoever is not answered looks before registering again. Comes back with the revision's ARN. */
  register(family: string, content: Content, tags: Tags): Promise<string>;
  deregister(arn: string): Promise<void>;
  /** Deletes deregistered revisions, at most 10 (API reference, DeleteTaskDefinitions). */
  forget(arns: readonly string[]): Promise<void>;
  createService(input: Content, tags: Tags): Promise<void>;
  updateService(input: Content): Promise<void>;
  deleteService(cluster: string, name: string): Promise<void>;
  tag(arn: string, tags: Tags): Promise<void>;
  /** Why the service's latest tasks stopped, in ECS's words; at most 10 tasks are asked about. */
  stopReasons(cluster: string, service: string): Promise<readonly string[]>;
  close(): void;
}

export function ecsDeploy(options: {
  readonly region?: string;
  readonly profile?: string;
}): EcsDeploy {
  const { retryStrategy: _, ...rest } = clientDefaults();
  const clients: Clients = {
    client: new ECSClient({ ...options, ...clientDefaults() }),
    once: new ECSClient({ ...options, ...rest, maxAttempts: 1 }),
  };
  return {
    ...clusterCalls(clients),
    ...listCalls(clients),
    ...taskDefinitionCalls(clients),
    ...serviceCalls(clients),
    close() {
      clients.client.destroy();
      clients.once.destroy();
    },
  };
}

/** The second never repeats by itself what may have landed. */
interface Clients {
  readonly client: ECSClient;
  readonly once: ECSClient;
}

async function asked<T>(operation: string, on: string, answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw awsFailure("ECS", operation, error, { permission: `ecs:${operation}`, on });
  }
}

async function all<T>(
  page: (
    from: string | undefined,
  ) => Promise<{ readonly items: readonly T[]; readonly next: string | undefined }>,
): Promise<readonly T[]> {
  const found: T[] = [];
  let from: string | undefined;
  do {
    const { items, next } = await page(from);
    found.push(...items);
    from = next || undefined;
  } while (from !== undefined);
  return found;
}

const clusterCalls = ({
  client,
}: Clients): Pick<EcsDeploy, "cluster" | "serviceNames" | "tag" | "stopReasons"> => ({
  async cluster(name) {
    const { clusters: [found] = [] } = await asked(
      "DescribeClusters",
      `cluster ${name}`,
      client.send(new DescribeClustersCommand({ clusters: [name] })),
    );
    return found?.status === "ACTIVE"
      ? {
          hosts: found.registeredContainerInstancesCount ?? 0,
          running: found.runningTasksCount ?? 0,
        }
      : undefined;
  },
  serviceNames: (cluster) =>
    all(async (nextToken) => {
      const answer = await asked(
        "ListServices",
        `cluster ${cluster}`,
        client
          .send(new ListServicesCommand({ cluster, nextToken, maxResults: 100 }))
          .catch(noCluster({ serviceArns: [], nextToken: undefined })),
      );
      return {
        items: (answer.serviceArns ?? []).map((arn) => arn.replace(/^.*\//, "")),
        next: answer.nextToken,
      };
    }),
  async tag(resourceArn, tags) {
    await asked(
      "TagResource",
      resourceArn,
      client.send(new TagResourceCommand({ resourceArn, tags: writeTags(tags) })),
    );
  },
  async stopReasons(cluster, serviceName) {
    const { taskArns = [] } = await asked(
      "ListTasks",
      serviceName,
      client.send(
        new ListTasksCommand({ cluster, serviceName, desiredStatus: "STOPPED", maxResults: 10 }),
      ),
    );
    if (taskArns.length === 0) return [];
    const { tasks = [] } = await asked(
      "DescribeTasks",
      serviceName,
      client.send(new DescribeTasksCommand({ cluster, tasks: taskArns })),
    );
    const reasons = tasks.flatMap(({ stoppedReason, containers = [] }) => [
      ...(stoppedReason ? [stoppedReason] : []),
      ...containers.flatMap(({ name = "", reason, exitCode }) => {
        if (reason) return [`container ${name}: ${reason}`];
        return exitCode ? [`container ${name} ended with exit code ${exitCode}`] : [];
      }),
    ]);
    return [...new Set(reasons)];
  },
});

const listCalls = ({ client }: Clients): Pick<EcsDeploy, "families" | "revisions"> => ({
  families: (prefix) =>
    all(async (nextToken) => {
      const answer = await asked(
        "ListTaskDefinitionFamilies",
        prefix,
        client.send(
          new ListTaskDefinitionFamiliesCommand({
            status: "ACTIVE",
            maxResults: 100,
            nextToken,
            ...(prefix !== "" && { familyPrefix: prefix }),
          }),
        ),
      );
      return {
        items: (answer.families ?? []).filter((family) => family.startsWith(prefix)),
        next: answer.nextToken,
      };
    }),
  revisions: (family) =>
    all(async (nextToken) => {
      const answer = await asked(
        "ListTaskDefinitions",
        family,
        client.send(
          new ListTaskDefinitionsCommand({ familyPrefix: family, status: "ACTIVE", nextToken }),
        ),
      );
      return { items: answer.taskDefinitionArns ?? [], next: answer.nextToken };
    }),
});

const taskDefinitionCalls = ({
  client,
  once,
}: Clients): Pick<EcsDeploy, "taskDefinition" | "register" | "deregister" | "forget"> => ({
  async taskDefinition(reference) {
    const answer = await asked(
      "DescribeTaskDefinition",
      reference,
      client
        .send(new DescribeTaskDefinitionCommand({ taskDefinition: reference, include: ["TAGS"] }))
        .catch((error: unknown) => {
          // ECS has no error of its own for it (API reference, DescribeTaskDefinition: ClientException).
          if (/Unable to describe task definition|not found/i.test(errorFacts(error).message)) {
            return undefined;
          }
          throw error;
        }),
    );
    const found = answer?.taskDefinition;
    if (found?.status === "INACTIVE") return undefined;
    return found === undefined
      ? undefined
      : {
          arn: found.taskDefinitionArn ?? "",
          family: found.family ?? "",
          tags: readTags(answer?.tags),
          content: { ...found },
        };
  },
  async register(family, content, tags) {
    const own = content["tags"] as readonly Tag[] | undefined;
    const input = { ...content, family, tags: [...(own ?? []), ...writeTags(tags)] };
    const { taskDefinition } = await asked(
      "RegisterTaskDefinition",
      family,
      once.send(
        new RegisterTaskDefinitionCommand(input as unknown as RegisterTaskDefinitionCommandInput),
      ),
    );
    return taskDefinition?.taskDefinitionArn ?? "";
  },
  async deregister(arn) {
    await asked(
      "DeregisterTaskDefinition",
      arn,
      client.send(new DeregisterTaskDefinitionCommand({ taskDefinition: arn })),
    );
  },
  async forget(arns) {
    const { failures = [] } = await asked(
      "DeleteTaskDefinitions",
      arns[0] ?? "",
      client.send(new DeleteTaskDefinitionsCommand({ taskDefinitions: [...arns] })),
    );
    const [first] = failures;
    if (first !== undefined) {
      throw new Fatal(`ECS did not delete ${first.arn}: ${first.reason ?? "it gives no reason"}`);
    }
  },
});

const serviceCalls = ({
  client,
  once,
}: Clients): Pick<EcsDeploy, "services" | "createService" | "updateService" | "deleteService"> => ({
  async services(cluster, names) {
    const { services = [] } = await asked(
      "DescribeServices",
      `cluster ${cluster}`,
      client
        .send(new DescribeServicesCommand({ cluster, services: [...names], include: ["TAGS"] }))
        .catch(noCluster({ services: [] })),
    );
    return services.map(readService);
  },
  async createService(input, tags) {
    const own = input["tags"] as readonly Tag[] | undefined;
    const full = { ...input, tags: [...(own ?? []), ...writeTags(tags)] };
    await asked(
      "CreateService",
      String(input["serviceName"]),
      once.send(new CreateServiceCommand(full as unknown as CreateServiceCommandInput)),
    );
  },
  async updateService(input) {
    await asked(
      "UpdateService",
      String(input["service"]),
      client.send(new UpdateServiceCommand(input as unknown as UpdateServiceCommandInput)),
    );
  },
  async deleteService(cluster, service) {
    await asked(
      "DeleteService",
      service,
      client.send(new DeleteServiceCommand({ cluster, service, force: true })).catch(noService),
    );
  },
});

/** A cluster that is not there has no services: it is made before they are. */
const noCluster =
  <T>(empty: T) =>
  (error: unknown): T => {
    if (errorFacts(error).name === "ClusterNotFoundException") return empty;
    throw error;
  };

function noService(error: unknown): void {
  const { name } = errorFacts(error);
  if (name !== "ServiceNotFoundException" && name !== "ServiceNotActiveException") throw error;
}

const writeTags = (tags: Tags): Tag[] => [...tags].map(([key, value]) => ({ key, value }));
const readTags = (tags: readonly Tag[] | undefined): Tags =>
  new Map(tags?.map(({ key = "", value = "" }) => [key, value]));

const readService = (service: Service): DeployedService => ({
  name: service.serviceName ?? "",
  arn: service.serviceArn ?? "",
  status: (service.status ?? "INACTIVE") as DeployedService["status"],
  taskDefinition: service.taskDefinition ?? "",
  desired: service.desiredCount ?? 0,
  running: service.runningCount ?? 0,
  pending: service.pendingCount ?? 0,
  daemon: service.schedulingStrategy === "DAEMON",
  tags: readTags(service.tags),
  deployments: (service.deployments ?? []).map((one) => ({
    id: one.id ?? "",
    status: one.status ?? "",
    ...(one.rolloutState && { rollout: one.rolloutState }),
    ...(one.rolloutStateReason && { reason: one.rolloutStateReason }),
    taskDefinition: one.taskDefinition ?? "",
    running: one.runningCount ?? 0,
    desired: one.desiredCount ?? 0,
    failed: one.failedTasks ?? 0,
  })),
  events: (service.events ?? []).map(({ id = "", createdAt, message = "" }) => ({
    id,
    atMs: createdAt?.getTime() ?? 0,
    text: message,
  })),
  all: { ...service },
});
