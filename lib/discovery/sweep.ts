import type { InstanceId } from "../ecs/arn.ts";
import {
  type Fleet,
  type InstanceState,
  isEmpty,
  type ReadCluster,
  type UnreadCluster,
} from "../ecs/fleet.ts";
import { instanceOf, parseProxyIdentifier } from "../route53/proxy-identifier.ts";
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
  /** A proxy's, whose container instance is there: what it serves, only that host knows. */
  | "host-there"
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
  /** A proxy's, whose host is no container instance: ECS can say nothing of it. */
  | "not-in-ecs"
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
 * | instance there, container outside of ECS, or a proxy's       | kept                               |
 * | a proxy's, of a host that is no container instance           | unsure: not-in-ecs                 |
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
    const author = authorOf(record);
    if (author !== undefined) return { record, fate: fateOf(author, fleet, rules) };
    const host = parseProxyIdentifier(record.setIdentifier);
    return {
      record,
      fate:
        host === undefined
          ? unsure("other-format", "its set identifier is none of this version")
          : unsure(
              "not-in-ecs",
              `its host ${host} is no container instance, so ECS knows nothing of it`,
            ),
    };
  });

/** Who wrote a record, as far as ECS can know: of a proxy's the container instance alone. */
export type Author = { readonly instance: InstanceId } & Partial<Ownership>;

/** Undefined where ECS knows nothing of the author. */
export function authorOf({ setIdentifier }: Pick<RecordSet, "setIdentifier">): Author | undefined {
  const host = parseProxyIdentifier(setIdentifier);
  const instance = host === undefined ? undefined : instanceOf(host);
  return parseSetIdentifier(setIdentifier) ?? (instance === undefined ? undefined : { instance });
}

function fateOf(author: Author, fleet: Fleet, rules: SweepRules): Fate {
  const { instance } = author;
  const read = fleet.filter((cluster) => cluster.kind === "read");
  const home = homeOf(author, read);
  const where = hasTask(author) ? read.find(({ running }) => running.has(author.task)) : undefined;
  if (where !== undefined) {
    return home === undefined
      ? kept("task-runs", `cluster ${where.name} lists its task`)
      : there(home, "task-runs", `runs in cluster ${where.name}`);
  }
  if (home === undefined) return withoutInstance(author, fleet, read, rules);
  const { cluster, state } = home;
  if (state.status === "INACTIVE") {
    return dead(
      "instance-inactive",
      `container instance ${instance} is INACTIVE in cluster ${cluster.name}`,
    );
  }
  if (author.task === undefined) {
    return there(home, "host-there", "of a proxy, whose container instance is there");
  }
  return hasTask(author)
    ? fateOfTask(author, home)
    : there(home, "not-a-task", "its container is no task's, its container instance is there");
}

interface Home {
  readonly cluster: ReadCluster;
  readonly state: InstanceState;
}

/** The cluster in which the container instance lives, or, where there is none, lived. */
function homeOf({ instance }: Author, read: readonly ReadCluster[]): Home | undefined {
  const homes = read.flatMap((cluster) => {
    const state = cluster.instances.get(instance);
    return state?.kind === "found" ? [{ cluster, state }] : [];
  });
  return homes.find(({ state }) => state.status !== "INACTIVE") ?? homes[0];
}

function fateOfTask({ task }: WithTask, home: Home): Fate {
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
  author: Author,
  fleet: Fleet,
  read: readonly ReadCluster[],
  { emptyClusters, unknownInstances }: SweepRules,
): Fate {
  const { instance } = author;
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
  const known = hasTask(author) ? fateOfKnownTask(author, read) : undefined;
  if (known !== undefined) return known;
  if (unknownInstances === "delete") {
    return dead("instance-gone", `no cluster has a container instance ${instance}`);
  }
  return unsure(
    "unknown-instance",
    `no cluster has a container instance ${instance}, so it is long gone or of another account or region (--unknownInstances=delete, if no other writes into the zone)`,
  );
}

/** Of a task that some cluster still knows, though none has its instance. */
function fateOfKnownTask({ task }: WithTask, read: readonly ReadCluster[]): Fate | undefined {
  for (const { name, tasks } of read) {
    const answer = tasks.get(task);
    if (answer?.kind !== "found") continue;
    const detail = `task ${task} is ${answer.status} in cluster ${name}`;
    return answer.status === "STOPPED" || answer.status === "DELETED"
      ? dead("task-stopped", detail)
      : kept("task-not-stopped", detail);
  }
  return undefined;
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

type WithTask = Author & Pick<Ownership, "task">;

/** Whether ECS can know its task: of a container outside of ECS the task id was made, see `dockerEndpoint`. */
export const hasTask = (author: Author): author is WithTask =>
  author.task !== undefined &&
  (author.container === undefined || !author.task.startsWith(author.container));

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
