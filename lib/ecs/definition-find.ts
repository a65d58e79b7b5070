import { isObject, Unresolved } from "./definition.ts";
import { type Parameters, resolveTemplate } from "./definition-template.ts";

/** A definition in a document, whatever its shape; `value` is still as it was written. */
export interface FoundDefinition {
  /** `deployment` is an ECSDeployment, the resource of ecs-kube. */
  readonly kind: "task" | "service" | "deployment";
  readonly value: unknown;
  /** Where in the document: `Resources.Web`, `services[1]`; empty for the document itself. */
  readonly at: string;
  /** The logical id in a CloudFormation template, by which its services name their task definition. */
  readonly id?: string;
}

export interface Found {
  readonly definitions: readonly FoundDefinition[];
  /** What was found and can't be used, each as a sentence. */
  readonly problems: readonly string[];
}

const ECS_DEPLOYMENT = "ECSDeployment";

/**
 * The task definitions, services and ECSDeployments in a document: as the ECS API and its command line take them, as
 * `aws ecs describe-task-definition` and `describe-services` print them, as a CloudFormation template or resource, as
 * Kubernetes manifests or a list of them, and as a list of any of these. A list of containers is a task definition.
 * Parameters are a template's, beside its defaults.
 */
export function definitionsIn(document: unknown, parameters: Parameters = new Map()): Found {
  const problems: string[] = [];
  const definitions = search(document, "", parameters, problems);
  return { definitions, problems };
}

function search(
  document: unknown,
  at: string,
  parameters: Parameters,
  problems: string[],
): readonly FoundDefinition[] {
  const inside = (value: unknown, where: string) =>
    search(value, at === "" ? where : `${at}.${where}`, parameters, problems);
  if (Array.isArray(document)) {
    if (document.length > 0 && document.every(isContainer)) {
      return [{ kind: "task", value: { containerDefinitions: document }, at }];
    }
    return document.flatMap((one: unknown, index) =>
      search(one, `${at}[${index}]`, parameters, problems),
    );
  }
  if (!isObject(document)) return [];
  const member = reader(document);
  if (isObject(member("Resources"))) return inTemplate(document, at, parameters);
  const type = member("Type");
  if (typeof type === "string" && type.startsWith("AWS::ECS::")) {
    const resources = new Map([["", document]]);
    return inResources(resources, at, "");
  }
  if (document["kind"] === ECS_DEPLOYMENT) return [{ kind: "deployment", value: document, at }];
  if (Array.isArray(document["items"])) return inside(document["items"], "items");
  if (typeof document["kind"] === "string" && typeof document["apiVersion"] === "string") {
    problems.push(
      `${at === "" ? "" : `${at}: `}${document["kind"]} of ${document["apiVersion"]} is no ${ECS_DEPLOYMENT}`,
    );
    return [];
  }
  // An answer of DescribeTaskDefinition has the tags beside the definition.
  const task = member("taskDefinition");
  if (isObject(task)) {
    const tags = member("tags");
    const value = tags === undefined ? task : { ...task, tags };
    return [{ kind: "task", value, at: at === "" ? "taskDefinition" : `${at}.taskDefinition` }];
  }
  if (member("containerDefinitions") !== undefined) return [{ kind: "task", value: document, at }];
  const services = member("services");
  if (Array.isArray(services)) return inside(services, "services");
  const service = member("service");
  if (isObject(service)) return inside(service, "service");
  if (SERVICE_MEMBERS.some((name) => member(name) !== undefined)) {
    return [{ kind: "service", value: document, at }];
  }
  return [];
}

const SERVICE_MEMBERS = [
  "serviceName",
  "taskDefinition",
  "desiredCount",
  "loadBalancers",
  "launchType",
  "deploymentConfiguration",
  "schedulingStrategy",
];

/** A member in either case: `taskDefinition` or `TaskDefinition`. */
const reader =
  (object: Readonly<Record<string, unknown>>) =>
  (name: string): unknown => {
    if (object[name] !== undefined) return object[name];
    const first = name[0] ?? "";
    const other = first === first.toLowerCase() ? first.toUpperCase() : first.toLowerCase();
    return object[other + name.slice(1)];
  };

function isContainer(value: unknown): boolean {
  if (!isObject(value)) return false;
  const member = reader(value);
  return member("image") !== undefined && member("name") !== undefined;
}

function inTemplate(
  document: Readonly<Record<string, unknown>>,
  at: string,
  parameters: Parameters,
): readonly FoundDefinition[] {
  return inResources(resolveTemplate(document, parameters), at, "Resources");
}

function inResources(
  resources: ReadonlyMap<string, unknown>,
  at: string,
  room: string,
): readonly FoundDefinition[] {
  return [...resources].flatMap(([id, resource]): FoundDefinition[] => {
    if (!isObject(resource)) return [];
    const member = reader(resource);
    const kind = KINDS.get(String(member("Type")));
    if (kind === undefined) return [];
    const where = [at, room, id].filter((part) => part !== "").join(".");
    return [{ kind, value: member("Properties") ?? {}, at: where, ...(id !== "" && { id }) }];
  });
}

const KINDS: ReadonlyMap<string, "task" | "service"> = new Map([
  ["AWS::ECS::TaskDefinition", "task"],
  ["AWS::ECS::Service", "service"],
]);

/**
 * The logical id of the template's task definition that a service names by `Ref`; undefined where it names a family or
 * an ARN.
 */
export function referredTask(service: unknown): string | undefined {
  if (!isObject(service)) return undefined;
  const task = reader(service)("taskDefinition");
  return task instanceof Unresolved ? /^\$\{(\w+)\}$/.exec(task.text)?.[1] : undefined;
}
