import { isObject } from "../ecs/definition.ts";
import { definitionsIn } from "../ecs/definition-find.ts";
import { quote } from "../kit/quote.ts";
import { DOMAIN, type MappingOptions } from "./mapping/context.ts";
import type { Refusal } from "./mapping/report.ts";

/** A key of a ConfigMap; without a key the ConfigMap has one only. */
export interface ConfigMapKey {
  readonly name: string;
  readonly key?: string;
}

/** What an ECSDeployment says, in either spelling of its members. */
export interface EcsDeployment {
  readonly name: string;
  readonly namespace?: string;
  readonly labels: Readonly<Record<string, string>>;
  /** As it was written; the parser of definitions reads it. */
  readonly task?: unknown;
  readonly service?: unknown;
  readonly taskDefinitionFrom?: ConfigMapKey;
  readonly serviceFrom?: ConfigMapKey;
  readonly options: Partial<MappingOptions>;
  /** Why it can't be taken, whatever its definitions say. */
  readonly refusals: readonly Refusal[];
}

export const API_VERSION = `${DOMAIN}/v1alpha1`;
export const KIND = "ECSDeployment";

const MEMBERS = [
  "task",
  "service",
  "taskDefinitionFrom",
  "serviceFrom",
  "serviceType",
  "hostPorts",
  "secretMap",
] as const;
type Member = (typeof MEMBERS)[number];

/**
 * Reads an ECSDeployment: `spec.Task` and `spec.Service` hold definitions as CloudFormation writes a resource
 * (`Properties`) or bare; `taskDefinitionFrom` and `serviceFrom` name keys of ConfigMaps that hold them as text.
 */
export function ecsDeploymentOf(manifest: unknown): EcsDeployment {
  const refusals: Refusal[] = [];
  const refuse = (member: string, problem: string) => void refusals.push({ member, problem });
  const object = isObject(manifest) ? manifest : {};
  const metadata = isObject(object["metadata"]) ? object["metadata"] : {};
  const spec = isObject(object["spec"]) ? object["spec"] : {};
  const name = typeof metadata["name"] === "string" ? metadata["name"] : "";
  if (name === "") refuse("metadata.name", "expected a name, got nothing");
  if (object["apiVersion"] !== API_VERSION) {
    refuse("apiVersion", `expected ${API_VERSION}, got ${quote(String(object["apiVersion"]))}`);
  }
  const members = membersOf(spec, refuse);
  const from = (member: "taskDefinitionFrom" | "serviceFrom") =>
    members.has(member) ? configMapKey(members.get(member), member, refuse) : undefined;
  const taskDefinitionFrom = from("taskDefinitionFrom");
  const serviceFrom = from("serviceFrom");
  if (members.has("task") && members.has("taskDefinitionFrom")) {
    refuse("spec.taskDefinitionFrom", "expected either Task or taskDefinitionFrom, got both");
  }
  if (members.has("service") && members.has("serviceFrom")) {
    refuse("spec.serviceFrom", "expected either Service or serviceFrom, got both");
  }
  if (!members.has("task") && !members.has("taskDefinitionFrom")) {
    refuse("spec.Task", "expected a task definition, or taskDefinitionFrom, got neither");
  }
  return {
    name,
    ...(typeof metadata["namespace"] === "string" && { namespace: metadata["namespace"] }),
    labels: labelsOf(metadata["labels"]),
    ...(members.has("task") && { task: unwrapped(members.get("task"), "task") }),
    ...(members.has("service") && { service: unwrapped(members.get("service"), "service") }),
    ...(taskDefinitionFrom !== undefined && { taskDefinitionFrom }),
    ...(serviceFrom !== undefined && { serviceFrom }),
    options: optionsOf(members, refuse),
    refusals,
  };
}

type Refuse = (member: string, problem: string) => void;

function membersOf(
  spec: Readonly<Record<string, unknown>>,
  refuse: Refuse,
): ReadonlyMap<Member, unknown> {
  const members = new Map<Member, unknown>();
  const spelled = new Map<Member, string>();
  for (const [key, value] of Object.entries(spec)) {
    if (value === null || value === undefined) continue;
    const member = MEMBERS.find((one) => one.toLowerCase() === key.toLowerCase());
    if (member === undefined) {
      refuse(`spec.${quote(key)}`, `expected one of ${MEMBERS.join(", ")}`);
      continue;
    }
    const earlier = spelled.get(member);
    if (earlier !== undefined) {
      refuse(`spec.${key}`, `expected one spelling, got both ${quote(earlier)} and ${quote(key)}`);
      continue;
    }
    spelled.set(member, key);
    members.set(member, value);
  }
  return members;
}

/** A definition out of what may be around it: `Properties` of a CloudFormation resource, or an answer of ECS. */
export function unwrapped(value: unknown, kind: "task" | "service"): unknown {
  if (!isObject(value)) return value;
  const properties = value["Properties"] ?? value["properties"];
  if (isObject(properties)) return properties;
  return definitionsIn(value).definitions.find((one) => one.kind === kind)?.value ?? value;
}

function configMapKey(value: unknown, member: string, refuse: Refuse): ConfigMapKey | undefined {
  const outer = isObject(value) ? value : {};
  const inner = isObject(outer["configMapKeyRef"]) ? outer["configMapKeyRef"] : outer;
  const { name, key } = inner;
  if (typeof name !== "string" || name === "" || (key !== undefined && typeof key !== "string")) {
    refuse(`spec.${member}`, "expected configMapKeyRef with name and key");
    return undefined;
  }
  return { name, ...(typeof key === "string" && { key }) };
}

function optionsOf(members: ReadonlyMap<Member, unknown>, refuse: Refuse): Partial<MappingOptions> {
  const choice = <T extends string>(member: Member, choices: readonly T[]): T | undefined => {
    if (!members.has(member)) return undefined;
    const value = members.get(member);
    const chosen = choices.find((one) => one === value);
    if (chosen === undefined) {
      refuse(
        `spec.${member}`,
        `expected one of ${choices.join(", ")}, got ${quote(String(value as string))}`,
      );
    }
    return chosen;
  };
  const serviceType = choice("serviceType", ["LoadBalancer", "NodePort", "ClusterIP"]);
  const hostPorts = choice("hostPorts", ["drop", "keep"]);
  const map = members.get("secretMap");
  if (map !== undefined && !isTexts(map)) {
    refuse("spec.secretMap", "expected an object of texts: what ECS names, and its name here");
  }
  return {
    ...(serviceType !== undefined && { serviceType }),
    ...(hostPorts !== undefined && { hostPorts }),
    ...(isTexts(map) && { names: new Map(Object.entries(map)) }),
  };
}

const isTexts = (value: unknown): value is Readonly<Record<string, string>> =>
  isObject(value) && Object.values(value).every((one) => typeof one === "string");

const labelsOf = (value: unknown): Readonly<Record<string, string>> =>
  isObject(value)
    ? Object.fromEntries(
        Object.entries(value).filter(
          (entry): entry is [string, string] =>
            typeof entry[1] === "string" && !entry[0].startsWith(`${DOMAIN}/`),
        ),
      )
    : {};
