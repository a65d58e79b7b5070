import { type Owner, type TaskId, taskIdOf } from "./arn.ts";
import type { Container } from "./container.ts";
import { type Asked, type LabelRules, readLabels, SERVICE_NAME_LABEL } from "./labels.ts";
import type { Life } from "./life.ts";
import { quote } from "./quote.ts";
import { keyOf, type RecordKey, type RecordSet } from "./record-set.ts";
import { formatSetIdentifier } from "./set-identifier.ts";
import type { NoAnswer, TaskAnswer } from "./task.ts";

/** Set by the ECS agent on every container of a task (facts: labels set by the agent). */
const TASK_ARN_LABEL = "com.amazonaws.ecs.task-arn";
const CONTAINER_NAME_LABEL = "com.amazonaws.ecs.container-name";

/** Why a container has no record. */
type AbsentReason =
  | "gone"
  | "not-running"
  | "stopping"
  | "paused"
  | "starting"
  | "not-labelled"
  | "internal"
  | "bad-name"
  | "bad-label"
  | "not-a-task"
  | "task-stopped"
  | "no-address";

/** Why a container's address is not known yet, though it may be soon. */
type UnsureReason = "unknown-task" | "address-pending" | "malformed-answer" | "agent-unavailable";

/**
 * What one container asks of the zone.
 * - serve: these records; one that is not `well` asks for them only as far as the others of its service leave it to (see
 *   `desiredTable`).
 * - absent: none, for a reason.
 * - unsure: not known yet. What is published under `keeps` stays as it is: a record that was right must not go only
 *   because the ECS agent can't say so at the moment.
 */
export type Desired =
  | {
      readonly kind: "serve";
      readonly records: readonly RecordSet[];
      readonly well: boolean;
      /** Why further names that it asked for are left out. */
      readonly problems: readonly string[];
    }
  | { readonly kind: "absent"; readonly reason: AbsentReason; readonly detail: string }
  | {
      readonly kind: "unsure";
      readonly reason: UnsureReason;
      readonly detail: string;
      readonly keeps: readonly RecordKey[];
    };

export interface DesiredRules extends LabelRules {
  readonly owner: Owner;
  readonly ttlSeconds: number;
  readonly weight: number;
}

type Absent = Extract<Desired, { kind: "absent" }>;
/** A running container, and what its labels ask for. */
export interface Claim {
  readonly kind: "claim";
  readonly container: Container;
  readonly asked: Asked;
  readonly well: boolean;
}

const absent = (reason: AbsentReason, detail: string): Absent => ({
  kind: "absent",
  reason,
  detail,
});

/**
 * What can be said from the container alone: that it is absent, or what it claims; then its task must be asked for.
 * So a container that is gone needs no answer from the ECS agent.
 *
 * | life      | record                          |
 * |-----------|---------------------------------|
 * | dead      | none                            |
 * | stopping  | none: clients leave before it   |
 * | paused    | none                            |
 * | starting  | none yet                        |
 * | unhealthy | none, unless all are            |
 * | healthy   | yes                             |
 */
export function claimOf(
  container: Container | undefined,
  life: Life,
  rules: LabelRules,
): Absent | Claim {
  if (container === undefined) return absent("gone", "the container is removed");
  if (!container.labels.has(SERVICE_NAME_LABEL)) {
    return absent("not-labelled", `it has no label ${SERVICE_NAME_LABEL}`);
  }
  // The ECS agent's own pause containers can carry an operator's labels (ECS_PAUSE_LABELS).
  if (container.labels.get(CONTAINER_NAME_LABEL)?.startsWith("~internal~")) {
    return absent("internal", "it is a pause container of the ECS agent");
  }
  switch (life) {
    case "dead":
      return absent("not-running", "its process does not run");
    case "stopping":
      return absent("stopping", "it was sent its stop signal");
    case "paused":
      return absent("paused", "it is paused");
    case "starting":
      return absent("starting", "its health check has not passed yet");
    case "unhealthy":
    case "healthy":
      break;
  }
  const read = readLabels(container.labels, rules);
  return read.ok
    ? { kind: "claim", container, asked: read.asked, well: life === "healthy" }
    : absent(read.reason, read.problem);
}

/** What a claim comes to, once the ECS agent has been asked for the container's task. */
export function desiredOf(
  { container, asked, well }: Claim,
  answer: TaskAnswer | NoAnswer,
  rules: DesiredRules,
): Desired {
  const taskLabel = container.labels.get(TASK_ARN_LABEL);
  const identify = (task: TaskId) =>
    asked.names.map(
      (name) =>
        ({
          name,
          type: "A",
          setIdentifier: formatSetIdentifier({ instance: rules.owner.instance, task }),
        }) as const,
    );
  const unsure = (reason: UnsureReason, detail: string): Desired => {
    const task = taskLabel === undefined ? undefined : taskIdOf(taskLabel);
    return {
      kind: "unsure",
      reason,
      detail,
      keeps: task === undefined ? [] : identify(task).map(keyOf),
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
    const { ttlSeconds = rules.ttlSeconds, weight = rules.weight } = asked;
    return {
      kind: "serve",
      records: identify(task.id).map((set) => ({ ...set, ttlSeconds, weight, values: [address] })),
      well,
      problems: asked.problems,
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
