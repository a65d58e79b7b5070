import type { InstanceId, TaskId } from "../ecs/arn.ts";
import { quote } from "../kit/quote.ts";
import type { Sender } from "../sqs/sender-id.ts";

/** What ECS says of the container instance that a message claims to speak for, and of the task that sent it. */
export interface SenderFacts {
  /** The EC2 (or SSM) instance behind the claimed container instance; undefined when ECS knows no such one. */
  readonly ec2Instance: string | undefined;
  /** The container instance on which the sender's task runs, where the session is a task's id that ECS knows. */
  readonly taskInstance: InstanceId | undefined;
}

/**
 * Whether a message speaks for its owner.
 * - owner: it does.
 * - liar: its sender is known, and is somebody else.
 * - unknown: ECS can't say who the sender is; perhaps later.
 */
export type Verdict =
  | { readonly kind: "owner" }
  | { readonly kind: "liar" | "unknown"; readonly problem: string };

const EC2_INSTANCE = /^m?i-[0-9a-f]{8,17}$/;
const TASK = /^(?:[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;

/** The session's id where it can be a task's. */
export const taskOfSession = ({ session }: Sender): TaskId | undefined =>
  TASK.test(session) ? (session as TaskId) : undefined;

/**
 * | session of the sender's role          | ECS says                                    | verdict |
 * |---------------------------------------|---------------------------------------------|---------|
 * | `i-…` or `mi-…`                       | the owner runs on this very instance        | owner   |
 * |                                       | the owner runs on another                   | liar    |
 * |                                       | it knows no such owner                      | unknown |
 * | a task's id                           | the task runs on the owner                  | owner   |
 * |                                       | the task runs elsewhere                     | liar    |
 * |                                       | it knows no such task                       | unknown |
 * | anything else, or no role             | -                                           | unknown |
 */
export function verdictOf(
  sender: Sender | undefined,
  owner: InstanceId,
  { ec2Instance, taskInstance }: SenderFacts,
): Verdict {
  if (sender === undefined) return { kind: "unknown", problem: "its sender is no role's session" };
  const shown = quote(sender.session);
  if (EC2_INSTANCE.test(sender.session)) {
    if (ec2Instance === sender.session) return { kind: "owner" };
    return ec2Instance === undefined
      ? { kind: "unknown", problem: `ECS knows no container instance ${owner}` }
      : {
          kind: "liar",
          problem: `the sender ${shown} speaks for ${owner}, which is ${ec2Instance}`,
        };
  }
  if (taskOfSession(sender) !== undefined) {
    if (taskInstance === owner) return { kind: "owner" };
    return taskInstance === undefined
      ? { kind: "unknown", problem: `ECS knows no task ${shown} in the cluster` }
      : {
          kind: "liar",
          problem: `the sender's task ${shown} speaks for ${owner}, and runs on ${taskInstance}`,
        };
  }
  return {
    kind: "unknown",
    problem: `its sender's session ${shown} is neither an instance's nor a task's`,
  };
}
