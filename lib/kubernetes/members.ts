import type { DefinitionProblem, Normal } from "../ecs/definition.ts";
import type { Report } from "./mapping/report.ts";

/** Why a member has no counterpart in Kubernetes, and what to do. */
interface Reason {
  readonly kind: "unmapped" | "note";
  readonly why: string;
  readonly todo: string;
}

const unmapped = (why: string, todo: string): Reason => ({ kind: "unmapped", why, todo });
const note = (why: string, todo = "nothing is to be done"): Reason => ({ kind: "note", why, todo });

/**
 * Members of a task definition that nothing is made of, whatever they hold, by their path without indexes. All others are
 * mapped, or reported by the part of the mapping that knows when they can't be.
 */
export const taskMembers: Readonly<Record<string, Reason>> = {
  executionRoleArn: unmapped(
    "the kubelet pulls images and reads Secrets, with no role of the task",
    "let the nodes' role pull from the registry, or name a pull secret",
  ),
  requiresCompatibilities: note("the nodes of the cluster are what they are"),
  proxyConfiguration: unmapped(
    "App Mesh is a service of ECS",
    "use the mesh of your cluster, such as Istio or Linkerd",
  ),
  inferenceAccelerators: unmapped(
    "Elastic Inference has no resource in Kubernetes",
    "use a GPU or Neuron device",
  ),
  enableFaultInjection: unmapped(
    "fault injection asks the ECS agent",
    "use a tool of Kubernetes, such as Chaos Mesh",
  ),
  trustedExecutionConfiguration: unmapped(
    "a pod asks for trusted execution by a runtime class",
    "make a RuntimeClass for it, and set runtimeClassName",
  ),
  "containerDefinitions[].startTimeout": unmapped(
    "a pod waits without limit for a container to start",
    "watch for pods that stay in Init",
  ),
  "containerDefinitions[].versionConsistency": unmapped(
    "a tag is looked up whenever an image is pulled",
    "name the image by its digest",
  ),
  "containerDefinitions[].disableNetworking": unmapped(
    "the containers of a pod share its network",
    "keep the pod's traffic off by a NetworkPolicy",
  ),
  "containerDefinitions[].ulimits": unmapped(
    "a pod has no field for them",
    "set them in the container runtime of the nodes",
  ),
  "containerDefinitions[].logConfiguration": unmapped(
    "the node's container runtime collects standard output and error",
    "collect the nodes' logs with an agent, such as Fluent Bit as a DaemonSet",
  ),
  "containerDefinitions[].firelensConfiguration": unmapped(
    "nothing routes the other containers' logs into this one",
    "run the log router as a DaemonSet, and take this container away",
  ),
  "containerDefinitions[].restartPolicy.restartAttemptPeriod": unmapped(
    "the kubelet's pauses between restarts are its own",
    "nothing is to be done",
  ),
  "containerDefinitions[].linuxParameters.devices": unmapped(
    "a pod reaches a device of the node through a device plugin",
    "install the plugin and ask for its resource in resources.limits",
  ),
  "containerDefinitions[].linuxParameters.initProcessEnabled": unmapped(
    "the container's own process reaps its children",
    "use an image with an init such as tini, or pidMode task: then the pod has one",
  ),
  "containerDefinitions[].linuxParameters.maxSwap": unmapped(
    "a container has no limit of swap of its own",
    "configure swap on the nodes",
  ),
  "containerDefinitions[].linuxParameters.swappiness": unmapped(
    "a container has no swappiness of its own",
    "set vm.swappiness on the nodes",
  ),
  "containerDefinitions[].linuxParameters.tmpfs[].mountOptions": unmapped(
    "a volume in memory takes no mount options",
    "nothing is to be done, or mount it in the container",
  ),
  "containerDefinitions[].resourceRequirements[].sharingStrategy": unmapped(
    "the device plugin of the nodes decides how a device is shared",
    "configure the plugin",
  ),
};

