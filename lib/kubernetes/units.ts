import {
  isObject,
  type Normal,
  type ServiceDefinition,
  serviceDefinitionOf,
  type TaskDefinition,
  taskDefinitionOf,
} from "../ecs/definition.ts";
import { type FoundDefinition, referredTask } from "../ecs/definition-find.ts";

/** A definition with where it came from. */
export interface Sourced extends FoundDefinition {
  /** The file's name, or that of the live cluster. */
  readonly source: string;
}

interface SourcedTask {
  readonly from: Sourced;
  readonly task: Normal<TaskDefinition>;
}

interface SourcedService {
  readonly from: Sourced;
  readonly service: Normal<ServiceDefinition>;
}

/** What becomes one application: a task definition, a service, or both. */
export type Unit =
  | { readonly kind: "deployment"; readonly from: Sourced }
  | ({ readonly kind: "task" } & SourcedTask)
  | ({ readonly kind: "service" } & SourcedService & { readonly of?: SourcedTask });

/**
 * The applications that the definitions are, in their order. A service goes with the task definition that it names: by
 * reference in a template, or by family. Where it names none that is there, it goes with the only one that no service
 * names.
 */
export function unitsOf(definitions: readonly Sourced[]): readonly Unit[] {
  const tasks = definitions
    .filter(({ kind }) => kind === "task")
    .map((from): SourcedTask => ({ from, task: taskDefinitionOf(from.value) }));
  const services = definitions
    .filter(({ kind }) => kind === "service")
    .map((from): SourcedService => ({ from, service: serviceDefinitionOf(from.value) }));
  const named = new Map(services.map((one) => [one, namedTask(one, tasks)]));
  const left = tasks.filter((task) => ![...named.values()].includes(task));
  const lonely = services.filter((one) => named.get(one) === undefined);
  const [onlyTask] = left;
  const [onlyService] = lonely;
  if (onlyTask !== undefined && onlyService !== undefined && left.length + lonely.length === 2) {
    named.set(onlyService, onlyTask);
  }
  const used = new Set(named.values());
  return definitions.flatMap((from): Unit[] => {
    if (from.kind === "deployment") return [{ kind: "deployment", from }];
    const task = tasks.find((one) => one.from === from);
    if (task !== undefined) return used.has(task) ? [] : [{ kind: "task", ...task }];
    const service = services.find((one) => one.from === from);
    if (service === undefined) return [];
    const of = named.get(service);
    return [{ kind: "service", ...service, ...(of !== undefined && { of }) }];
  });
}

function namedTask(
  { from, service }: SourcedService,
  tasks: readonly SourcedTask[],
): SourcedTask | undefined {
  const id = referredTask(from.value);
  if (id !== undefined) {
    return tasks.find((one) => one.from.id === id && one.from.source === from.source);
  }
  const asked = service.value.taskDefinition;
  if (asked === undefined) return undefined;
  const [, family, revision] = /^(?:.*\/)?([^:/]+)(?::(\d+))?$/.exec(asked) ?? [];
  const ofFamily = tasks.filter(({ task }) => task.value.family === family);
  const revisionOf = ({ from: { value } }: SourcedTask) =>
    isObject(value) ? String(value["revision"] as string) : "";
  return (
    ofFamily.find((one) => revision !== undefined && revisionOf(one) === revision) ?? ofFamily[0]
  );
}
