import { createHash } from "node:crypto";
import { RefusedParameter } from "./filters.ts";
import { act, type ContainerAction, type Step } from "./life.ts";
import { type ContainerState, type Health, isRunning } from "./state.ts";

export interface ContainerSpec {
  readonly name?: string;
  readonly image?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** Default: another container's network, as a task with its own network interface has it. */
  readonly networkMode?: string;
  readonly stopSignal?: string;
  /** Shown by inspect and list while running, and only with a network of its own. */
  readonly address?: string;
  readonly healthcheck?: boolean;
  /** 64 hex digits. */
  readonly id?: string;
}

export interface ContainerView {
  readonly id: string;
  readonly name: string;
  readonly image: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly networkMode: string;
  readonly address?: string;
  readonly status: ContainerState["status"];
  /** True while paused, too. */
  readonly running: boolean;
  readonly health?: Health;
}

export interface ContainerTable {
  /** In order of creation. */
  all(): readonly ContainerState[];
  /** By full id, then exact name, then unique prefix of an id: moby `GetContainer`. Throws `RefusedParameter`. */
  find(reference: string): ContainerState;
  /** The id of a container that is there from now on, without any event. Throws when name or id is taken. */
  place(spec: ContainerSpec, running: boolean): string;
  /** Throws for an id that is not there, and for what dockerd refuses with 409. */
  perform(id: string, action: ContainerAction): void;
}

/** `happened` hears the events of each action, in order. */
export function containerTable({
  seed,
  wallMs,
  engineMinor,
  happened,
}: {
  /** Ids follow from it and from the order of creation, so that a run can be repeated. */
  readonly seed: string;
  readonly wallMs: () => number;
  readonly engineMinor: number;
  readonly happened: (event: Step["events"][number]) => void;
}): ContainerTable {
  const containers = new Map<string, ContainerState>();
  let made = 0;
  const nextId = (kind: string): string =>
    createHash("sha256").update(`${seed} ${kind} ${made}`).digest("hex");

  return {
    all: () => [...containers.values()],
    find: (reference) =>
      containers.get(reference) ?? findAmong([...containers.values()], reference),
    place(spec, running) {
      made += 1;
      const id = spec.id ?? nextId("container");
      const name = spec.name ?? `container-${made}`;
      if (!/^[0-9a-f]{64}$/.test(id)) throw new Error(`expected 64 hex digits, got ${id}`);
      for (const other of containers.values()) {
        if (other.id === id || other.name === name) {
          throw new Error(`expected a new id and name, got ${id} ${name}`);
        }
      }
      const networkMode = spec.networkMode ?? `container:${nextId("pause")}`;
      containers.set(id, placed({ ...spec, id, name, networkMode }, running, wallMs()));
      return id;
    },
    perform(id, action) {
      const container = containers.get(id);
      if (container === undefined) throw new Error(`expected a container's full id, got ${id}`);
      const step = act(container, action, wallMs(), engineMinor);
      if (step.container === undefined) containers.delete(id);
      else containers.set(id, step.container);
      for (const event of step.events) happened(event);
    },
  };
}

function placed(
  spec: ContainerSpec & Pick<ContainerState, "id" | "name" | "networkMode">,
  running: boolean,
  nowMs: number,
): ContainerState {
  const { id, name, networkMode, healthcheck = false } = spec;
  return {
    ...{ id, name, networkMode, healthcheck },
    image: spec.image ?? "app:1",
    labels: { ...spec.labels },
    status: running ? "running" : "created",
    exitCode: 0,
    oomKilled: false,
    createdMs: nowMs,
    restartCount: 0,
    ...(running ? { startedMs: nowMs } : {}),
    ...(running && healthcheck ? { health: "starting" } : {}),
    ...(spec.stopSignal === undefined ? {} : { stopSignal: spec.stopSignal }),
    ...(spec.address === undefined ? {} : { address: spec.address }),
  };
}

function findAmong(all: readonly ContainerState[], reference: string): ContainerState {
  const named = all.find(({ name }) => name === reference.replace(/^\//, ""));
  if (named !== undefined) return named;
  const [first, second] = all.filter(({ id }) => id.startsWith(reference));
  if (first === undefined) throw new RefusedParameter(404, `No such container: ${reference}`);
  if (second !== undefined) {
    throw new RefusedParameter(400, `multiple IDs found with provided prefix: ${reference}`);
  }
  return first;
}

/** What a test sees of a container. */
export const viewOf = (container: ContainerState): ContainerView => ({
  id: container.id,
  name: container.name,
  image: container.image,
  labels: container.labels,
  networkMode: container.networkMode,
  status: container.status,
  running: isRunning(container),
  ...(container.address === undefined ? {} : { address: container.address }),
  ...(container.health === undefined ? {} : { health: container.health }),
});
