import {
  DescribeContainerInstancesCommand,
  DescribeTaskDefinitionCommand,
  DescribeTasksCommand,
  ECSClient,
  ListTasksCommand,
} from "@aws-sdk/client-ecs";
import * as z from "zod";
import { errorFacts, judged } from "../../aws/answer.ts";
import { clientDefaults } from "../../aws/io/client-defaults.ts";
import { inTime, REQUEST_LIMIT_MS, readWhole } from "../../aws/io/whole-answers.ts";
import { Fatal, Unavailable } from "../../kit/failure.ts";
import { shapeProblem } from "../../kit/io/shape.ts";
import { quote } from "../../kit/quote.ts";
import type {
  Binding,
  Definition,
  DescribedTask,
  PortRange,
  Selection,
  ServiceTask,
} from "../service-task.ts";

/**
 * What ECS tells of the tasks of a service or family, read only; each function is one request. All throw `Unavailable`
 * when trying again may help, which an unknown cluster or service may as well: somebody may be about to create it. They
 * throw `Fatal` when only an operator can help.
 */
export interface EcsService {
  /** ARNs; their desired status is RUNNING. */
  tasks(
    selection: Selection,
    from: string | undefined,
  ): Promise<{ readonly arns: readonly string[]; readonly next?: string }>;
  /** At most 100 ARNs. */
  describe(cluster: string, arns: readonly string[]): Promise<ReadonlyMap<string, DescribedTask>>;
  /** At most 100 ARNs of container instances; EC2 ids by ARN. */
  instances(cluster: string, arns: readonly string[]): Promise<ReadonlyMap<string, string>>;
  definition(arn: string): Promise<Definition | undefined>;
  /** Where the credentials of these requests come from, for requests to other services. */
  credentials(): Promise<{
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly sessionToken?: string;
  }>;
  close(): void;
}

/** Credentials and, when set, the endpoint (AWS_ENDPOINT_URL_ECS) come from where the AWS SDK finds them. */
export function ecsService({ region }: { readonly region: string }): EcsService {
  const client = new ECSClient({ region, ...clientDefaults() });
  readWhole(client);
  const asked = <T>(
    operation: string,
    about: Selection,
    send: (limit: { readonly abortSignal: AbortSignal }) => Promise<T>,
  ) =>
    inTime(REQUEST_LIMIT_MS, send).catch((error: unknown): never => {
      throw failure(operation, about, error);
    });

  return {
    async tasks(selection, nextToken) {
      const { cluster, service: serviceName, family, instance: containerInstance } = selection;
      const command = new ListTasksCommand({
        ...{ cluster, serviceName, family, containerInstance, nextToken },
      });
      const { taskArns, nextToken: next } = await asked("ListTasks", selection, (limit) =>
        client.send(command, limit),
      );
      if (taskArns === undefined) throw garbled("ListTasks", "it has no taskArns");
      const arns = taskArns.filter((arn) => typeof arn === "string");
      // An empty token would lead back to the first page.
      return next ? { arns, next } : { arns };
    },
    async describe(cluster, arns) {
      const command = new DescribeTasksCommand({ cluster, tasks: [...arns] });
      const { tasks = [], failures = [] } = await asked("DescribeTasks", { cluster }, (limit) =>
        client.send(command, limit),
      );
      const answers = new Map<string, DescribedTask>();
      for (const { arn, reason } of failures) {
        if (reason === "MISSING" && arn !== undefined) answers.set(arn, { kind: "missing" });
      }
      for (const one of tasks) {
        const arn = one?.taskArn;
        if (typeof arn === "string") answers.set(arn, taskIn(one));
      }
      return answers;
    },
    async instances(cluster, arns) {
      const command = new DescribeContainerInstancesCommand({
        cluster,
        containerInstances: [...arns],
      });
      const { containerInstances = [] } = await asked(
        "DescribeContainerInstances",
        { cluster },
        (limit) => client.send(command, limit),
      );
      return new Map(
        containerInstances.flatMap(({ containerInstanceArn: arn, ec2InstanceId: id }) =>
          arn === undefined || id === undefined ? [] : [[arn, id] as const],
        ),
      );
    },
    async definition(arn) {
      try {
        const command = new DescribeTaskDefinitionCommand({ taskDefinition: arn });
        const { taskDefinition } = await inTime(REQUEST_LIMIT_MS, (limit) =>
          client.send(command, limit),
        );
        const read = DefinitionShape.safeParse(taskDefinition);
        return read.success ? read.data : undefined;
      } catch (error) {
        // "Unable to describe task definition": there is none of that name (API reference, ClientException).
        if (errorFacts(error).name === "ClientException") return undefined;
        throw failure("DescribeTaskDefinition", undefined, error);
      }
    },
    credentials: () => client.config.credentials(),
    close: () => client.destroy(),
  };
}

