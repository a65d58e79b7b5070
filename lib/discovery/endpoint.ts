import { type Container, shortId } from "../docker/container.ts";
import { type TaskId, taskIdOf } from "../ecs/arn.ts";
import type { NoAnswer, Port, Task, TaskAnswer } from "../ecs/task.ts";
import { quote } from "../kit/quote.ts";
import { type Addresses, firstReachable } from "../net/address.ts";

/** Set by the ECS agent on every container of a task (aws/amazon-ecs-agent, `docker_task_engine.go`). */
const TASK_ARN_LABEL = "com.amazonaws.ecs.task-arn";

/**
 * Where a container's address comes from.
 * - ecs: its task's own, by introspection; awsvpc tasks have one.
 * - host: this host's, for tasks in bridge and host mode.
 * - docker: the container's own in its Docker network, for containers outside of ECS, too.
 * - auto: ecs, and host for a task that has no address of its own.
 */
export const addressSources = ["auto", "ecs", "host", "docker"] as const;
export type AddressSource = (typeof addressSources)[number];

/** Whose record it is: the task's, or, where the address is the container's own, the container's. */
export interface Holder {
  readonly task: TaskId;
  readonly container?: string;
}

/** Where clients reach a container. */
export interface Endpoint extends Addresses {
  readonly kind: "endpoint";
  readonly source: Exclude<AddressSource, "auto">;
  readonly holder: Holder;
  /** Where a port is wanted and known. */
  readonly port?: number;
}

export type NoEndpoint =
  | {
      readonly kind: "none";
      readonly reason: "not-a-task" | "task-stopped" | "no-address";
      readonly detail: string;
    }
  /** Not known yet. `holder` where it is known whose record it would be. */
  | {
      readonly kind: "unsure";
      readonly reason:
        | "unknown-task"
        | "address-pending"
        | "port-pending"
        | "malformed-answer"
        | "agent-unavailable";
      readonly detail: string;
      readonly holder?: Holder;
    }
  /** It follows from the host's own addresses, which were not given. */
  | { readonly kind: "ask-host" };

export interface EndpointWishes {
  readonly source: AddressSource;
  /** A container port that clients want to know; `first` for the first that the task tells of. */
  readonly port?: number | "first" | undefined;
}

/** The container's own Docker address: nobody needs to be asked. */
export function dockerEndpoint(
  container: Container,
  { port }: EndpointWishes,
): Endpoint | NoEndpoint {
  const { ipv4, ipv6, problem } = reachableOf(container.addresses, container.addresses6);
  if (ipv4 === undefined && ipv6 === undefined) {
    return {
      kind: "none",
      reason: "no-address",
      detail:
        problem ??
        `Docker gives it no address of its own: expected a Docker network, got network mode ${quote(container.networkMode)}`,
    };
  }
  const task = labelledTask(container) ?? (container.id.slice(0, 32) as TaskId);
  return {
    kind: "endpoint",
    source: "docker",
    holder: { task, container: shortId(container.id) },
    ...addressesOf(ipv4, ipv6),
    ...(typeof port === "number" && { port }),
  };
}

/** What the ECS agent's answer comes to; `host` are this host's own addresses, undefined while nobody asked for them. */
export function taskEndpoint(
  container: Container,
  answer: TaskAnswer | NoAnswer,
  wishes: EndpointWishes,
  host: Addresses | undefined,
): Endpoint | NoEndpoint {
  const task = labelledTask(container);
  switch (answer.kind) {
    case "unavailable":
      return unsure("agent-unavailable", answer.problem, task);
    case "malformed":
      return unsure("malformed-answer", answer.problem, task);
    case "unknown":
      return container.labels.has(TASK_ARN_LABEL)
        ? unsure("unknown-task", "the ECS agent does not know its task", task)
        : none(
            "not-a-task",
            "the ECS agent knows no task of it, and it has no ECS label (--addressSource=docker registers such containers)",
          );
    case "task":
      break;
  }
  const { id, stopped } = answer.task;
  if (stopped) return none("task-stopped", `the ECS agent says task ${id} has stopped`);
  const own = wishes.source === "host" ? "host" : ownEndpoint(container, answer.task, wishes);
  return own === "host" ? hostEndpoint(container, answer.task, wishes, host) : own;
}

