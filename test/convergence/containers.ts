import type { ContainerId } from "../../lib/docker/container.ts";
import type { KnownTask } from "./ecs.ts";
import type { Engine } from "./engine.ts";
import { introspected, type Made, made, type Plan } from "./hosts.ts";

/** An ECS agent says that a task has stopped so long after its last container has ended. */
const ECS_NOTICES_MS = 5_000;

/** All containers of all hosts, and their tasks: what is true, whatever any agent has heard of it. */
export interface Containers {
  all(): readonly Made[];
  byId(id: ContainerId): Made | undefined;
  taskOf(one: Made): KnownTask | undefined;
  tasksOn(host: number): readonly KnownTask[];
  /** Makes a container of this plan, in the task of the one made before where the plan says so. */
  make(plan: Plan, before?: Made): Made;
  /** Starts it, unless its task has stopped: that never starts again. */
  start(one: Made): void;
  /** To be told of each change of a container's life. */
  changed(id: ContainerId): void;
}

export function containers({
  clock,
  engines,
  taskChanged,
}: {
  readonly clock: { now(): number; at(ms: number, act: () => void): void };
  readonly engines: readonly Engine[];
  /** The task of this container has an address now, or has stopped. */
  readonly taskChanged: (id: ContainerId) => void;
}): Containers {
  const table = new Map<ContainerId, Made>();
  const tasks: (KnownTask & { readonly host: number; readonly containers: Set<ContainerId> })[] =
    [];
  let lastTask = 0;

  const taskOf = ({ host, task }: Made) =>
    tasks.find((one) => one.host === host && one.id === task);
  const isOver = ({ host, task }: Made): boolean =>
    [...table.values()]
      .filter((one) => one.task === task)
      .every(({ id }) => !engines[host]?.boxes.get(id)?.running);

  const introduce = (one: Made): void => {
    const known = taskOf(one);
    if (known !== undefined) known.containers.add(one.id);
    if (known !== undefined || one.mode === "no task") return;
    const addressFromMs = one.startsAtMs + (one.mode === "awsvpc" ? one.addressAfterMs : 0);
    tasks.push({
      host: one.host,
      id: one.task,
      containers: new Set([one.id]),
      says: introspected(one),
      addressFromMs,
      stopped: false,
    });
    clock.at(addressFromMs, () => taskChanged(one.id));
  };

  return {
    all: () => [...table.values()],
    byId: (id) => table.get(id),
    taskOf,
    tasksOn: (host) => tasks.filter((one) => one.host === host),
    make(plan, before) {
      const isWith = plan.isSidecar && before?.host === plan.host && before.mode === plan.mode;
      if (!isWith) lastTask += 1;
      // What belongs to the task is the same for all of its containers.
      const shared = isWith && {
        hasIpv6: before.hasIpv6,
        hasPort: before.hasPort,
        weight: before.weight,
      };
      const one = made({ ...plan, ...shared }, table.size, lastTask);
      table.set(one.id, one);
      introduce(one);
      engines[one.host]?.create({
        id: one.id,
        labels: one.labels,
        hasCheck: one.hasCheck,
        isWell: one.isWell,
        networkMode: one.mode === "awsvpc" ? "container:pause" : "bridge",
      });
      return one;
    },
    start(one) {
      if (!taskOf(one)?.stopped) engines[one.host]?.start(one.id);
    },
    changed(id) {
      const one = table.get(id);
      if (one === undefined || !isOver(one)) return;
      clock.at(clock.now() + ECS_NOTICES_MS, () => {
        const task = taskOf(one);
        if (task === undefined || task.stopped || !isOver(one)) return;
        task.stopped = true;
        for (const each of task.containers) taskChanged(each);
      });
    },
  };
}