// ── what answers must look like ──

const PortNumber = z.int().min(1).max(65_535);
/** `8000-8010`, as port ranges are told. */
const RangeText = z
  .string()
  .regex(/^\d{1,5}-\d{1,5}$/)
  .transform((text): PortRange => {
    const [first = 0, last = 0] = text.split("-").map(Number);
    return { first, last };
  });
const isTcp = ({ protocol }: { readonly protocol?: string | undefined }) =>
  protocol === undefined || protocol.toLowerCase() === "tcp";
const one = (port: number): PortRange => ({ first: port, last: port });

const BindingShape = z
  .object({
    containerPort: PortNumber.optional(),
    // 0 for one that is not chosen yet.
    hostPort: z.int().min(0).max(65_535).optional(),
    containerPortRange: RangeText.optional(),
    hostPortRange: RangeText.optional(),
    protocol: z.string().optional(),
  })
  .transform((binding): readonly Binding[] => {
    const { containerPort, hostPort, containerPortRange, hostPortRange } = binding;
    if (!isTcp(binding)) return [];
    if (containerPortRange !== undefined && hostPortRange !== undefined) {
      return [{ container: containerPortRange, host: hostPortRange }];
    }
    if (containerPort === undefined || !hostPort) return [];
    return [{ container: one(containerPort), host: one(hostPort) }];
  });

const HealthShape = z.enum(["HEALTHY", "UNHEALTHY", "UNKNOWN"]).catch("UNKNOWN");

const TaskShape = z
  .object({
    taskArn: z.string(),
    taskDefinitionArn: z.string(),
    lastStatus: z.string(),
    desiredStatus: z.string(),
    healthStatus: HealthShape,
    containerInstanceArn: z.string().optional(),
    createdAt: z.date().optional().catch(undefined),
    startedAt: z.date().optional().catch(undefined),
    attachments: z
      .array(
        z.object({
          type: z.string().optional(),
          details: z
            .array(z.object({ name: z.string().optional(), value: z.string().optional() }))
            .optional(),
        }),
      )
      .optional(),
    containers: z
      .array(
        z.object({
          name: z.string(),
          lastStatus: z.string(),
          healthStatus: HealthShape,
          runtimeId: z.string().optional(),
          networkBindings: z.array(BindingShape).optional(),
          networkInterfaces: z
            .array(
              z.object({
                privateIpv4Address: z.string().optional(),
                ipv6Address: z.string().optional(),
              }),
            )
            .optional(),
        }),
      )
      .optional(),
  })
  .transform(
    (task): ServiceTask => ({
      arn: task.taskArn,
      definition: task.taskDefinitionArn,
      lastStatus: task.lastStatus,
      desiredStatus: task.desiredStatus,
      health: task.healthStatus,
      ...(task.containerInstanceArn !== undefined && { instance: task.containerInstanceArn }),
      ...(task.createdAt !== undefined && { createdAt: task.createdAt.getTime() }),
      ...(task.startedAt !== undefined && { startedAt: task.startedAt.getTime() }),
      ...networkOf(task),
      containers: (task.containers ?? []).map((container) => ({
        name: container.name,
        lastStatus: container.lastStatus,
        health: container.healthStatus,
        ...(container.runtimeId && { runtimeId: container.runtimeId }),
        bindings: (container.networkBindings ?? []).flat(),
      })),
    }),
  );

