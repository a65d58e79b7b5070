import { isIP } from "node:net";
import { type Backend, endpointOf } from "../net/backend.ts";

/** Which tasks: those of a service, or those of a task family, in one cluster. */
export interface Selection {
  /** A name or an ARN. */
  readonly cluster: string;
  readonly service?: string;
  readonly family?: string;
  /** Only those on this container instance; its id or ARN. */
  readonly instance?: string;
}

/** A task as the ECS API tells it, of what a client of its service needs. */
export interface ServiceTask {
  readonly arn: string;
  /** The ARN of its task definition, with the revision. */
  readonly definition: string;
  /** PROVISIONING to STOPPED (Developer Guide, task lifecycle). */
  readonly lastStatus: string;
  readonly desiredStatus: string;
  readonly health: Health;
  /** The container instance that it runs on; Fargate has none. */
  readonly instance?: string;
  /** Unix ms; undefined before that. */
  readonly createdAt?: number;
  readonly startedAt?: number;
  /** Of its own network interface (awsvpc, Fargate). */
  readonly network?: OwnNetwork;
  readonly containers: readonly ServiceContainer[];
}

/** UNKNOWN is that of a task without a health check. */
type Health = "HEALTHY" | "UNHEALTHY" | "UNKNOWN";

interface OwnNetwork {
  readonly ipv4?: string;
  readonly ipv6?: string;
  /** `eni-…` */
  readonly interface?: string;
}

export interface ServiceContainer {
  readonly name: string;
  readonly lastStatus: string;
  readonly health: Health;
  /** Docker's id of it, once it is created. */
  readonly runtimeId?: string;
  readonly bindings: readonly Binding[];
}

/** TCP: from ports of the container to as many ports of the host, first to first. */
export interface Binding {
  readonly container: PortRange;
  readonly host: PortRange;
}

export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** What a task definition says of its ports. */
export interface Definition {
  /** bridge, host, awsvpc, none or default. */
  readonly networkMode: string;
  /** TCP ports of the container, by its name. */
  readonly ports: ReadonlyMap<string, readonly PortRange[]>;
}

/** What ECS says of one task that it was asked for. */
export type DescribedTask =
  | { readonly kind: "task"; readonly task: ServiceTask }
  /** It is gone. */
  | { readonly kind: "missing" }
  /** An answer that makes no sense. */
  | { readonly kind: "garbage"; readonly problem: string };

/** Why a task of the service gets nothing; each of them shows in log, page and status. */
export type AbsenceReason =
  | "starting"
  | "stopping"
  | "stopped"
  | "other-revision"
  | "unhealthy"
  | "no-container"
  | "container-stopped"
  | "no-ports"
  | "no-address"
  | "garbage";

export interface Absence {
  readonly reason: AbsenceReason;
  readonly detail: string;
}

/** What is wanted of the tasks. */
export interface Wanted {
  readonly container: string;
  /** Only tasks of this revision of the family. */
  readonly revision?: number;
  /** Whether a task that ECS calls UNHEALTHY gets nothing. */
  readonly byHealth: boolean;
}

const LEAVING = ["DEACTIVATING", "STOPPING", "DEPROVISIONING"];

/**
 * Why nobody is to be sent to the task, whatever its address; undefined when nothing speaks against it. The first row that
 * fits counts:
 *
 * | the task | |
 * | --- | --- |
 * | is of another revision | other-revision |
 * | has stopped | stopped |
 * | is stopping, or is to stop (desired status STOPPED) | stopping |
 * | does not run yet | starting |
 * | has no container of that name | no-container |
 * | has it, and it does not run | container-stopped |
 * | is UNHEALTHY, or that container is, and health counts | unhealthy |
 */
export function absenceOf(task: ServiceTask, wanted: Wanted): Absence | undefined {
  const { lastStatus, desiredStatus } = task;
  const revision = revisionOf(task.definition);
  if (wanted.revision !== undefined && revision !== wanted.revision) {
    return { reason: "other-revision", detail: `it is of revision ${revision ?? "?"}` };
  }
  if (lastStatus === "STOPPED" || lastStatus === "DELETED") {
    return { reason: "stopped", detail: `its status is ${lastStatus}` };
  }
  if (LEAVING.includes(lastStatus) || desiredStatus === "STOPPED") {
    return { reason: "stopping", detail: "it is to stop: what is open stays, nothing new comes" };
  }
  if (lastStatus !== "RUNNING") {
    return { reason: "starting", detail: `its status is ${lastStatus}` };
  }
  const container = containerOf(task, wanted);
  if (container === undefined) {
    const names = task.containers.map(({ name }) => name).join(", ");
    return { reason: "no-container", detail: `its containers are ${names || "none"}` };
  }
  if (container.lastStatus !== "RUNNING") {
    return { reason: "container-stopped", detail: `its container is ${container.lastStatus}` };
  }
  const isIll = task.health === "UNHEALTHY" || container.health === "UNHEALTHY";
  return isIll && wanted.byHealth
    ? { reason: "unhealthy", detail: "ECS calls it UNHEALTHY" }
    : undefined;
}

/** Whether its ports can be told only by its task definition: nothing is bound on a host. */
export const needsDefinition = (task: ServiceTask, wanted: Wanted): boolean =>
  task.network !== undefined || containerOf(task, wanted)?.bindings.length === 0;

const containerOf = (task: ServiceTask, { container }: Wanted): ServiceContainer | undefined =>
  task.containers.find(({ name }) => name === container);

