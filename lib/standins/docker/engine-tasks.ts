import { asContainerId, type Container, type ContainerId } from "../../docker/container.ts";
import type { IntrospectionTask } from "../ecs/introspection-shape.ts";
import { type EcsIdentity, type PlainContainer, tasksOf } from "../ecs/tasks.ts";

export interface EngineToRead {
  readonly running: () => Promise<readonly ContainerId[]>;
  readonly inspect: (id: ContainerId) => Promise<Container | undefined>;
}

/**
 * The tasks that an ECS agent would know if it had started an engine's containers: each at its container's real
 * address, or at the address of the container whose network it shares, as awsvpc tasks share their pause container's.
 * Like the agent, it goes on to know a task whose containers have ended.
 */
export function engineTasks(
  { running, inspect }: EngineToRead,
  identity: EcsIdentity = {},
): () => Promise<readonly IntrospectionTask[]> {
  const known = new Map<ContainerId, PlainContainer>();

  const addressOf = async (container: Container): Promise<string | undefined> => {
    const shared = asContainerId(container.networkMode.replace(/^container:/, ""));
    const holder = shared === undefined ? container : await inspect(shared);
    return holder?.addresses[0];
  };

  const plain = async (container: Container): Promise<PlainContainer> => {
    const address = await addressOf(container);
    return {
      id: container.id,
      name: container.name,
      labels: Object.fromEntries(container.labels),
      running: true,
      ...(address !== undefined && { address }),
    };
  };

  const look = async (): Promise<readonly IntrospectionTask[]> => {
    const seen = await Promise.all((await running()).map((id) => inspect(id)));
    const alive = seen.filter((container) => container?.running === true);
    const now = await Promise.all(alive.map((container) => plain(container as Container)));
    // All at once: a question that overlaps this one must never see a running container as ended.
    for (const [id, container] of known) known.set(id, { ...container, running: false });
    for (const container of now) known.set(container.id as ContainerId, container);
    return tasksOf([...known.values()], identity);
  };

  let current: Promise<unknown> = Promise.resolve();
  let next: Promise<readonly IntrospectionTask[]> | undefined;
  return () => {
    // Whoever asks while a look is under way shares the next one: each look asks the engine for every container.
    next ??= current
      .catch(() => {})
      .then(() => {
        next = undefined;
        const now = look();
        current = now;
        return now;
      });
    return next;
  };
}
