import type { InstanceId, TaskId } from "./arn.ts";

/** What ECS says of something in a cluster when it is asked for it by its id. */
export type Described<State> =
  | ({ readonly kind: "found" } & State)
  /** It has none of that id in the cluster, or has forgotten it. */
  | { readonly kind: "missing" };

export interface InstanceState {
  /** ACTIVE, DRAINING, INACTIVE and so on (API reference, ContainerInstance). */
  readonly status: string;
  readonly agentConnected: boolean;
  /** The EC2 instance's id, or the SSM instance's of a host that is not of EC2. */
  readonly ec2Instance?: string;
}

export interface TaskState {
  /** Its last status: PROVISIONING to STOPPED (Developer Guide, task lifecycle). */
  readonly status: string;
  /** Where it runs; a Fargate task has none. */
  readonly instance?: InstanceId;
}

/** A cluster that was read completely and without an error. */
export interface ReadCluster {
  readonly kind: "read";
  readonly name: string;
  /** All of its container instances but those that are INACTIVE. */
  readonly listed: ReadonlySet<InstanceId>;
  /** All of its tasks that are meant to run. */
  readonly running: ReadonlySet<TaskId>;
  /** The answers about those that were asked for by their ids. Whoever has none was not asked for, or ECS was silent. */
  readonly instances: ReadonlyMap<InstanceId, Described<InstanceState>>;
  readonly tasks: ReadonlyMap<TaskId, Described<TaskState>>;
}

export interface UnreadCluster {
  readonly kind: "unread";
  readonly name: string;
  readonly problem: string;
}

export type Cluster = ReadCluster | UnreadCluster;

/** Every cluster whose container instances may have written into the zone. */
export type Fleet = readonly Cluster[];

/** The last part of a cluster's ARN, or the name that it is. */
export const clusterName = (cluster: string): string => cluster.replace(/^.*\//, "");

/** Its lists were both empty, which is also what a wrong account, or an answer that got lost, looks like. */
export const isEmpty = ({ listed, running }: ReadCluster): boolean =>
  listed.size === 0 && running.size === 0;
