import type { InstanceId, TaskId } from "../../ecs/arn.ts";
import { Unavailable } from "../../kit/failure.ts";
import type { Clock } from "../../kit/flow/clock.ts";
import { senderOf } from "../../sqs/sender-id.ts";
import { taskOfSession, type Verdict, verdictOf } from "../sender.ts";

/** What ECS is asked, at most 100 ids of one cluster at a time. Each throws `Unavailable` when trying again may help. */
export interface EcsFacts {
  /** The EC2 (or SSM) instance of each container instance that it knows. */
  readonly instances: (
    cluster: string,
    ids: readonly InstanceId[],
  ) => Promise<ReadonlyMap<InstanceId, string>>;
  /** The container instance of each task that it knows. */
  readonly tasks: (
    cluster: string,
    ids: readonly TaskId[],
  ) => Promise<ReadonlyMap<TaskId, InstanceId>>;
}

/** Whether a message of this sender speaks for the owner that it names, in the cluster that it names. */
export type Judge = (senderId: string, owner: InstanceId, cluster: string) => Promise<Verdict>;

/** What ECS did not know is asked again after this; what it knew never changes. */
const UNKNOWN_MS = 30_000;
const GATHER_MS = 50;
const MOST_IDS = 100;
const MOST_KNOWN = 50_000;
/** A cluster that ECS does not know is somebody's invention, or a mistake; it is no failure of ours. */
const isNoCluster = (error: unknown): boolean =>
  error instanceof Error && error.message.includes("knows no cluster");

/** Judges senders by what ECS says, asked once for each host and task, for many of them at a time. */
export function bindings({ ecs, clock }: { readonly ecs: EcsFacts; readonly clock: Clock }): Judge {
  const instances = lookup(clock, ecs.instances);
  const tasks = lookup(clock, ecs.tasks);
  return async (senderId, owner, cluster) => {
    const sender = senderOf(senderId);
    const task = sender && taskOfSession(sender);
    // Who is no instance and no task is not worth a question.
    if (sender === undefined) return verdictOf(sender, owner, NOTHING);
    return verdictOf(sender, owner, {
      ec2Instance: task === undefined ? await instances(cluster, owner) : undefined,
      taskInstance: task === undefined ? undefined : await tasks(cluster, task),
    });
  };
}
const NOTHING = { ec2Instance: undefined, taskInstance: undefined };

/** Asks for single ids as if one at a time, and joins what is asked within a moment. */
function lookup<Id extends string, Fact>(
  clock: Clock,
  ask: (cluster: string, ids: readonly Id[]) => Promise<ReadonlyMap<Id, Fact>>,
): (cluster: string, id: Id) => Promise<Fact | undefined> {
  const known = new Map<string, Fact>();
  const unknown = new Map<string, number>();
  const open = new Map<string, Map<Id, Promise<ReadonlyMap<Id, Fact>>>>();

  const gather = (cluster: string): Map<Id, Promise<ReadonlyMap<Id, Fact>>> => {
    const before = open.get(cluster);
    if (before !== undefined && before.size < MOST_IDS) return before;
    const ids = new Map<Id, Promise<ReadonlyMap<Id, Fact>>>();
    open.set(cluster, ids);
    return ids;
  };
  const asked = (cluster: string, id: Id): Promise<ReadonlyMap<Id, Fact>> => {
    const ids = gather(cluster);
    const [under] = ids.values();
    const answer =
      under ??
      clock.sleep(GATHER_MS).then(() => {
        if (open.get(cluster) === ids) open.delete(cluster);
        return ask(cluster, [...ids.keys()]);
      });
    ids.set(id, answer);
    return answer;
  };

  return async (cluster, id) => {
    const at = `${cluster} ${id}`;
    const fact = known.get(at);
    if (fact !== undefined) return fact;
    const missedMs = unknown.get(at);
    if (missedMs !== undefined && clock.now() - missedMs < UNKNOWN_MS) return undefined;
    const found = await asked(cluster, id).catch((error: unknown) => {
      if (error instanceof Unavailable || !isNoCluster(error)) throw error;
      return new Map<Id, Fact>();
    });
    const answer = found.get(id);
    if (answer === undefined) unknown.set(at, clock.now());
    else {
      unknown.delete(at);
      known.set(at, answer);
    }
    for (const table of [known, unknown]) {
      const [oldest] = table.keys();
      if (table.size > MOST_KNOWN && oldest !== undefined) table.delete(oldest);
    }
    return answer;
  };
}
