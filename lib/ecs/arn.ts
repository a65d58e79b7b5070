declare const instanceId: unique symbol;
declare const taskId: unique symbol;
/** The last part of a container instance's ARN. */
export type InstanceId = string & { readonly [instanceId]: true };
/** The last part of a task's ARN. */
export type TaskId = string & { readonly [taskId]: true };

/** Both id forms that ECS gives out: 32 hex digits, or a UUID (accounts with the old ARN format). */
export const ECS_ID = "[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}";

/** Who writes: one container instance. */
export interface Owner {
  readonly instance: InstanceId;
  /** Where the instance runs; Route 53's endpoint follows from it (`cn-…`, `us-gov-…`). */
  readonly region: string;
}

const INSTANCE_ARN = new RegExp(
  `^arn:aws[a-z-]*:ecs:([a-z0-9-]+):\\d{12}:container-instance/(?:[A-Za-z0-9_-]+/)?(${ECS_ID})$`,
);
const TASK_ARN = new RegExp(
  `^arn:aws[a-z-]*:ecs:[a-z0-9-]+:\\d{12}:task/(?:[A-Za-z0-9_-]+/)?(${ECS_ID})$`,
);

/** The owner named by a container instance's ARN, in its old or new form; undefined for anything else. */
export function ownerOf(containerInstanceArn: string): Owner | undefined {
  const [, region, instance] = INSTANCE_ARN.exec(containerInstanceArn) ?? [];
  return region === undefined || instance === undefined
    ? undefined
    : { instance: instance as InstanceId, region };
}

/** The task id in a task's ARN, in its old or new form; undefined for anything else. */
export const taskIdOf = (taskArn: string): TaskId | undefined =>
  TASK_ARN.exec(taskArn)?.[1] as TaskId | undefined;
