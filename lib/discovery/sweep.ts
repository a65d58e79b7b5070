import {
  type Fleet,
  type InstanceState,
  isEmpty,
  type ReadCluster,
  type UnreadCluster,
} from "../ecs/fleet.ts";
import type { RecordSet } from "../route53/record-set.ts";
import { type Ownership, parseSetIdentifier } from "../route53/set-identifier.ts";

/** What is to become of a record, and why. Only what is `dead` is ever deleted. */
export type Fate =
  | { readonly kind: "dead"; readonly reason: DeadReason; readonly detail: string }
  | { readonly kind: "kept"; readonly reason: KeptReason; readonly detail: string }
  | { readonly kind: "unsure"; readonly reason: UnsureReason; readonly detail: string };

type DeadReason =
  /** No cluster has its container instance. */
  | "instance-gone"
  | "instance-inactive"
  | "task-stopped"
  /** Its container instance is there, and ECS has no such task. */
  | "task-missing";

type KeptReason =
  | "task-runs"
  /** It does not run yet, or no longer, and has not stopped. */
  | "task-not-stopped"
  | "instance-not-active"
  | "agent-disconnected"
  /** A container outside of ECS, on a container instance that is there: ECS can't say whether it runs. */
  | "not-a-task"
  /** It was another one, or gone, when it was looked at again. */
  | "changed-meanwhile";

type UnsureReason =
  | "cluster-unread"
  /** ECS answered with nothing at all where this record's instance or task may be. */
  | "empty-answer"
  /** ECS said nothing of its instance, or of its task, or contradicts itself. */
  | "no-answer"
  | "no-cluster"
  /** No cluster knows its instance, nor its task: it may belong to another account or region. */
  | "unknown-instance"
  /** ECS knows no such task on an instance whose agent is away or which drains: it may have lost sight of it. */
  | "instance-unsteady"
  /** It looks like an agent's, and this version's agents write no such records. */
  | "other-format"
  /** Route 53 would not delete it. */
  | "refused"
  /** It is dead, and the sweep ended before Route 53 had accepted its delete. */
  | "unfinished";

export interface Judged {
  readonly record: RecordSet;
  readonly fate: Fate;
}

export interface SweepRules {
  /** Names of clusters that are known to have no container instances and no tasks. */
  readonly emptyClusters: ReadonlySet<string>;
  /** What becomes of records of which no cluster knows anything: nobody can tell whose they are. */
  readonly unknownInstances: UnknownInstances;
}

export const unknownInstancesChoices = ["keep", "delete"] as const;
type UnknownInstances = (typeof unknownInstancesChoices)[number];

/**
 * What becomes of each record, as far as one look at the fleet can tell. The first row that fits decides:
 *
 * | its task, its container instance                             | fate                               |
 * |--------------------------------------------------------------|------------------------------------|
 * | task listed as running, in any cluster                       | kept                               |
 * | instance INACTIVE in a cluster                               | dead: instance-inactive            |
 * | instance there, container outside of ECS                     | kept                               |
 * | instance there, task STOPPED or DELETED                      | dead: task-stopped                 |
 * | instance there, task in any other state                      | kept                               |
 * | instance there but drains or without its agent, task MISSING | unsure                             |
 * | instance there, task MISSING, cluster lists no task at all   | unsure: empty-answer               |
 * | instance there, task MISSING                                 | dead: task-missing                 |
 * | instance there, not a word about the task                    | unsure: no-answer                  |
 * | instance MISSING, a cluster could not be read                | unsure: cluster-unread             |
 * | instance MISSING, but listed, or not a word about it         | unsure: no-answer                  |
 * | instance MISSING, a cluster is empty and not known to be so  | unsure: empty-answer               |
 * | instance MISSING in every cluster, one knows its task        | as that task's state says, above   |
 * | instance MISSING in every cluster                            | unsure: unknown-instance, or, with |
 * |                                                              | `unknownInstances`: "delete", dead |
 *
 * An identifier holds no account and no region, so that nothing here knows an instance proves only that it is not here.
 * A task that ECS still knows as stopped proves that it was: ECS remembers it for at least an hour.
 *
 * A cluster that could not be read whole says nothing, so nothing of it can be dead: an error never leads to more
 * deletes than no error.
 */
export const judgeRecords = (
  records: readonly RecordSet[],
  fleet: Fleet,
  rules: SweepRules,
): readonly Judged[] =>
  records.map((record) => {
    const ownership = parseSetIdentifier(record.setIdentifier);
    return {
      record,
      fate:
        ownership === undefined
          ? unsure("other-format", "its set identifier is none of this version")
          : fateOf(ownership, fleet, rules),
    };
  });

function fateOf(ownership: Ownership, fleet: Fleet, rules: SweepRules): Fate {
  const { instance, task } = ownership;
  const read = fleet.filter((cluster) => cluster.kind === "read");
  const home = homeOf(ownership, read);
  const where = read.find(({ running }) => running.has(task));
  if (where !== undefined && !isOutsideOfEcs(ownership)) {
    return home === undefined
      ? kept("task-runs", `cluster ${where.name} lists its task`)
      : there(home, "task-runs", `runs in cluster ${where.name}`);
  }
  if (home === undefined) return withoutInstance(ownership, fleet, read, rules);
  const { cluster, state } = home;
  if (state.status === "INACTIVE") {
    return dead(
      "instance-inactive",
      `container instance ${instance} is INACTIVE in cluster ${cluster.name}`,
    );
  }
  if (isOutsideOfEcs(ownership)) {
    return there(home, "not-a-task", "its container is no task's, its container instance is there");
  }
  return fateOfTask(ownership, home);
}

interface Home {
  readonly cluster: ReadCluster;
  readonly state: InstanceState;
}