/** The same for a service. */
export const serviceMembers: Readonly<Record<string, Reason>> = {
  cluster: note("the cluster is the one that the manifests are applied to"),
  clientToken: note("applying manifests twice changes nothing anyway"),
  role: note("Kubernetes registers pods with their Services by itself"),
  launchType: unmapped(
    "the nodes of the cluster are what they are",
    "on EKS, FARGATE needs a Fargate profile that selects the namespace",
  ),
  platformVersion: unmapped("the version of Fargate is EKS's to choose", "nothing is to be done"),
  capacityProviderStrategy: unmapped(
    "Kubernetes schedules on what nodes there are",
    "choose nodes by labels and taints, and let an autoscaler such as Karpenter make them",
  ),
  availabilityZoneRebalancing: unmapped(
    "running pods are not moved to another zone",
    "run the descheduler, or spread by placementStrategy",
  ),
  networkConfiguration: unmapped(
    "the network plugin of the cluster gives pods their addresses",
    "on EKS, bind security groups to pods with a SecurityGroupPolicy",
  ),
  "deploymentConfiguration.alarms": unmapped(
    "a Deployment looks at no alarm",
    "roll back by a tool such as Argo Rollouts",
  ),
  "deploymentConfiguration.bakeTimeInMinutes": unmapped(
    "a Deployment is done when its pods are ready",
    "set minReadySeconds, or use Argo Rollouts",
  ),
  "deploymentConfiguration.lifecycleHooks": unmapped(
    "a Deployment calls nobody",
    "use the hooks of your delivery tool",
  ),
  "deploymentConfiguration.linearConfiguration": unmapped(
    "a Deployment does not shift traffic by steps",
    "use Argo Rollouts",
  ),
  "deploymentConfiguration.canaryConfiguration": unmapped(
    "a Deployment does not shift traffic by steps",
    "use Argo Rollouts",
  ),
  "deploymentConfiguration.earlySuccessCriteria": unmapped(
    "a Deployment is done when all of its pods are ready",
    "nothing is to be done",
  ),
  "deploymentConfiguration.deploymentCircuitBreaker.rollback": unmapped(
    "a Deployment that fails stays as it is",
    "roll back with kubectl rollout undo, or let your delivery tool do so",
  ),
  "deploymentConfiguration.deploymentCircuitBreaker.resetOnHealthyTask": unmapped(
    "a Deployment has a deadline, and does not count failures",
    "nothing is to be done",
  ),
  "deploymentConfiguration.deploymentCircuitBreaker.thresholdConfiguration": unmapped(
    "a Deployment has a deadline, and does not count failures",
    "set progressDeadlineSeconds",
  ),
  propagateTags: unmapped("pods bear labels, not tags of AWS", "nothing is to be done"),
  enableECSManagedTags: unmapped("pods bear labels, not tags of AWS", "nothing is to be done"),
  enableExecuteCommand: note("kubectl exec does that, for whoever may create pods/exec"),
  "serviceConnectConfiguration.namespace": note(
    "names are those of the namespace that the manifests are applied to",
  ),
  "serviceConnectConfiguration.logConfiguration": unmapped(
    "there is no proxy that would log",
    "use the mesh of your cluster",
  ),
  "serviceConnectConfiguration.accessLogConfiguration": unmapped(
    "there is no proxy that would log",
    "use the mesh of your cluster",
  ),
  "serviceConnectConfiguration.services[].ingressPortOverride": unmapped(
    "there is no proxy with a port of its own",
    "use the mesh of your cluster",
  ),
  "serviceConnectConfiguration.services[].timeout": unmapped(
    "a Service cuts no connection",
    "use the mesh of your cluster, or a Gateway",
  ),
  "serviceConnectConfiguration.services[].tls": unmapped(
    "a Service encrypts nothing",
    "use the mesh of your cluster",
  ),
  "serviceConnectConfiguration.services[].clientAliases[].testTrafficRules": unmapped(
    "a Service looks at no header",
    "use a Gateway",
  ),
  vpcLatticeConfigurations: unmapped(
    "VPC Lattice reaches pods through a Gateway",
    "install the AWS Gateway API Controller",
  ),
  monitoring: unmapped("metrics are the cluster's", "scrape them, for example with Prometheus"),
};

/** Values that ask for nothing: what ECS would do anyway, and DescribeServices says of every service. */
const DEFAULTS: Readonly<Record<string, string>> = {
  "containerDefinitions[].versionConsistency": "DISABLED",
  launchType: "EC2",
  platformVersion: "LATEST",
  propagateTags: "NONE",
  availabilityZoneRebalancing: "DISABLED",
  "deploymentConfiguration.bakeTimeInMinutes": "0",
};

const patternOf = (member: string): string => member.replace(/\[\d+\]/g, "[]");

/** Whether nothing is ever made of the member, or of one that it lies in. */
function isTabled(member: string, table: Readonly<Record<string, Reason>>): boolean {
  const pattern = patternOf(member);
  return Object.keys(table).some(
    (one) => pattern === one || pattern.startsWith(`${one}.`) || pattern.startsWith(`${one}[`),
  );
}

/**
 * Reports what of a definition nothing is made of, and what of it could not be read: a member that stands there twice or
 * has the wrong type refuses the definition, unless nothing would be made of it anyway.
 */
export function reportMembers(
  { value, problems }: Normal<object>,
  table: Readonly<Record<string, Reason>>,
  report: Report,
): void {
  for (const { member, kind, text } of problems) tell({ member, kind, text }, table, report);
  walk(value, "", "");

  function walk(item: unknown, member: string, pattern: string): void {
    const reason = table[pattern];
    if (reason !== undefined) {
      if (asksForSomething(item) && String(item).toUpperCase() !== DEFAULTS[pattern]) {
        report[reason.kind](member, reason.why, reason.todo);
      }
      return;
    }
    if (Array.isArray(item)) {
      for (const [index, one] of item.entries()) walk(one, `${member}[${index}]`, `${pattern}[]`);
    } else if (typeof item === "object" && item !== null) {
      const prefix = member === "" ? "" : ".";
      for (const [name, one] of Object.entries(item)) {
        walk(one, `${member}${prefix}${name}`, `${pattern}${prefix}${name}`);
      }
    }
  }
}

function asksForSomething(item: unknown): boolean {
  if (item === undefined || item === false || item === "") return false;
  return typeof item !== "object" || item === null || Object.values(item).some(asksForSomething);
}

function tell(
  { member, kind, text }: DefinitionProblem,
  table: Readonly<Record<string, Reason>>,
  report: Report,
): void {
  switch (kind) {
    case "twice":
      report.refuse(member, text);
      return;
    case "type":
      if (isTabled(member, table)) report.unmapped(member, text, "mend it, or take it away");
      else report.refuse(member === "" ? "the whole" : member, text);
      return;
    case "unknown":
      report.unmapped(member, text, "mend its name, or take it away");
      return;
    case "unresolved":
      // Of a reference to the task definition the value is known: it is the one beside it.
      if (member === "taskDefinition" || isTabled(member, table)) return;
      report.unmapped(member, text, "give its value: --parameters=<Name>=<value>");
      return;
  }
}
