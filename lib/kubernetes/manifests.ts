import type { Normal, ServiceDefinition, TaskDefinition } from "../ecs/definition.ts";
import { quote } from "../kit/quote.ts";
import {
  type Context,
  DOMAIN,
  type MappingOptions,
  NAME_LABEL,
  type NamedContainer,
} from "./mapping/context.ts";
import type { Fields, Manifest } from "./mapping/fields.ts";
import { dnsLabel, legalNames } from "./mapping/names.ts";
import { podOf } from "./mapping/pod.ts";
import { type Finding, report as newReport, type Refusal, type Report } from "./mapping/report.ts";
import { reportMembers, serviceMembers, taskMembers } from "./members.ts";
import { servicesOf } from "./services.ts";
import { workloadOf } from "./workload.ts";

/** What is to run, and what it is called. */
export interface Definition {
  readonly task?: Normal<TaskDefinition>;
  readonly service?: Normal<ServiceDefinition>;
  /** The name of all that is made; it wins over the service's and the family's. */
  readonly name?: string;
  /** The name where nothing else names it. */
  readonly fallbackName: string;
  readonly namespace?: string;
  /** Labels that all objects and pods are to bear beside our own. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Annotations of every object: what made it. */
  readonly annotations?: Readonly<Record<string, string>>;
}

export type Mapped = {
  readonly findings: readonly Finding[];
} & (
  | { readonly kind: "manifests"; readonly name: string; readonly objects: readonly Manifest[] }
  /** No pod can be what the definition says: nothing is made, never a half. */
  | { readonly kind: "refused"; readonly refusals: readonly Refusal[] }
);

/**
 * The Kubernetes objects for a task definition and its service, in an order in which they can be applied, and everything
 * of the definition that they do not say. The same definition gives the same objects, member by member.
 */
export function manifestsOf(definition: Definition, options: MappingOptions): Mapped {
  const report = newReport();
  const { task, service } = definition;
  if (task !== undefined) reportMembers(task, taskMembers, report);
  if (service !== undefined) reportMembers(service, serviceMembers, report);
  const name = nameOf(definition, report);
  const context: Context = {
    name,
    task: task?.value ?? {},
    service: service?.value,
    containers: task === undefined ? [] : containersOf(task.value, report),
    options,
    report,
  };
  if (service !== undefined) reportControl(context);
  reportTags(context);
  const objects = objectsOf(context, definition);
  const { findings, refusals } = report;
  if (refusals.length > 0) return { kind: "refused", refusals, findings };
  return { kind: "manifests", name, objects, findings };
}

