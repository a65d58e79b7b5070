import { quote } from "../kit/quote.ts";
import { type Context, NAME_LABEL } from "./mapping/context.ts";
import { type Fields, type Manifest, present, unlessEmpty } from "./mapping/fields.ts";
import { dnsLabel } from "./mapping/names.ts";

/** How long a Deployment may go without progress before it counts as failed; Kubernetes' own default, written out. */
const PROGRESS_DEADLINE_SECONDS = 600;

/** The Deployment or DaemonSet that keeps the pods of a service. */
export function workloadOf(
  context: Context,
  pod: { readonly spec: Fields; readonly annotations: Readonly<Record<string, string>> },
  labels: Readonly<Record<string, string>>,
): Omit<Manifest, "apiVersion"> {
  const { service, name, report } = context;
  const selector = { matchLabels: { [NAME_LABEL]: dnsLabel(name) } };
  const template = {
    metadata: present({ labels, annotations: unlessEmpty(pod.annotations) }),
    spec: pod.spec,
  };
  const strategy = service?.schedulingStrategy?.toUpperCase() ?? "REPLICA";
  if (strategy !== "REPLICA" && strategy !== "DAEMON") {
    report.refuse("schedulingStrategy", `expected REPLICA or DAEMON, got ${quote(strategy)}`);
  }
  const desired = service?.desiredCount;
  if (desired !== undefined && (desired < 0 || desired > 2_147_483_647)) {
    report.refuse("desiredCount", `expected 0 or more, got ${desired}`);
  }
  if (strategy === "DAEMON") {
    if (desired !== undefined) {
      report.note("desiredCount", "a DaemonSet has a pod on each node", "nothing is to be done");
    }
    return {
      kind: "DaemonSet",
      metadata: { name },
      spec: { selector, updateStrategy: daemonUpdate(context), template },
    };
  }
  return {
    kind: "Deployment",
    metadata: { name },
    spec: present({
      replicas: desired,
      selector,
      strategy: service === undefined ? undefined : rollingUpdate(context),
      progressDeadlineSeconds:
        service?.deploymentConfiguration?.deploymentCircuitBreaker?.enable === true
          ? PROGRESS_DEADLINE_SECONDS
          : undefined,
      template,
    }),
  };
}

/** ECS's defaults (API reference, DeploymentConfiguration). */
const REPLICA = { maximumPercent: 200, minimumHealthyPercent: 100 };
const DAEMON = { maximumPercent: 100, minimumHealthyPercent: 0 };

function percentages(context: Context, defaults: typeof REPLICA): typeof REPLICA {
  const { report, service } = context;
  const given = service?.deploymentConfiguration ?? {};
  const percents = {
    maximumPercent: given.maximumPercent ?? defaults.maximumPercent,
    minimumHealthyPercent: given.minimumHealthyPercent ?? defaults.minimumHealthyPercent,
  };
  const at = "deploymentConfiguration";
  if (percents.maximumPercent < 100) {
    report.refuse(`${at}.maximumPercent`, `expected at least 100, got ${percents.maximumPercent}`);
  }
  if (percents.minimumHealthyPercent < 0) {
    const got = percents.minimumHealthyPercent;
    report.refuse(`${at}.minimumHealthyPercent`, `expected at least 0, got ${got}`);
  }
  return percents;
}

function rollingUpdate(context: Context): Fields {
  const { maximumPercent, minimumHealthyPercent } = percentages(context, REPLICA);
  const surge = maximumPercent - 100;
  const unavailable = Math.max(0, 100 - minimumHealthyPercent);
  if (minimumHealthyPercent > 100) {
    context.report.unmapped(
      "deploymentConfiguration.minimumHealthyPercent",
      "a Deployment keeps at most all of its pods available during an update",
      "raise desiredCount",
    );
  }
  if (surge > 0 || unavailable > 0) {
    return {
      type: "RollingUpdate",
      rollingUpdate: { maxSurge: `${surge}%`, maxUnavailable: `${unavailable}%` },
    };
  }
  context.report.note(
    "deploymentConfiguration",
    "with 100 and 100 % nothing could ever be replaced, so one pod may be unavailable",
    "raise maximumPercent, or lower minimumHealthyPercent",
  );
  return { type: "RollingUpdate", rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } };
}

function daemonUpdate(context: Context): Fields {
  const { maximumPercent, minimumHealthyPercent } = percentages(context, DAEMON);
  const { report } = context;
  const at = "deploymentConfiguration";
  if (maximumPercent > 100) {
    report.unmapped(
      `${at}.maximumPercent`,
      "a node has one pod of a DaemonSet, during an update as well",
      "leave it out",
    );
  }
  const unavailable = Math.max(0, 100 - minimumHealthyPercent);
  if (unavailable === 0) {
    report.note(
      `${at}.minimumHealthyPercent`,
      "at 100 % nothing could ever be replaced, so one pod may be unavailable",
      "lower it",
    );
  }
  return {
    type: "RollingUpdate",
    rollingUpdate: { maxSurge: 0, maxUnavailable: unavailable === 0 ? 1 : `${unavailable}%` },
  };
}