/** `arn:aws:ecs:…:task-definition/web:7` is 7. */
function revisionOf(definition: string): number | undefined {
  const [, digits] = /:(\d{1,9})$/.exec(definition) ?? [];
  return digits === undefined ? undefined : Number(digits);
}

/** A range as wide as this is taken for a mistake: each of its ports would be a listener. */
const WIDEST = 1_000;

/**
 * Where the task answers, by the container's port: at its own address where it has a network interface of its own, and at
 * its host's address and the ports that are bound there otherwise. `address` is the one that counts, private or public.
 */
export function placesOf(
  task: ServiceTask,
  wanted: Wanted,
  { address, definition }: { readonly address?: string; readonly definition?: Definition },
): ReadonlyMap<number, Backend> | Absence {
  const id = task.arn.replace(/^.*\//, "");
  const bindings = bindingsOf(task, wanted, definition);
  if (bindings.length === 0) {
    return { reason: "no-ports", detail: "its container has no TCP port that others can reach" };
  }
  if (address === undefined) {
    return { reason: "no-address", detail: whyNoAddress(task) };
  }
  if (isIP(address) === 0) return { reason: "garbage", detail: "its address is none" };
  const places = new Map<number, Backend>();
  for (const { container, host } of bindings) {
    const problem = rangeProblem(container, host);
    if (problem !== undefined) return { reason: "garbage", detail: problem };
    for (let at = 0; at <= container.last - container.first; at += 1) {
      // Docker binds a port twice, for IPv4 and IPv6: the first one counts.
      const port = container.first + at;
      if (!places.has(port)) places.set(port, { id, address, port: host.first + at, weight: 1 });
    }
  }
  return places;
}

function bindingsOf(
  task: ServiceTask,
  wanted: Wanted,
  definition: Definition | undefined,
): readonly Binding[] {
  const declared = () =>
    (definition?.ports.get(wanted.container) ?? []).map((range) => ({
      container: range,
      host: range,
    }));
  if (task.network !== undefined) return declared();
  const { bindings = [] } = containerOf(task, wanted) ?? {};
  // In network mode host a port of the container is the host's; ECS tells of no binding then.
  return bindings.length === 0 && definition?.networkMode === "host" ? declared() : bindings;
}

function rangeProblem(container: PortRange, host: PortRange): string | undefined {
  const isPort = (port: number) => port >= 1 && port <= 65_535;
  const shown = `${container.first}-${container.last} at ${host.first}-${host.last}`;
  const ports = [container.first, container.last, host.first, host.last];
  if (!ports.every(isPort) || container.last < container.first) return `its ports are ${shown}`;
  const width = container.last - container.first;
  if (width !== host.last - host.first) return `its port ranges differ in length: ${shown}`;
  return width < WIDEST ? undefined : `its range has more than ${WIDEST} ports: ${shown}`;
}

function whyNoAddress({ network, instance }: ServiceTask): string {
  if (network !== undefined) return "its network interface has no such address";
  if (instance === undefined) return "it has neither a network interface nor a container instance";
  return "its container instance has no such address in EC2 (an external instance never has one)";
}

/** One task, and what comes of it. */
export interface Observed {
  /** The last part of its ARN. */
  readonly id: string;
  readonly places: ReadonlyMap<number, Backend> | Absence;
}

export const isAbsence = (places: Observed["places"]): places is Absence => "reason" in places;

/** Where a port of the container is served: `8081:8080` serves 8080 at 8081. */
export interface PortRule {
  readonly listen: number;
  readonly container: number;
}

/** More ports than these would be a listener each. */
const MOST_PORTS = 1_000;

/** What is to be served, and what stays away with its reason. */
export interface Served {
  readonly ports: ReadonlyMap<number, readonly Backend[]>;
  /** Of tasks, and of ports that nobody has. */
  readonly absences: readonly {
    readonly of: string;
    readonly reason: string;
    readonly detail: string;
  }[];
}

/**
 * The ports to listen on, with the tasks behind each, in the order of their ids so that the same tasks give the same
 * answer. Without rules: every port of the container under its own number. With rules: those only, each also where no
 * task has it now.
 */
export function servedBy(
  observed: readonly Observed[],
  rules: readonly PortRule[] | undefined,
): Served {
  const sorted = observed.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const all = new Map<number, Backend[]>();
  const absences: { of: string; reason: string; detail: string }[] = [];
  for (const { id, places } of sorted) {
    if (isAbsence(places)) {
      absences.push({ of: id, ...places });
      continue;
    }
    for (const [port, backend] of places) {
      const behind = all.get(port) ?? [];
      // A task that was replaced at the same place within one answer would count twice.
      if (!behind.some((one) => endpointOf(one) === endpointOf(backend))) behind.push(backend);
      all.set(port, behind);
    }
  }
  if (rules !== undefined) {
    const ports = rules.map(({ listen, container }) => {
      const behind = all.get(container) ?? [];
      if (behind.length === 0) {
        const detail = `no task that may be used has port ${container}`;
        absences.push({ of: `port ${listen}`, reason: "no-task", detail });
      }
      return [listen, behind] as const;
    });
    return { ports: new Map(ports), absences };
  }
  const ports = [...all].toSorted(([a], [b]) => a - b);
  for (const [port] of ports.slice(MOST_PORTS)) {
    const detail = `more than ${MOST_PORTS} ports: name those that you want (--ports)`;
    absences.push({ of: `port ${port}`, reason: "too-many-ports", detail });
  }
  return { ports: new Map(ports.slice(0, MOST_PORTS)), absences };
}
