import type { DeployedService } from "../ecs/deployment.ts";
import { contentHash, type Difference } from "./content.ts";
import type { JsonObject } from "./json-node.ts";
import { CONTENT_TAG, isOwn, type Ownership } from "./tags.ts";
import { familyOf, shownDifferences } from "./task-definition.ts";

/** A service that a folder asks for: a `.service` file, or AUTOCREATE.SERVICE in a `.taskdef`. */
export interface ServiceFile {
  readonly name: string;
  readonly file: string;
  /** As the file has it, without its task definition and names; tags as well. */
  readonly content: JsonObject;
  /** What it runs, as the file says it. */
  readonly taskDefinition: string;
  readonly auto: boolean;
  readonly hash: string;
}

export const serviceHash = (content: JsonObject, taskDefinition: string): string =>
  contentHash({ content, family: taskDefinition });

export type LiveService = DeployedService;

export type ServiceStep = {
  readonly name: string;
  readonly file?: ServiceFile;
  readonly live?: LiveService;
} & (
  | { readonly action: "create" }
  | {
      readonly action: "update";
      readonly differences: readonly Difference[];
      /** Members that only a new service could take. */
      readonly createOnly: readonly Difference[];
      /** Nothing to ask of ECS but to note whose content it runs. */
      readonly onlyTags: boolean;
    }
  | { readonly action: "recreate"; readonly createOnly: readonly Difference[] }
  | { readonly action: "keep"; readonly createOnly: readonly Difference[] }
  | { readonly action: "refuse"; readonly why: string }
  /** Of this folder, and no file of it any more. */
  | { readonly action: "leave" | "delete" }
);

interface ServiceRules {
  readonly owner: Ownership;
  readonly adopt: boolean;
  readonly prune: boolean;
  readonly recreate: boolean;
  /** Members that CreateService takes and UpdateService does not. */
  readonly createOnly: ReadonlySet<string>;
  /** The revision that a family of the folder will have; undefined where one is about to be registered. */
  readonly pinned: (family: string) => { readonly arn: string | undefined } | undefined;
}

/**
 * | service there       | of this folder | members               | step                                              |
 * | ------------------- | -------------- | --------------------- | ------------------------------------------------- |
 * | no, or draining     | -              | -                     | create, once the draining one is gone             |
 * | yes                 | no             | -                     | refuse, or, where `adopt` says so, as below       |
 * | yes                 | yes            | as the file says      | keep                                              |
 * | yes                 | yes            | others                | update                                            |
 * | yes                 | yes            | create-only differs   | said; where `recreate` says so, recreate          |
 * | yes, file gone      | yes            | -                     | leave, or, where `prune` says so, delete          |
 *
 * The number of tasks is ECS's own business unless the file names it; one that made itself and was drained comes back.
 */
export function planServices(
  files: readonly ServiceFile[],
  live: ReadonlyMap<string, LiveService>,
  rules: ServiceRules,
): readonly ServiceStep[] {
  const wanted = new Set(files.map(({ name }) => name));
  const left = [...live.values()]
    .filter(
      ({ name, tags, status }) =>
        status === "ACTIVE" && !wanted.has(name) && isOwn(tags, rules.owner),
    )
    .map(
      (service): ServiceStep => ({
        name: service.name,
        live: service,
        action: rules.prune ? "delete" : "leave",
      }),
    );
  return [...files.map((file) => stepOf(file, live.get(file.name), rules)), ...left];
}

function stepOf(
  file: ServiceFile,
  live: LiveService | undefined,
  rules: ServiceRules,
): ServiceStep {
  const { name } = file;
  if (live === undefined || live.status !== "ACTIVE") {
    return { name, file, ...(live && { live }), action: "create" };
  }
  const own = isOwn(live.tags, rules.owner);
  if (!own && !rules.adopt) {
    return {
      ...{ name, file, live, action: "refuse" },
      why: `service ${name} is in the cluster and not of this folder and prefix: name the file otherwise, or take it over with --adopt`,
    };
  }
  const createOnly = createOnlyDifferences(file, live, rules.createOnly);
  if (createOnly.length > 0 && rules.recreate) {
    return { name, file, live, action: "recreate", createOnly };
  }
  const task = taskDifference(file, live, rules.pinned);
  const count = countDifference(file, live);
  const sameFile = own && live.tags.get(CONTENT_TAG) === file.hash;
  // ECS writes members in its own way, so that the file is compared with itself, by its hash, before it is with ECS.
  const members = sameFile ? [] : memberDifferences(file, live, rules.createOnly);
  const all = [...task, ...count, ...members];
  if (sameFile && all.length === 0) return { name, file, live, action: "keep", createOnly };
  return {
    ...{ name, file, live, action: "update", createOnly, differences: all },
    onlyTags: all.length === 0,
  };
}

function taskDifference(
  { taskDefinition }: ServiceFile,
  live: LiveService,
  pinned: ServiceRules["pinned"],
): readonly Difference[] {
  const pin = pinned(familyOf(taskDefinition));
  const before = live.taskDefinition;
  if (pin === undefined) {
    // Not of this folder: as it is given. A family alone says nothing about a revision.
    const same =
      before === taskDefinition ||
      before.endsWith(`/${taskDefinition}`) ||
      familyOf(before) === taskDefinition;
    return same ? [] : [{ path: "taskDefinition", before, after: taskDefinition }];
  }
  if (pin.arn === before) return [];
  return [
    { path: "taskDefinition", before, after: pin.arn ?? `${familyOf(taskDefinition)} (new)` },
  ];
}