function nameOf({ name, service, task, fallbackName }: Definition, report: Report): string {
  const { member, wanted } = wantedName(
    [
      ["metadata.name", name],
      ["serviceName", service?.value.serviceName],
      ["family", task?.value.family],
    ],
    fallbackName,
  );
  const legal = dnsLabel(wanted);
  if (legal !== wanted) {
    report.note(
      member,
      `it is called ${quote(legal)}: ${quote(wanted)} can't be the name of a Service (lower-case letters, digits and hyphens, at most 63)`,
      "refer to it by that name",
    );
  }
  const family = task?.value.family;
  // An ARN, or a family with or without a revision.
  const asked = service?.value.taskDefinition?.replace(/^arn:[^/]*\//, "").replace(/:\d+$/, "");
  if (asked !== undefined && family !== undefined && family !== "" && asked !== family) {
    if (!asked.startsWith("${")) {
      report.note(
        "taskDefinition",
        `the service names ${quote(asked)}, and is given ${quote(family)}`,
        "see that they belong together",
      );
    }
  }
  return legal;
}

function wantedName(
  names: readonly (readonly [string, string | undefined])[],
  fallback: string,
): { readonly member: string; readonly wanted: string } {
  for (const [member, wanted] of names) {
    if (wanted !== undefined && wanted !== "") return { member, wanted };
  }
  return { member: "family", wanted: fallback };
}

function containersOf(task: TaskDefinition, report: Report): readonly NamedContainer[] {
  const definitions = task.containerDefinitions ?? [];
  if (definitions.length === 0) {
    report.refuse("containerDefinitions", "expected at least one container, got none");
  }
  const originals = definitions.map(({ name }) => name ?? "");
  const names = legalNames(originals);
  return definitions.map((definition, index) => {
    const at = `containerDefinitions[${index}]`;
    const original = originals[index] ?? "";
    if (original === "") report.refuse(`${at}.name`, "expected a name, got nothing");
    else if (originals.indexOf(original) !== index) {
      report.refuse(`${at}.name`, `expected a name of its own, got ${quote(original)} twice`);
    }
    return { at, original, definition, name: names.get(original) ?? "" };
  });
}

/** Who deploys a service: ECS itself by rolling updates, or somebody else. */
function reportControl({ service, report }: Context): void {
  const controller = service?.deploymentController?.type?.toUpperCase() ?? "ECS";
  if (controller !== "ECS") {
    report.unmapped(
      "deploymentController.type",
      `${quote(controller)} deploys from outside; a Deployment updates its pods by itself`,
      "use a delivery tool of Kubernetes, such as Argo Rollouts",
    );
  }
  const strategy = service?.deploymentConfiguration?.strategy?.toUpperCase() ?? "ROLLING";
  if (strategy !== "ROLLING") {
    report.unmapped(
      "deploymentConfiguration.strategy",
      `a Deployment knows rolling updates, not ${quote(strategy)}`,
      "use Argo Rollouts",
    );
  }
}

function reportTags({ task, service, report }: Context): void {
  const lists = [
    ["tags", task.tags ?? []],
    ["service.tags", service?.tags ?? []],
  ] as const;
  for (const [at, tags] of lists) {
    for (const [index, { key }] of tags.entries()) {
      if (key === undefined) report.unmapped(`${at}[${index}]`, "a tag needs a key", "give it one");
    }
  }
}

function objectsOf(context: Context, definition: Definition): readonly Manifest[] {
  const { name, report, task, containers } = context;
  const labels = { ...definition.labels, [NAME_LABEL]: dnsLabel(name) };
  const common = commonAnnotations(context, definition);
  const finish = (object: Omit<Manifest, "apiVersion"> & { apiVersion?: string }): Manifest => {
    const { apiVersion, kind, metadata, ...rest } = object;
    const annotations = { ...common, ...(metadata as Manifest["metadata"]).annotations };
    const isOfCluster = kind === "PersistentVolume";
    return {
      apiVersion: apiVersion ?? API_VERSIONS[String(kind)] ?? "v1",
      kind: String(kind),
      metadata: {
        name: (metadata as Manifest["metadata"]).name,
        ...(definition.namespace !== undefined &&
          !isOfCluster && { namespace: definition.namespace }),
        labels,
        ...(Object.keys(annotations).length > 0 && { annotations }),
      },
      ...rest,
    };
  };
  if (definition.task === undefined) return servicesAlone(context).map(finish);
  const pod = podOf(context);
  const services = servicesOf(context, pod.ports);
  reportGrace(context, pod.isProbed);
  return [
    ...(task.taskRoleArn === undefined ? [] : [serviceAccountOf(name, task.taskRoleArn)]),
    ...pod.claims,
    ...(containers.length === 0 ? [] : [workloadOf(context, pod, labels)]),
    ...services,
  ].map(finish);

  function servicesAlone({ service: alone }: Context): readonly Omit<Manifest, "apiVersion">[] {
    const made = servicesOf(context, []);
    const asked = alone?.taskDefinition;
    const missing = `its task definition${asked === undefined ? "" : ` ${quote(asked)}`} is not among the files`;
    if (made.length === 0) {
      report.refuse("taskDefinition", `expected a task definition beside the service: ${missing}`);
    } else {
      report.unmapped(
        "taskDefinition",
        `${missing}, so there is a Service and no Deployment`,
        "give its file as well (aws ecs describe-task-definition)",
      );
      for (const member of OF_WORKLOAD) {
        if (alone?.[member] === undefined) continue;
        report.unmapped(
          member,
          "there is no Deployment that could have it",
          "give the task definition as well",
        );
      }
      for (const [index, { containerName }] of (alone?.loadBalancers ?? []).entries()) {
        if (containerName === undefined) continue;
        report.note(
          `loadBalancers[${index}].containerName`,
          "a Service leads to ports of the pod, whichever container listens",
          "nothing is to be done",
        );
      }
    }
    reportGrace(context, false);
    return made;
  }
}

/** Members of a service that only a Deployment can have. */
const OF_WORKLOAD = [
  "desiredCount",
  "deploymentConfiguration",
  "schedulingStrategy",
  "placementConstraints",
  "placementStrategy",
  "volumeConfigurations",
] as const;

const API_VERSIONS: Readonly<Record<string, string>> = {
  Deployment: "apps/v1",
  DaemonSet: "apps/v1",
};

const serviceAccountOf = (name: string, role: string): Omit<Manifest, "apiVersion"> & Fields => ({
  kind: "ServiceAccount",
  // EKS gives a pod the credentials of the role that its service account names (EKS user guide, IAM roles for service accounts).
  metadata: { name, annotations: { "eks.amazonaws.com/role-arn": role } },
});

function reportGrace({ service, report }: Context, isProbed: boolean): void {
  if (isProbed || !service?.healthCheckGracePeriodSeconds) return;
  report.unmapped(
    "healthCheckGracePeriodSeconds",
    "without a health check of a container there is no probe that could wait",
    "give a container a healthCheck",
  );
}

function commonAnnotations(
  { task, service, name }: Context,
  { annotations, name: own, service: asked }: Definition,
): Readonly<Record<string, string>> {
  const original = own ?? asked?.value.serviceName ?? task.family;
  const tags = [...(task.tags ?? []), ...(service?.tags ?? [])].flatMap(({ key, value = "" }) =>
    key === undefined ? [] : [[key, value] as const],
  );
  return {
    ...(task.family && { [`${DOMAIN}/family`]: task.family }),
    ...(asked?.value.taskDefinition && {
      [`${DOMAIN}/task-definition`]: asked.value.taskDefinition,
    }),
    ...(original !== undefined && original !== name && { [`${DOMAIN}/original-name`]: original }),
    // Keys of tags are too free for annotations of their own, and their values for labels.
    ...(tags.length > 0 && { [`${DOMAIN}/tags`]: JSON.stringify(Object.fromEntries(tags)) }),
    ...annotations,
  };
}