/** The cluster in which the container instance lives, or, where there is none, lived. */
function homeOf({ instance }: Ownership, read: readonly ReadCluster[]): Home | undefined {
  const homes = read.flatMap((cluster) => {
    const state = cluster.instances.get(instance);
    return state?.kind === "found" ? [{ cluster, state }] : [];
  });
  return homes.find(({ state }) => state.status !== "INACTIVE") ?? homes[0];
}

function fateOfTask({ task }: Ownership, home: Home): Fate {
  const { cluster, state } = home;
  const answer = cluster.tasks.get(task);
  if (answer === undefined) {
    return unsure("no-answer", `cluster ${cluster.name} says nothing of task ${task}`);
  }
  if (answer.kind === "found") {
    // DELETED follows on STOPPED (Developer Guide, task lifecycle).
    return answer.status === "STOPPED" || answer.status === "DELETED"
      ? dead("task-stopped", `task ${task} is ${answer.status} in cluster ${cluster.name}`)
      : there(home, "task-not-stopped", `task ${task} is ${answer.status}`);
  }
  if (unsteady(state) !== undefined) {
    return unsure(
      "instance-unsteady",
      `cluster ${cluster.name} has no task ${task}, and its container instance ${unsteady(state)?.detail}`,
    );
  }
  return cluster.running.size === 0
    ? unsure("empty-answer", `cluster ${cluster.name} lists no running task at all`)
    : dead("task-missing", `cluster ${cluster.name} has no task ${task}`);
}

function withoutInstance(
  ownership: Ownership,
  fleet: Fleet,
  read: readonly ReadCluster[],
  { emptyClusters, unknownInstances }: SweepRules,
): Fate {
  const { instance, task } = ownership;
  const named = (clusters: readonly { readonly name: string }[]) =>
    clusters.map(({ name }) => name).join(", ");
  if (fleet.length === 0) return unsure("no-cluster", "there is no cluster to ask");
  const unread = fleet.filter((cluster): cluster is UnreadCluster => cluster.kind === "unread");
  if (unread.length > 0) {
    return unsure(
      "cluster-unread",
      `may live in a cluster that could not be read: ${named(unread)}`,
    );
  }
  const silent = read.filter(
    (cluster) =>
      cluster.instances.get(instance)?.kind !== "missing" || cluster.listed.has(instance),
  );
  if (silent.length > 0) {
    return unsure(
      "no-answer",
      `no clear word about container instance ${instance} in cluster ${named(silent)}`,
    );
  }
  const empty = read.filter((cluster) => isEmpty(cluster) && !emptyClusters.has(cluster.name));
  if (empty.length > 0) {
    return unsure(
      "empty-answer",
      `may have lived in a cluster that answers with nothing at all: ${named(empty)} (--emptyClusters, if that is right)`,
    );
  }
  const proof = read.find(({ tasks }) => tasks.get(task)?.kind === "found");
  const answer = proof?.tasks.get(task);
  if (proof !== undefined && answer?.kind === "found" && !isOutsideOfEcs(ownership)) {
    return answer.status === "STOPPED" || answer.status === "DELETED"
      ? dead("task-stopped", `task ${task} is ${answer.status} in cluster ${proof.name}`)
      : kept("task-not-stopped", `task ${task} is ${answer.status} in cluster ${proof.name}`);
  }
  if (unknownInstances === "delete") {
    return dead("instance-gone", `no cluster has a container instance ${instance}`);
  }
  return unsure(
    "unknown-instance",
    `no cluster has a container instance ${instance}, so it is long gone or of another account or region (--unknownInstances=delete, if no other writes into the zone)`,
  );
}

/** Why what ECS does not say of the instance's tasks proves nothing. */
function unsteady(
  state: InstanceState,
): { readonly reason: KeptReason; readonly detail: string } | undefined {
  if (!state.agentConnected) {
    return { reason: "agent-disconnected", detail: "has no connection to ECS" };
  }
  if (state.status === "ACTIVE") return undefined;
  return { reason: "instance-not-active", detail: `is ${state.status}` };
}

/** Kept, and why: what is unusual about its instance says more than that it runs. */
function there({ state }: Home, reason: KeptReason, detail: string): Fate {
  const unusual = unsteady(state);
  return unusual === undefined
    ? kept(reason, detail)
    : kept(unusual.reason, `${detail}; its container instance ${unusual.detail}`);
}

/** Its task id was made of its container's, see `dockerEndpoint`. */
export const isOutsideOfEcs = ({ task, container }: Ownership): boolean =>
  container !== undefined && task.startsWith(container);

const dead = (reason: DeadReason, detail: string): Fate => ({ kind: "dead", reason, detail });
const kept = (reason: KeptReason, detail: string): Fate => ({ kind: "kept", reason, detail });
const unsure = (reason: UnsureReason, detail: string): Fate => ({ kind: "unsure", reason, detail });

/** The most that one sweep may delete. */
export type DeleteLimit =
  | { readonly kind: "share"; readonly percent: number }
  | { readonly kind: "count"; readonly records: number };

/** Why a sweep must not send these deletes, as one sentence; undefined when it may. */
export function sweepRefusal(
  { seen, dead: deletes }: { readonly seen: number; readonly dead: number },
  limit: DeleteLimit,
): string | undefined {
  const allowed = limit.kind === "share" ? (seen * limit.percent) / 100 : limit.records;
  if (deletes <= allowed) return undefined;
  const percent = Math.round((100 * deletes) / seen);
  const most = limit.kind === "share" ? `${limit.percent} %` : `${limit.records}`;
  return (
    `would delete ${deletes} of ${seen} records (${percent} %, limit ${most}), and deletes none: ` +
    "look at the report, and if that is right, say so for once with --maxDeletes"
  );
}
