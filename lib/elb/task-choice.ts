import { type AbsenceReason, absenceOf, type ServiceTask } from "../ecs/service-task.ts";
import type { Service } from "./service.ts";

/** A task of this host, and whether Docker says that it stops, which ECS will say in a moment. */
export interface HostTask extends ServiceTask {
  readonly stopping?: true;
}

/** Why a service has no task to send to. */
type NoTask = AbsenceReason | "no-task";

interface Without {
  readonly reason: NoTask;
  readonly detail: string;
}

/** A TCP port of a container, and the port of the host that leads to it. */
interface BoundPort {
  readonly container: number;
  readonly host: number;
}

export type BoundPorts = readonly [BoundPort, ...BoundPort[]];

export interface Answering {
  readonly task: HostTask;
  /** In ECS's order. */
  readonly ports: BoundPorts;
}

/** `arn:aws:ecs:…:task-definition/web:7` is of the family web. */
export const familyOf = ({ definition }: Pick<ServiceTask, "definition">): string =>
  definition.replace(/^.*\//, "").replace(/:\d+$/, "");

/** The last part of a task's ARN. */
export const idOf = ({ arn }: Pick<ServiceTask, "arn">): string => arn.replace(/^.*\//, "");

const shortId = (task: Pick<ServiceTask, "arn">): string => idOf(task).slice(0, 8);

/** A task of a network of its own is reached at this address; the others at their host's. */
export const ownAddress = ({ network }: ServiceTask): string | undefined =>
  network?.ipv4 ?? network?.ipv6;

/** The ports of the service's container that can be sent to; or why the task can't be. */
function portsOf(service: Service, task: HostTask): BoundPorts | Without {
  const about = (reason: NoTask, detail: string): Without => ({
    reason,
    detail: `task ${shortId(task)}: ${detail}`,
  });
  if (task.stopping) return about("stopping", "Docker has sent its stop signal");
  const absence = absenceOf(task, { container: service.container, byHealth: true });
  if (absence !== undefined) return about(absence.reason, absence.detail);
  const bindings = task.containers.find(({ name }) => name === service.container)?.bindings ?? [];
  // Of a range each port; Docker binds a port twice, for IPv4 and IPv6: the first one counts.
  const ports = new Map<number, BoundPort>();
  for (const { container, host } of bindings) {
    for (let at = 0; at <= Math.min(container.last - container.first, 1_000); at += 1) {
      const port = { container: container.first + at, host: host.first + at };
      if (!ports.has(port.container)) ports.set(port.container, port);
    }
  }
  const named = namedPorts(service);
  const ownNetwork = task.network !== undefined;
  // A task of its own network has no bindings that ECS tells; its ports are those of its container.
  if (ownNetwork) for (const port of named) ports.set(port, { container: port, host: port });
  const [first, ...rest] = ports.values();
  if (first === undefined) {
    return about(
      "no-ports",
      ownNetwork
        ? "it has a network of its own: name the container's port in `ports`"
        : "its container has no TCP port bound on the host",
    );
  }
  const lacked = named.find((port) => !ports.has(port));
  return lacked === undefined
    ? [first, ...rest]
    : about("no-ports", `port ${lacked} of its container is not bound on the host`);
}

/** Ports of the container that the service names. */
const namedPorts = ({ outlet }: Service): readonly number[] =>
  outlet.mode === "targets"
    ? outlet.containerPorts
    : outlet.ports.flatMap(({ containerPort }) => containerPort ?? []);

export type Candidates =
  /** The newest first. */
  | { readonly kind: "some"; readonly tasks: readonly [Answering, ...Answering[]] }
  | ({
      readonly kind: "none";
      /** How many tasks of the family are meant to run here. */
      readonly wanted: number;
    } & Without);

/** Younger first: by start, then by creation, then by id, so that the order never changes between two looks. */
export const byAge = (a: ServiceTask, b: ServiceTask): number =>
  (b.startedAt ?? 0) - (a.startedAt ?? 0) ||
  (b.createdAt ?? 0) - (a.createdAt ?? 0) ||
  (a.arn < b.arn ? 1 : -1);

/**
 * The tasks that can be sent to: RUNNING, meant to run, not UNHEALTHY, the container's ports bound. A load balancer's
 * listener leads to a port of the host, so for `rewrite` and `forward` a task must not have a network of its own, as
 * its ports are not the host's.
 */
export function candidates(service: Service, tasks: readonly HostTask[]): Candidates {
  const own = tasks.filter((task) => familyOf(task) === service.family).toSorted(byAge);
  const looked = own.map((task) => ({ task, ports: hostPorts(service, task) }));
  const [first, ...rest] = looked.filter((one): one is Answering => !("reason" in one.ports));
  if (first !== undefined) return { kind: "some", tasks: [first, ...rest] };
  const without = looked.map(({ ports }) => ports).find((one) => "reason" in one);
  return {
    kind: "none",
    ...(without ?? {
      reason: "no-task" as const,
      detail: `this host runs no task of family ${service.family}`,
    }),
    wanted: own.filter((task) => !task.stopping && task.desiredStatus === "RUNNING").length,
  };
}

function hostPorts(service: Service, task: HostTask): BoundPorts | Without {
  const ports = portsOf(service, task);
  if ("reason" in ports || task.network === undefined || service.outlet.mode !== "rewrite") {
    return ports;
  }
  return {
    reason: "no-ports",
    detail: `task ${shortId(task)}: it has a network of its own, and a Classic Load Balancer only reaches ports of the host: use mode "forward"`,
  };
}

/** What is remembered of a service between two looks. */
export interface Chosen {
  /** The task's ARN. */
  readonly arn: string;
  /** Tasks that were left for a newer one. */
  readonly left: readonly string[];
}

/** More than can run side by side on a host. */
const MOST_LEFT = 50;

/**
 * The one task that the listeners lead to.
 *
 * | the task chosen last | another one              | then                                         |
 * |----------------------|--------------------------|----------------------------------------------|
 * | none                 | any                      | the newest                                   |
 * | can be sent to       | newer, never left before | the newest of these                          |
 * | can be sent to       | older, or left before    | stays: never back                            |
 * | can't be sent to     | never left before        | the newest of these                          |
 * | can't be sent to     | only ones left before    | the newest of these: better than none at all |
 */
export function choose(
  found: readonly [Answering, ...Answering[]],
  before: Chosen | undefined,
): { readonly chosen: Chosen; readonly answering: Answering } {
  const left = new Set(before?.left);
  const current = found.find(({ task }) => task.arn === before?.arn);
  const [fresh] = found.filter(({ task }) => !left.has(task.arn));
  const next = newer(current, fresh) ?? found[0];
  if (before !== undefined && before.arn !== next.task.arn) left.add(before.arn);
  left.delete(next.task.arn);
  return {
    answering: next,
    chosen: { arn: next.task.arn, left: [...left].slice(-MOST_LEFT) },
  };
}

const newer = (
  current: Answering | undefined,
  fresh: Answering | undefined,
): Answering | undefined => {
  if (current === undefined || fresh === undefined) return current ?? fresh;
  return byAge(fresh.task, current.task) < 0 ? fresh : current;
};

/** The port of the host that leads to this port of the container; without one, the first that is bound. */
export const hostPortOf = (ports: BoundPorts, container: number | undefined): number | undefined =>
  container === undefined ? ports[0].host : ports.find((one) => one.container === container)?.host;
