import type {
  IntrospectionContainer,
  IntrospectionPort,
  IntrospectionTask,
} from "./introspection-shape.ts";

/** Tasks in the shapes the ECS agent gives them, for each network mode. */

export interface EcsIdentity {
  readonly region?: string;
  readonly account?: string;
  readonly cluster?: string;
}

const arn = (resource: string, id: string, identity: EcsIdentity): string => {
  const { region = "eu-west-1", account = "123456789012", cluster = "default" } = identity;
  return `arn:aws:ecs:${region}:${account}:${resource}/${cluster}/${id}`;
};

/** `id` is 32 hex digits. */
export const taskArn = (id: string, identity: EcsIdentity = {}): string =>
  arn("task", id, identity);

export const containerInstanceArn = (
  identity: EcsIdentity & { readonly id?: string } = {},
): string => arn("container-instance", identity.id ?? "0123456789abcdef0123456789abcdef", identity);

interface TaskContainer {
  /** 64 hex digits; empty for one that is being created. */
  readonly dockerId: string;
  readonly name?: string;
  readonly image?: string;
  readonly containerPort?: number;
  /** Of a bridge task; absent before the agent knows the dynamic port. */
  readonly hostPort?: number;
  readonly createdAt?: string;
  readonly startedAt?: string;
}

export interface TaskSpec {
  readonly arn: string;
  readonly containers: readonly TaskContainer[];
  readonly family?: string;
  readonly revision?: string;
  readonly knownStatus?: IntrospectionTask["KnownStatus"];
  /** Null leaves it out, as for a task already past it. */
  readonly desiredStatus?: "RUNNING" | "STOPPED" | null;
}

const container = (
  { family = "app", revision = "1" }: TaskSpec,
  { dockerId, name = "app", image = "app:1", createdAt, startedAt }: TaskContainer,
): IntrospectionContainer => ({
  DockerId: dockerId,
  DockerName: dockerId === "" ? "" : `ecs-${family}-${revision}-${name}-${dockerId.slice(0, 20)}`,
  Name: name,
  Image: image,
  ImageID: `sha256:${Buffer.from(image).toString("hex").padEnd(64, "0").slice(0, 64)}`,
  ...(createdAt === undefined ? {} : { CreatedAt: createdAt }),
  ...(startedAt === undefined ? {} : { StartedAt: startedAt }),
});

const task = (spec: TaskSpec, containers: readonly IntrospectionContainer[]): IntrospectionTask => {
  const { desiredStatus = "RUNNING", knownStatus = "RUNNING" } = spec;
  return {
    Arn: spec.arn,
    ...(desiredStatus === null ? {} : { DesiredStatus: desiredStatus }),
    KnownStatus: knownStatus,
    Family: spec.family ?? "app",
    Version: spec.revision ?? "1",
    Containers: containers,
  };
};

const tcp = (containerPort: number, hostPort: number | undefined): IntrospectionPort => ({
  ContainerPort: containerPort,
  Protocol: "tcp",
  ...(hostPort === undefined ? {} : { HostPort: hostPort }),
});

/** Every container shows the task's addresses; the host port is the container's. */
export const awsvpcTask = (
  spec: TaskSpec & { readonly ipv4?: readonly string[]; readonly ipv6?: readonly string[] },
): IntrospectionTask => {
  const network = {
    NetworkMode: "awsvpc",
    ...(spec.ipv4 === undefined ? {} : { IPv4Addresses: spec.ipv4 }),
    ...(spec.ipv6 === undefined ? {} : { IPv6Addresses: spec.ipv6 }),
  };
  return task(
    spec,
    spec.containers.map((each) => ({
      ...container(spec, each),
      ...(each.containerPort === undefined
        ? {}
        : { Ports: [tcp(each.containerPort, each.containerPort)] }),
      Networks: [network],
    })),
  );
};

/** No address. A bound port shows twice: Docker binds 0.0.0.0 and ::, the agent drops which. */
export const bridgeTask = (spec: TaskSpec): IntrospectionTask =>
  task(
    spec,
    spec.containers.map((each) => {
      if (each.containerPort === undefined) return container(spec, each);
      const port = tcp(each.containerPort, each.hostPort);
      return {
        ...container(spec, each),
        Ports: each.hostPort === undefined ? [port] : [port, port],
      };
    }),
  );

/** No address; ports as the task definition has them. */
export const hostTask = (spec: TaskSpec): IntrospectionTask =>
  task(
    spec,
    spec.containers.map((each) => ({
      ...container(spec, each),
      ...(each.containerPort === undefined
        ? {}
        : { Ports: [tcp(each.containerPort, each.containerPort)] }),
    })),
  );

/** What a Docker engine's list tells of a container. */
export interface PlainContainer {
  readonly id: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly running: boolean;
  readonly address?: string;
}

/** Set by the agent on every container of a task. */
const label = (container: PlainContainer, key: string): string | undefined =>
  container.labels[`com.amazonaws.ecs.${key}`];

/** Containers of the agent's own, such as the pause container: never shown in a task. */
const isInternal = (container: PlainContainer): boolean =>
  (label(container, "container-name") ?? "").startsWith("~internal~");

const taskOf = (
  arn: string,
  first: PlainContainer,
  members: readonly PlainContainer[],
): IntrospectionTask => {
  const address = members.find((member) => member.address !== undefined)?.address;
  const status = members.some((member) => member.running) ? "RUNNING" : "STOPPED";
  const spec: TaskSpec = {
    arn,
    family: label(first, "task-definition-family") ?? "app",
    revision: label(first, "task-definition-version") ?? "1",
    knownStatus: status,
    desiredStatus: status,
    containers: members
      .filter((member) => !isInternal(member))
      .map((member) => ({
        dockerId: member.id,
        name: label(member, "container-name") ?? member.name,
      })),
  };
  return address === undefined ? bridgeTask(spec) : awsvpcTask({ ...spec, ipv4: [address] });
};

/**
 * The tasks of these containers: one per task ARN label; a container without it is a task of its
 * own. A task keeps its address after all its containers stopped, as the agent keeps it for hours.
 */
export const tasksOf = (
  containers: readonly PlainContainer[],
  identity: EcsIdentity = {},
): readonly IntrospectionTask[] => {
  const arnOf = (container: PlainContainer): string => {
    const cluster = label(container, "cluster") ?? identity.cluster;
    return (
      label(container, "task-arn") ??
      taskArn(container.id.slice(0, 32), {
        ...identity,
        ...(cluster === undefined ? {} : { cluster }),
      })
    );
  };
  return [...Map.groupBy(containers, arnOf)].flatMap(([arn, members]) => {
    const [first] = members;
    return first === undefined ? [] : [taskOf(arn, first, members)];
  });
};