/** At the task's own address; `host` where it has none, can't have one, and the host's will do. */
function ownEndpoint(
  container: Container,
  { id, containers }: Task,
  { source, port }: EndpointWishes,
): Endpoint | NoEndpoint | "host" {
  const own = containers.get(container.id);
  const { ipv4, ipv6, problem } = reachableOf(own?.ipv4 ?? [], own?.ipv6 ?? []);
  if (ipv4 !== undefined || ipv6 !== undefined) {
    const known = port === "first" ? own?.ports[0]?.container : port;
    return {
      kind: "endpoint",
      source: "ecs",
      holder: { task: id },
      ...addressesOf(ipv4, ipv6),
      ...(known !== undefined && { port: known }),
    };
  }
  const task = labelledTask(container);
  // Nothing that a task can have: what is published for it stays until the ECS agent says better.
  if (problem !== undefined) return unsure("malformed-answer", `task ${id}: ${problem}`, task);
  // An awsvpc container lives in its pause container's network; in any other mode the task has no address of its own.
  if (container.networkMode.startsWith("container:")) {
    return unsure("address-pending", `task ${id} has no address yet`, task);
  }
  if (source !== "ecs") return "host";
  return none(
    "no-address",
    `task ${id} has no address of its own: expected network mode awsvpc, got ${quote(container.networkMode)}`,
  );
}

/** At this host's address, behind the port that Docker gave the container there. */
function hostEndpoint(
  container: Container,
  { id, containers }: Task,
  { port }: EndpointWishes,
  host: Addresses | undefined,
): Endpoint | NoEndpoint {
  if (host === undefined) return { kind: "ask-host" };
  const { ipv4, ipv6, problem } = reachableOf(host.ipv4 ?? [], host.ipv6 ?? []);
  if (ipv4 === undefined && ipv6 === undefined) {
    return none(
      "no-address",
      `task ${id} has no address of its own (network mode ${quote(container.networkMode)}), and this host's is not known: ${problem ?? "expected --hostAddress or instance metadata"}`,
    );
  }
  const ports = containers.get(container.id)?.ports ?? [];
  const published = publishedPort(port, ports, container.networkMode === "host");
  if (published === "pending") {
    return unsure("port-pending", `task ${id} has no published port yet`, labelledTask(container));
  }
  return {
    kind: "endpoint",
    source: "host",
    holder: { task: id },
    ...addressesOf(ipv4, ipv6),
    ...(published !== undefined && { port: published }),
  };
}

type None = Extract<NoEndpoint, { readonly kind: "none" }>;
type Unsure = Extract<NoEndpoint, { readonly kind: "unsure" }>;

const none = (reason: None["reason"], detail: string): None => ({ kind: "none", reason, detail });

const unsure = (reason: Unsure["reason"], detail: string, task: TaskId | undefined): Unsure => ({
  kind: "unsure",
  reason,
  detail,
  ...(task && { holder: { task } }),
});

/** The port of this host behind which a container's port is: the same in host mode, else what Docker gave it. */
function publishedPort(
  wanted: EndpointWishes["port"],
  ports: readonly Port[],
  isHostMode: boolean,
): number | "pending" | undefined {
  if (wanted === undefined) return undefined;
  const mapping = wanted === "first" ? ports[0] : ports.find((one) => one.container === wanted);
  if (isHostMode) return wanted === "first" ? mapping?.container : wanted;
  if (mapping === undefined) return wanted === "first" ? undefined : "pending";
  return mapping.host ?? "pending";
}

/** The one address of each family that clients are told, and what is wrong where addresses are given but none is one. */
function reachableOf(
  given4: string | readonly string[],
  given6: string | readonly string[],
): Addresses & { readonly problem?: string } {
  const four = firstReachable([given4].flat());
  const six = firstReachable([given6].flat());
  const problem = four.problem ?? six.problem;
  return {
    ...addressesOf(four.address, six.address),
    ...(problem !== undefined && { problem }),
  };
}

const addressesOf = (ipv4: string | undefined, ipv6: string | undefined): Addresses => ({
  ...(ipv4 !== undefined && { ipv4 }),
  ...(ipv6 !== undefined && { ipv6 }),
});

/** The task that the ECS agent's label names; undefined for a container outside of ECS. */
export function labelledTask(container: Container): TaskId | undefined {
  const arn = container.labels.get(TASK_ARN_LABEL);
  return arn === undefined ? undefined : taskIdOf(arn);
}
