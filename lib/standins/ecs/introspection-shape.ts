// What the ECS agent's introspection answers look like.

/** GET /v1/metadata. */
export interface IntrospectionMetadata {
  readonly Cluster: string;
  /** Null until the instance is registered. */
  readonly ContainerInstanceArn: string | null;
  readonly Version: string;
}

export interface IntrospectionPort {
  readonly ContainerPort?: number;
  readonly Protocol?: string;
  readonly HostPort?: number;
}

interface IntrospectionNetwork {
  readonly NetworkMode?: string;
  /** Absent for a task with IPv6 only. */
  readonly IPv4Addresses?: readonly string[];
  readonly IPv6Addresses?: readonly string[];
}

interface IntrospectionVolume {
  readonly DockerName?: string;
  readonly Source?: string;
  readonly Destination?: string;
}

export interface IntrospectionContainer {
  /** Empty while the container is being created. */
  readonly DockerId: string;
  readonly DockerName: string;
  readonly Name: string;
  readonly Image: string;
  readonly ImageID: string;
  readonly CreatedAt?: string;
  readonly StartedAt?: string;
  readonly Ports?: readonly IntrospectionPort[];
  /** Of tasks in network mode awsvpc only; still there after they stopped. */
  readonly Networks?: readonly IntrospectionNetwork[];
  readonly Volumes?: readonly IntrospectionVolume[];
  readonly RestartCount?: number;
}

/** GET /v1/tasks?dockerid= and ?taskarn=. */
export interface IntrospectionTask {
  readonly Arn: string;
  readonly DesiredStatus?: string;
  readonly KnownStatus: "PENDING" | "RUNNING" | "STOPPED";
  readonly Family: string;
  /** Revision of the task definition. */
  readonly Version: string;
  readonly Containers: readonly IntrospectionContainer[];
}

/** GET /v1/tasks. */
export interface IntrospectionTasks {
  readonly Tasks: readonly IntrospectionTask[];
}
