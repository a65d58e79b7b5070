import type { DescribedTask, Selection, ServiceTask } from "../../ecs/service-task.ts";

/** What is asked of ECS; each function is one request. All throw `Unavailable` or `Fatal`. */
export interface HostTasksApi {
  /** Tasks that are meant to run. */
  tasks(
    selection: Selection,
    from: string | undefined,
  ): Promise<{ readonly arns: readonly string[]; readonly next?: string }>;
  /** At most 100 ARNs. Whoever is not in the map: ECS has said nothing. */
  describe(cluster: string, arns: readonly string[]): Promise<ReadonlyMap<string, DescribedTask>>;
}

export interface HostTasksLook {
  readonly tasks: readonly ServiceTask[];
  /** Answers about tasks that make no sense. */
  readonly strange: readonly string[];
}

/** API reference, DescribeTasks. */
const MOST_ASKED = 100;

/**
 * The tasks that are meant to run on this host. The list alone says which of them ECS wants no longer, so a task that was
 * once seen to run need not be described each time: only what is new, or not running yet, and with `whole` all of them.
 */
export function hostTasks(
  api: HostTasksApi,
): (
  where: { readonly cluster: string; readonly instance: string },
  whole: boolean,
) => Promise<HostTasksLook> {
  const known = new Map<string, ServiceTask>();
  const strange = new Map<string, string>();
  return async ({ cluster, instance }, whole) => {
    const arns = new Set<string>();
    let from: string | undefined;
    do {
      const page = await api.tasks({ cluster, instance }, from);
      for (const arn of page.arns) arns.add(arn);
      from = page.next;
    } while (from !== undefined);
    const gone = [...known.keys(), ...strange.keys()].filter((arn) => !arns.has(arn));
    for (const arn of gone) {
      known.delete(arn);
      strange.delete(arn);
    }
    const asked = [...arns].filter((arn) => whole || !isSettled(known.get(arn)));
    for (let at = 0; at < asked.length; at += MOST_ASKED) {
      const some = asked.slice(at, at + MOST_ASKED);
      for (const [arn, answer] of await api.describe(cluster, some)) {
        strange.delete(arn);
        if (answer.kind === "task") known.set(arn, answer.task);
        else known.delete(arn);
        if (answer.kind === "garbage") strange.set(arn, answer.problem);
      }
    }
    return { tasks: [...known.values()], strange: [...strange.values()] };
  };
}

/** It runs, and so do its containers: without a word of Docker or a new list nothing about it changes but its health. */
const isSettled = (task: ServiceTask | undefined): boolean =>
  task?.lastStatus === "RUNNING" &&
  task.containers.every(({ lastStatus }) => lastStatus === "RUNNING");
