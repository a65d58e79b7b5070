import type { Finding, Refusal } from "./mapping/report.ts";
import type { KubeObject } from "./object.ts";

interface Condition {
  readonly type: "Ready" | "Progressing" | "Valid" | "Unsupported";
  readonly status: "True" | "False" | "Unknown";
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration: number;
  readonly lastTransitionTime: string;
}

/** What the controller says of an ECSDeployment. */
export interface Status {
  readonly observedGeneration: number;
  /** `Deployment/web`, or empty while there is none. */
  readonly workload: string;
  readonly replicas: number;
  readonly readyReplicas: number;
  readonly conditions: readonly Condition[];
  /** What of the definition the objects do not say; at most so many that it can be read. */
  readonly unsupported: readonly Finding[];
}

/** How an ECSDeployment stands, before times are put to it. */
export type Standing =
  | { readonly kind: "refused"; readonly refusals: readonly Refusal[] }
  /** It was mapped, and its objects were applied, or something of the cluster's kept them from it. */
  | {
      readonly kind: "mapped";
      readonly workload: KubeObject | undefined;
      readonly trouble?: { readonly reason: string; readonly message: string };
    };

const MAX_FINDINGS = 100;
const MAX_MESSAGE = 4_000;

/**
 * The status of an ECSDeployment. Times move with a condition's status only, so the same standing gives the same status.
 * `now` is RFC 3339.
 */
export function statusOf(
  owner: KubeObject,
  standing: Standing,
  findings: readonly Finding[],
  now: string,
): Status {
  const generation = owner.metadata.generation ?? 0;
  const earlier = earlierConditions(owner);
  const unsupported = findings.filter(({ kind }) => kind === "unmapped");
  const condition = (
    type: Condition["type"],
    status: Condition["status"],
    reason: string,
    message: string,
  ): Condition => {
    const before = earlier.get(type);
    return {
      type,
      status,
      reason,
      message: message.length > MAX_MESSAGE ? `${message.slice(0, MAX_MESSAGE)}…` : message,
      observedGeneration: generation,
      lastTransitionTime:
        before?.status === status && before.lastTransitionTime ? before.lastTransitionTime : now,
    };
  };
  const counts = countsOf(standing);
  const { ready, progressing } = progressOf(standing, counts);
  const isRefused = standing.kind === "refused";
  return {
    observedGeneration: generation,
    workload: counts.name,
    replicas: counts.current,
    readyReplicas: counts.ready,
    conditions: [
      condition("Ready", ...ready),
      condition("Progressing", ...progressing),
      isRefused
        ? condition(
            "Valid",
            "False",
            "Refused",
            standing.refusals.map(({ member, problem }) => `${member}: ${problem}`).join("; "),
          )
        : condition("Valid", "True", "Mapped", "a pod can be what the definition says"),
      condition("Unsupported", ...lostOf(unsupported, isRefused)),
    ],
    unsupported: unsupported.slice(0, MAX_FINDINGS),
  };
}

function earlierConditions({ status }: KubeObject): ReadonlyMap<string, Partial<Condition>> {
  const conditions = status?.["conditions"];
  return new Map(
    (Array.isArray(conditions) ? conditions : []).map((one: Partial<Condition>) => [
      String(one.type),
      one,
    ]),
  );
}

interface Counts {
  readonly name: string;
  readonly wanted: number;
  readonly current: number;
  readonly updated: number;
  readonly ready: number;
  readonly available: number;
  readonly isObserved: boolean;
  /** The Deployment's own word that it goes no further. */
  readonly stuck: string | undefined;
}

function countsOf(standing: Standing): Counts {
  const workload = standing.kind === "mapped" ? standing.workload : undefined;
  const { metadata, status = {}, spec = {}, kind } = workload ?? { metadata: undefined };
  const count = (member: string) => {
    const value = status[member];
    return typeof value === "number" ? value : 0;
  };
  const isDaemon = kind === "DaemonSet";
  const { replicas = 1 } = spec as { readonly replicas?: number };
  const conditions = Array.isArray(status["conditions"]) ? status["conditions"] : [];
  const stuck = (conditions as readonly Readonly<Record<string, string>>[]).find(
    (one) => one["type"] === "Progressing" && one["status"] === "False",
  );
  return {
    name: metadata === undefined ? "" : `${kind}/${metadata.name}`,
    wanted: isDaemon ? count("desiredNumberScheduled") : replicas,
    current: isDaemon ? count("currentNumberScheduled") : count("replicas"),
    updated: isDaemon ? count("updatedNumberScheduled") : count("updatedReplicas"),
    ready: isDaemon ? count("numberReady") : count("readyReplicas"),
    available: isDaemon ? count("numberAvailable") : count("availableReplicas"),
    isObserved: count("observedGeneration") >= (metadata?.generation ?? 0),
    stuck: stuck?.["message"],
  };
}

/** Whether something of the definition has no effect; of a refused one that is not known. */
function lostOf(unsupported: readonly Finding[], isRefused: boolean): Said {
  if (unsupported.length > 0) {
    const texts = unsupported.map(({ member, why }) => `${member}: ${why}`);
    return ["True", "MembersNotMapped", texts.join("; ")];
  }
  return isRefused
    ? ["Unknown", "Refused", "the definition is refused"]
    : ["False", "AllMapped", "every member has its effect"];
}

type Said = readonly [Condition["status"], string, string];

/** Whether it serves, and whether it is still on its way. */
function progressOf(
  standing: Standing,
  { name, wanted, current, updated, available, isObserved, stuck }: Counts,
): { readonly ready: Said; readonly progressing: Said } {
  if (standing.kind === "refused") {
    const why = "the definition is refused; what an earlier one made goes on";
    return {
      ready: ["False", "Refused", why],
      progressing: ["False", "Refused", why],
    };
  }
  const { trouble, workload } = standing;
  if (trouble !== undefined) {
    return {
      ready: ["False", trouble.reason, trouble.message],
      progressing: ["False", trouble.reason, trouble.message],
    };
  }
  if (workload === undefined) {
    const why = "its pods are about to be made";
    return { ready: ["False", "Creating", why], progressing: ["True", "Creating", why] };
  }
  if (stuck !== undefined) {
    return {
      ready: ["False", "Stuck", `${name}: ${stuck}`],
      progressing: ["False", "Stuck", `${name}: ${stuck}`],
    };
  }
  const isDone = isObserved && updated >= wanted && available >= wanted && current <= updated;
  const counts = `${available} of ${wanted} pods of ${name} are available, ${updated} of them up to date`;
  return isDone
    ? {
        ready: ["True", "Available", `${wanted} of ${wanted} pods of ${name} are available`],
        progressing: ["False", "Complete", "the newest definition runs"],
      }
    : {
        ready: ["False", "PodsNotReady", counts],
        progressing: ["True", "RollingOut", counts],
      };
}

/** Whether the two say the same, whatever else stands in what is there. */
export const isSameStatus = (wanted: Status, there: KubeObject["status"]): boolean =>
  JSON.stringify(ordered(wanted)) === JSON.stringify(ordered(pick(there, Object.keys(wanted))));

const pick = (
  from: Readonly<Record<string, unknown>> | undefined,
  names: readonly string[],
): unknown => Object.fromEntries(names.map((name) => [name, from?.[name]]));

/** The value with its members in one order. */
function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ordered);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, member]) => [name, ordered(member)]),
  );
}
