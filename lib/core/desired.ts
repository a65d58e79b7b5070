import { type Owner, type TaskId, taskIdOf } from "./arn.ts";
import type { Container } from "./container.ts";
import { quote } from "./quote.ts";
import { keyOf, type RecordKey, type RecordSet } from "./record-set.ts";
import { SERVICE_NAME_LABEL, serviceName } from "./service-name.ts";
import { formatSetIdentifier } from "./set-identifier.ts";
import type { NoAnswer, TaskAnswer } from "./task.ts";

/** Set by the ECS agent on every container of a task (facts: labels set by the agent). */
const TASK_ARN_LABEL = "com.amazonaws.ecs.task-arn";
const CONTAINER_NAME_LABEL = "com.amazonaws.ecs.container-name";

/** Why a container has no record. */
type AbsentReason =
  | "gone"
  | "not-running"
  | "not-labelled"
  | "internal"
  | "bad-name"
  | "not-a-task"
  | "task-stopped"
  | "no-address";

/** Why a container's address is not known yet, though it may be soon. */
type UnsureReason = "unknown-task" | "address-pending" | "malformed-answer" | "agent-unavailable";

/**
 * What one container asks of the zone.
 * - serve: these records.
 * - absent: none, for a reason.
 * - unsure: not known yet. What is published under `keeps` stays as it is: a record that was right must not go only
 *   because the ECS agent can't say so at the moment.
 */
export type Desired =
  | { readonly kind: "serve"; readonly records: readonly RecordSet[] }
  | { readonly kind: "absent"; readonly reason: AbsentReason; readonly detail: string }
  | {
      readonly kind: "unsure";
      readonly reason: UnsureReason;
      readonly detail: string;
      readonly keeps: readonly RecordKey[];
    };

export interface DesiredRules {
  readonly zoneName: string;
  readonly owner: Owner;
  readonly ttlSeconds: number;
  readonly weight: number;
}

type Absent = Extract<Desired, { kind: "absent" }>;
/** A running container, and the name it claims. */
export interface Claim {
  readonly kind: "claim";
  readonly container: Container;
  readonly name: string;
}

const absent = (reason: AbsentReason, detail: string): Absent => ({
  kind: "absent",
  reason,
  detail,
});

/**
 * What can be said from the container alone: that it is absent, or which name it claims; then its task must be asked for.
 * So a container that is gone needs no answer from the ECS agent.
 */
export function claimOf(container: Container | undefined, zoneName: string): Absent | Claim {
  if (container === undefined) return absent("gone", "the container is removed");
  if (!container.running) return absent("not-running", "its process does not run");
  const label = container.labels.get(SERVICE_NAME_LABEL);
  if (label === undefined) return absent("not-labelled", `it has no label ${SERVICE_NAME_LABEL}`);
  // The ECS agent's own pause containers can carry an operator's labels (ECS_PAUSE_LABELS).
  if (container.labels.get(CONTAINER_NAME_LABEL)?.startsWith("~internal~")) {
    return absent("internal", "it is a pause container of the ECS agent");
  }
  const check = serviceName(label, zoneName);
  return check.ok
    ? { kind: "claim", container, name: check.name }
    : absent("bad-name", `label ${SERVICE_NAME_LABEL}: ${check.problem}`);
}

/** What a claim comes to, once the ECS agent has been asked for the container's task. */
export function desiredOf(
  { container, name }: Claim,
  answer: TaskAnswer | NoAnswer,
  rules: DesiredRules,
): Desired {
  const taskLabel = container.labels.get(TASK_ARN_LABEL);
  const identify = (task: TaskId) =>
    ({
      name,
      type: "A",
      setIdentifier: formatSetIdentifier({ instance: rules.owner.instance, task }),
    }) as const;
  const unsure = (reason: UnsureReason, detail: string): Desired => {
    const task = taskLabel === undefined ? undefined : taskIdOf(taskLabel);
    return {
      kind: "unsure",
      reason,
      detail,
      keeps: task === undefined ? [] : [keyOf(identify(task))],
    };
  };

  switch (answer.kind) {
    case "unavailable":
      return unsure("agent-unavailable", answer.problem);
    case "malformed":
      return unsure("malformed-answer", answer.problem);
    case "unknown":
      return taskLabel === undefined
        ? absent("not-a-task", "the ECS agent knows no task of it, and it has no ECS label")
        : unsure("unknown-task", "the ECS agent does not know its task");
    case "task":
      break;
  }

  const { task } = answer;
  if (task.stopped) return absent("task-stopped", `the ECS agent says task ${task.id} has stopped`);
  const address = task.containers.get(container.id)?.ipv4[0];
  if (address !== undefined) {
    const { ttlSeconds, weight } = rules;
    return {
      kind: "serve",
      records: [{ ...identify(task.id), ttlSeconds, weight, values: [address] }],
    };
  }
  // An awsvpc container lives in its pause container's network; in any other mode the task has no address of its own.
  return container.networkMode.startsWith("container:")
    ? unsure("address-pending", `task ${task.id} has no IPv4 address yet`)
    : absent(
        "no-address",
        `task ${task.id} has no address of its own: expected network mode awsvpc, got ${quote(container.networkMode)}`,
      );
}
