import { SERVICE_NAME_LABEL } from "../../lib/discovery/labels.ts";
import type { ContainerId } from "../../lib/docker/container.ts";
import type { InstanceId, TaskId } from "../../lib/ecs/arn.ts";
import { containerId, instance, task, taskArn, ZONE } from "../support/build.ts";

/** What a scenario says of a container, before it exists. */
export interface Plan {
  readonly host: number;
  /** In the task of the container planned before it, where that is on the same host. */
  readonly isSidecar: boolean;
  /** Its service names; none for a container without the label, which no agent may ever register. */
  readonly names: readonly string[];
  /** Besides, a name that no record can have. */
  readonly hasBadName: boolean;
  /** Of the ECS agent, in its own network (awsvpc) or behind the host's address (bridge), or not of ECS at all. */
  readonly mode: "awsvpc" | "bridge" | "no task";
  readonly hasCheck: boolean;
  readonly isWell: boolean;
  readonly hasIpv6: boolean;
  readonly hasPort: boolean;
  readonly weight: number | undefined;
  readonly addressAfterMs: number;
  readonly startsAtMs: number;
  /** How long it takes from its stop signal to its end; undefined when it outlives it. */
  readonly stopsInMs: number | undefined;
}

/** A container with its identity and all that is said of it where. */
export interface Made extends Plan {
  readonly id: ContainerId;
  readonly task: TaskId;
  readonly taskNumber: number;
  readonly labels: ReadonlyMap<string, string>;
}

const PORT = 8080;
const BRIDGE_PORT = 32_768;

export const instanceOf = (host: number): InstanceId => instance(host + 1);
/** Who the host is after it was registered anew so many times. */
export const laterInstanceOf = (host: number, times: number): InstanceId =>
  instance(1 + host + 100 * times);
export const hostAddress = (host: number): string => `192.168.0.${host + 1}`;

/** Container number `n`, in task number `taskNumber`. */
export function made(plan: Plan, n: number, taskNumber: number): Made {
  const names = [...plan.names, ...(plan.hasBadName ? ["-no-name-"] : [])];
  return {
    ...plan,
    id: containerId(n + 1),
    task: task(taskNumber),
    taskNumber,
    labels: new Map([
      ...(names.length > 0 ? [[SERVICE_NAME_LABEL, names.join(",")] as const] : []),
      ...(plan.mode === "no task"
        ? []
        : [["com.amazonaws.ecs.task-arn", taskArn(taskNumber)] as const]),
      ...(plan.weight === undefined
        ? []
        : [["discovery.service.weight", `${plan.weight}`] as const]),
      ...(plan.hasPort ? [["discovery.service.port", `${PORT}`] as const] : []),
    ]),
  };
}

/** Addresses are given out again and again: a task that has stopped shares its own with a later one. */
const addressesOf = ({ mode, host, taskNumber, hasIpv6 }: Made) => {
  if (mode === "bridge") return { ipv4: hostAddress(host) };
  const end = taskNumber % 5;
  return { ipv4: `10.${host}.0.${end}`, ...(hasIpv6 && { ipv6: `2001:db8::${host}:${end}` }) };
};

/** What the ECS agent lists for it. */
export const introspected = (one: Made) => {
  const { ipv4, ipv6 } = one.mode === "bridge" ? {} : addressesOf(one);
  return {
    ipv4: ipv4 === undefined ? [] : [ipv4],
    ipv6: ipv6 === undefined ? [] : [ipv6],
    ports: one.hasPort
      ? [{ container: PORT, host: one.mode === "bridge" ? BRIDGE_PORT : PORT }]
      : [],
  };
};

/** A record as it must be, in the tests' own words and without its TTL: what the agent's rules say is not asked. */
export interface Expected {
  /** Name, type and set identifier. */
  readonly key: string;
  readonly content: string;
  readonly name: string;
}

export const contentOf = (weight: number | undefined, values: readonly string[]): string =>
  `${weight ?? "multivalue"} ${values.join(" ")}`;

/** All records that a container asks for while it serves. */
export function recordsFor(
  one: Made,
  rules: { readonly weight: number; readonly routing: "weighted" | "multivalue" },
  instanceId: InstanceId,
): readonly Expected[] {
  if (one.mode === "no task") return [];
  const { ipv4, ipv6 } = addressesOf(one);
  const identifier = `ecs-discovery-1/${instanceId}/${one.task}`;
  const weight = rules.routing === "weighted" ? (one.weight ?? rules.weight) : undefined;
  const record = (name: string, type: string, value: string): Expected => ({
    key: `${name}. ${type} ${identifier}`,
    content: contentOf(weight, [value]),
    name,
  });
  const addresses = (name: string) => [
    ...(ipv4 === undefined ? [] : [record(name, "A", ipv4)]),
    ...(ipv6 === undefined ? [] : [record(name, "AAAA", ipv6)]),
  ];
  return one.names.flatMap((service) => {
    const name = `${service}.${ZONE}`;
    if (!one.hasPort) return addresses(name);
    const target = `${one.task}.${name}`;
    const port = one.mode === "bridge" ? BRIDGE_PORT : PORT;
    return [...addresses(name), ...addresses(target), record(name, "SRV", `1 1 ${port} ${target}`)];
  });
}
