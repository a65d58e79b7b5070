import type { ServiceTask } from "../../../lib/ecs/service-task.ts";
import type { ForwardOutlet, Service } from "../../../lib/elb/service.ts";
import {
  type Answering,
  type Candidates,
  type Chosen,
  candidates,
  choose,
  familyOf,
} from "../../../lib/elb/task-choice.ts";
import type { ServiceState } from "../../../lib/elb/wishes.ts";

/** A service as the last look has found it. */
export interface Seen {
  readonly service: Service;
  readonly found: Candidates;
  readonly chosen: Answering | undefined;
  /** Two looks in a row have found that no task is meant to run here. */
  readonly isAbsent: boolean;
}

export interface Services {
  /** After a look at the tasks; comes back with what each service has now, in the file's order. */
  look(services: readonly Service[], tasks: readonly ServiceTask[]): readonly Seen[];
  /** A service has lost its last task, and the next look has to say so again. */
  hasDoubt(): boolean;
  /** A task of a service is on its way. */
  isUnsettled(): boolean;
}

/** Developer Guide, task lifecycle. */
const STARTING = ["PROVISIONING", "PENDING", "ACTIVATING"];

/** What is remembered of each service between two looks: its chosen task, and since how many looks it has none. */
export function serviceMemory(
  isStopping: (taskArn: string, container: string) => boolean,
): Services {
  const chosen = new Map<string, Chosen>();
  const without = new Map<string, number>();
  let starting = false;

  const one = (service: Service, tasks: readonly ServiceTask[]): Seen => {
    const { key, container } = service;
    const found = candidates(
      service,
      tasks.map((task) =>
        isStopping(task.arn, container) ? { ...task, stopping: true as const } : task,
      ),
    );
    if (found.kind === "some") {
      without.delete(key);
      const choice = choose(found.tasks, chosen.get(key));
      chosen.set(key, choice.chosen);
      return { service, found, chosen: choice.answering, isAbsent: false };
    }
    // An empty answer is also what a failing ECS may give: it must be given twice.
    const times = found.wanted === 0 ? (without.get(key) ?? 0) + 1 : 0;
    without.set(key, times);
    return { service, found, chosen: undefined, isAbsent: times >= 2 };
  };

  return {
    look(services, tasks) {
      const keys = new Set(services.map(({ key }) => key));
      for (const memory of [chosen, without]) {
        for (const key of memory.keys()) if (!keys.has(key)) memory.delete(key);
      }
      const families = new Set(services.map(({ family }) => family));
      starting = tasks.some(
        (task) => families.has(familyOf(task)) && STARTING.includes(task.lastStatus),
      );
      return services.map((service) => one(service, tasks));
    },
    hasDoubt: () => [...without.values()].includes(1),
    isUnsettled: () => starting,
  };
}

export const isForward = (
  service: Service,
): service is Service & { readonly outlet: ForwardOutlet } => service.outlet.mode === "forward";

export const stateOf = (
  seen: Seen,
  facts: { readonly isServing: boolean; readonly isResting: boolean },
): ServiceState => ({ ...seen, ...facts });