function countDifference(file: ServiceFile, live: LiveService): readonly Difference[] {
  if (live.daemon) return [];
  const asked = file.content["desiredCount"];
  const wanted =
    typeof asked === "number" ? asked : file.auto && live.desired === 0 ? 1 : undefined;
  return wanted === undefined || wanted === live.desired
    ? []
    : [{ path: "desiredCount", before: String(live.desired), after: String(wanted) }];
}

function memberDifferences(
  { content }: ServiceFile,
  { all }: LiveService,
  createOnly: ReadonlySet<string>,
): readonly Difference[] {
  const members = Object.entries(content).filter(
    ([name]) => name !== "desiredCount" && !createOnly.has(name) && name in ANSWERED,
  );
  const live = { ...primaryOf(all), ...all };
  return [
    ...shownDifferences(live, Object.fromEntries(members)),
    // ECS never tells these: a file that is another one than before may have changed them.
    ...Object.keys(content)
      .filter((name) => !createOnly.has(name) && name !== "desiredCount" && !(name in ANSWERED))
      .map((path) => ({ path, before: undefined, after: "as the file says" })),
  ];
}

/** Some members a service has of its deployment only. */
function primaryOf(all: JsonObject): JsonObject {
  const { deployments } = all as { readonly deployments?: readonly JsonObject[] };
  return deployments?.find(({ status }) => status === "PRIMARY") ?? {};
}

/** Members that DescribeServices answers with (API reference, Service and Deployment). */
const ANSWERED: Readonly<Record<string, true>> = Object.fromEntries(
  [
    ...["loadBalancers", "serviceRegistries", "capacityProviderStrategy", "platformVersion"],
    ...["deploymentConfiguration", "deploymentController", "networkConfiguration"],
    ...["placementConstraints", "placementStrategy", "healthCheckGracePeriodSeconds"],
    ...["propagateTags", "enableExecuteCommand", "enableECSManagedTags"],
    ...["availabilityZoneRebalancing", "serviceConnectConfiguration", "volumeConfigurations"],
    ...["vpcLatticeConfigurations"],
  ].map((name) => [name, true] as const),
);

/** What a service was made with, as its answer tells it; a role comes as an ARN. */
function createOnlyDifferences(
  { content }: ServiceFile,
  { all }: LiveService,
  createOnly: ReadonlySet<string>,
): readonly Difference[] {
  const role = (value: unknown) => String(value).replace(/^.*\//, "");
  const pairs = Object.entries(content).flatMap(([name, asked]) => {
    if (!createOnly.has(name) || ["clientToken", "tags", "serviceName"].includes(name)) return [];
    if (name === "role") return [[name, role(all["roleArn"]), role(asked)] as const];
    const before = all[name] ?? (name === "schedulingStrategy" ? "REPLICA" : undefined);
    return [[name, before, asked] as const];
  });
  return pairs.flatMap(([path, before, after]) =>
    shownDifferences({ [path]: before }, { [path]: after }),
  );
}

/** What CreateService is asked. */
export const createInput = (
  { name, content, auto }: ServiceFile,
  { cluster, taskDefinition }: { readonly cluster: string; readonly taskDefinition: string },
): JsonObject => ({
  ...(auto && content["schedulingStrategy"] !== "DAEMON" && { desiredCount: 1 }),
  ...without(content, ["tags"]),
  serviceName: name,
  cluster,
  taskDefinition,
});

/** What UpdateService is asked: the file's members that it takes. */
export const updateInput = (
  { name, content, auto }: ServiceFile,
  live: LiveService,
  {
    cluster,
    taskDefinition,
    createOnly,
  }: {
    readonly cluster: string;
    readonly taskDefinition: string;
    readonly createOnly: ReadonlySet<string>;
  },
): JsonObject => ({
  ...(auto && !live.daemon && live.desired === 0 && { desiredCount: 1 }),
  ...without(content, ["tags", ...createOnly]),
  service: name,
  cluster,
  taskDefinition,
});

const without = (content: JsonObject, names: readonly string[]): JsonObject =>
  Object.fromEntries(Object.entries(content).filter(([name]) => !names.includes(name)));

/** How far a service is from what it wants; `settled` when it is there, `failed` with ECS's reason when it gave up. */
export function settling(
  live: LiveService,
  /** What it was told to run. */
  taskDefinition: string,
):
  | { readonly kind: "settled" }
  | { readonly kind: "moving"; readonly text: string }
  | { readonly kind: "failed"; readonly why: string } {
  const primary = live.deployments.find(({ status }) => status === "PRIMARY");
  if (primary?.rollout === "FAILED") {
    return { kind: "failed", why: primary.reason ?? "its deployment failed" };
  }
  // Its circuit breaker goes back by itself, and then all is steady again.
  if (taskDefinition.startsWith("arn:") && live.taskDefinition !== taskDefinition) {
    return { kind: "failed", why: `ECS went back to ${live.taskDefinition.replace(/^.*\//, "")}` };
  }
  // A deployment of nothing but itself, all of its tasks running (API reference, ServicesStable), and ECS's word for it.
  const others = live.deployments.length > 1;
  const rolled = primary?.rollout === undefined || primary.rollout === "COMPLETED";
  if (live.running === live.desired && !others && rolled) return { kind: "settled" };
  const failed = primary === undefined || primary.failed === 0 ? "" : `, ${primary.failed} failed`;
  return {
    kind: "moving",
    text: `${live.running} of ${live.desired} running${failed}${others ? ", the old ones still stop" : ""}`,
  };
}
