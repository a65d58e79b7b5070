import type { ContainerId } from "../docker/container.ts";
import type { TaskId } from "./arn.ts";

/** A task as the ECS agent's introspection endpoint tells it, of what we use. */
export interface Task {
  readonly id: TaskId;
  /** Its containers by Docker id. One that is not created yet is left out: the agent lists it without an id. */
  readonly containers: ReadonlyMap<ContainerId, TaskContainer>;
  /** The agent says that every container of the task has stopped; its addresses may belong to others by now. */
  readonly stopped: boolean;
}

export interface TaskContainer {
  /** Of an awsvpc task, the primary one first by convention. */
  readonly ipv4: readonly string[];
  readonly ipv6: readonly string[];
  readonly ports: readonly Port[];
}

/** A port of a container, and behind which port of the host it is, once that is known. */
export interface Port {
  readonly container: number;
  readonly host?: number;
}

/** What the ECS agent says when it is asked for a container's task. */
export type TaskAnswer =
  | { readonly kind: "task"; readonly task: Task }
  | { readonly kind: "unknown" }
  | { readonly kind: "malformed"; readonly problem: string };

/** The ECS agent was asked and said nothing. */
export interface NoAnswer {
  readonly kind: "unavailable";
  readonly problem: string;
}