/** Of the task's own network interface; the attachment tells it before the containers do. */
function networkOf(task: {
  readonly attachments?:
    | readonly {
        readonly type?: string | undefined;
        readonly details?:
          | readonly { readonly name?: string | undefined; readonly value?: string | undefined }[]
          | undefined;
      }[]
    | undefined;
  readonly containers?:
    | readonly {
        readonly networkInterfaces?:
          | readonly {
              readonly privateIpv4Address?: string | undefined;
              readonly ipv6Address?: string | undefined;
            }[]
          | undefined;
      }[]
    | undefined;
}): Pick<ServiceTask, "network"> {
  const attached = task.attachments?.find(({ type }) => type === "ElasticNetworkInterface");
  const told = task.containers?.flatMap(({ networkInterfaces = [] }) => networkInterfaces)[0];
  if (attached === undefined && told === undefined) return {};
  const detail = (name: string) =>
    attached?.details?.find((one) => one.name === name)?.value || undefined;
  const ipv4 = told?.privateIpv4Address || detail("privateIPv4Address");
  const ipv6 = told?.ipv6Address || detail("ipv6Address");
  const eni = detail("networkInterfaceId");
  return {
    network: {
      ...(ipv4 && { ipv4 }),
      ...(ipv6 && { ipv6 }),
      ...(eni && { interface: eni }),
    },
  };
}

const DefinitionShape = z
  .object({
    networkMode: z.string().optional(),
    containerDefinitions: z.array(
      z.object({
        name: z.string(),
        portMappings: z
          .array(
            z.object({
              containerPort: PortNumber.optional(),
              containerPortRange: RangeText.optional(),
              protocol: z.string().optional(),
            }),
          )
          .optional(),
      }),
    ),
  })
  .transform(({ networkMode = "bridge", containerDefinitions }): Definition => {
    const ports = containerDefinitions.map(({ name, portMappings = [] }) => {
      const ranges = portMappings.filter(isTcp).flatMap((mapping): readonly PortRange[] => {
        if (mapping.containerPortRange !== undefined) return [mapping.containerPortRange];
        return mapping.containerPort === undefined ? [] : [one(mapping.containerPort)];
      });
      return [name, ranges] as const;
    });
    return { networkMode, ports: new Map(ports) };
  });

function taskIn(answer: unknown): DescribedTask {
  const read = TaskShape.safeParse(answer);
  return read.success
    ? { kind: "task", task: read.data }
    : { kind: "garbage", problem: `ECS described it strangely: ${shapeProblem(read.error)}` };
}

// ── what errors mean ──

const garbled = (operation: string, problem: string): Unavailable =>
  new Unavailable("ECS", `answered ${operation} strangely: ${problem}`);

function failure(
  operation: string,
  about: Selection | undefined,
  error: unknown,
): Unavailable | Fatal {
  if (error instanceof Unavailable || error instanceof Fatal) return error;
  const { kind, words } = judged(error);
  const { name, attempts } = errorFacts(error);
  const cluster = about === undefined ? "" : quote(about.cluster.replace(/^.*\//, ""));
  const where = about === undefined ? "" : ` in cluster ${cluster}`;
  if (kind === "defect") throw error;
  if (kind !== "refused") {
    return new Unavailable("ECS", `did not take ${operation}${where}`, {
      cause: `${words}${attempts > 1 ? ` (${attempts} times)` : ""}`,
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
    return new Unavailable(
      "ECS",
      `knows no cluster ${cluster} in this account and region: see \`aws ecs list-clusters\`, --cluster and AWS_REGION`,
      { mayHaveLanded: false },
    );
  }
  if (name === "ServiceNotFoundException" || name === "ServiceNotActiveException") {
    return new Unavailable(
      "ECS",
      `knows no service ${quote(about?.service ?? "")} in cluster ${cluster}: see \`aws ecs list-services\` and --service`,
      { mayHaveLanded: false },
    );
  }
  return new Fatal(`ECS refused ${operation}${where}`, { cause: error });
}
