import type { InstanceId, TaskId } from "../../ecs/arn.ts";
import {
  type Cluster,
  clusterName,
  type Described,
  type Fleet,
  type InstanceState,
  type ReadCluster,
  type TaskState,
  type UnreadCluster,
} from "../../ecs/fleet.ts";
import { causes, Fatal, Unavailable } from "../../kit/failure.ts";
import { type Author, hasTask } from "../sweep.ts";

export interface EcsPage<Id> {
  readonly ids: readonly Id[];
  /** Where the next page begins; undefined on the last one. */
  readonly next?: string;
}

/** One request each. They throw `Unavailable` when trying again may help, and `Fatal` when only an operator can. */
export interface EcsReads {
  clusters(from: string | undefined): Promise<EcsPage<string>>;
  /** Those that are not INACTIVE. */
  instances(cluster: string, from: string | undefined): Promise<EcsPage<InstanceId>>;
  /** Those that are meant to run. */
  runningTasks(cluster: string, from: string | undefined): Promise<EcsPage<TaskId>>;
  /** At most 100. An id that the answer says nothing of is not in the map. */
  describeInstances(
    cluster: string,
    ids: readonly InstanceId[],
  ): Promise<ReadonlyMap<InstanceId, Described<InstanceState>>>;
  /** The same. */
  describeTasks(
    cluster: string,
    ids: readonly TaskId[],
  ): Promise<ReadonlyMap<TaskId, Described<TaskState>>>;
}

/** The most that one request may ask about (API reference, DescribeTasks and DescribeContainerInstances). */
const DESCRIBE_LIMIT = 100;
/** So many clusters are read at once; of one there is one request at a time. */
const AT_ONCE = 4;

export interface FleetReader {
  readonly ecs: EcsReads;
  /** Tries again while that may help; see `persist`. */
  readonly retry: <T>(act: () => Promise<T>) => Promise<T>;
}

/** The names of all clusters of the account and region. Throws what stops it: without this list nothing is known. */
export const everyCluster = ({ ecs, retry }: FleetReader): Promise<readonly string[]> =>
  allPages((from) => retry(() => ecs.clusters(from)));

/**
 * The clusters as far as these authors are concerned. First all are listed, then each is asked by id for the container
 * instances that it lists, and for those that none lists; at last their tasks that are not listed as running are asked
 * for, those of instances that nobody has everywhere. A cluster counts as read only if all of that came whole; a failure in it is data. Rejects at the stop, and with
 * what is no failure of ECS.
 */
export async function readFleet(
  clusters: readonly string[],
  authors: readonly Author[],
  { ecs, retry }: FleetReader,
): Promise<Fleet> {
  const listed = await eachOf(clusters, (cluster) =>
    orUnread(cluster, async () => ({
      kind: "listed" as const,
      cluster,
      listed: new Set(await allPages((from) => retry(() => ecs.instances(cluster, from)))),
      running: new Set(await allPages((from) => retry(() => ecs.runningTasks(cluster, from)))),
    })),
  );
  const known = listed.filter((one) => one.kind === "listed");
  const somewhere = new Set(known.flatMap((one) => [...one.listed]));
  const running = new Set(known.flatMap((one) => [...one.running]));
  const wanted = [...new Set(authors.map(({ instance }) => instance))];

  return eachOf(listed, async (one): Promise<Cluster> => {
    if (one.kind === "unread") return one;
    const { cluster } = one;
    return orUnread(cluster, async (): Promise<ReadCluster> => {
      const instances = await described(
        wanted.filter((id) => one.listed.has(id) || !somewhere.has(id)),
        (ids) => retry(() => ecs.describeInstances(cluster, ids)),
      );
      const tasks = await described(
        authors.flatMap((author) => {
          const state = instances.get(author.instance);
          const livesHere = state?.kind === "found" && state.status !== "INACTIVE";
          // Whoever knows its task proves that it was here.
          const isNowhere = state?.kind === "missing" && !somewhere.has(author.instance);
          return (livesHere || isNowhere) && hasTask(author) && !running.has(author.task)
            ? [author.task]
            : [];
        }),
        (ids) => retry(() => ecs.describeTasks(cluster, ids)),
      );
      const { listed, running: runningHere } = one;
      return {
        kind: "read",
        name: clusterName(cluster),
        listed,
        running: runningHere,
        instances,
        tasks,
      };
    });
  });
}

/** Every item of a list, in order of the pages. A page that leads back to itself would never end. */
async function allPages<Id>(
  page: (from: string | undefined) => Promise<EcsPage<Id>>,
): Promise<readonly Id[]> {
  const all: Id[] = [];
  const been = new Set<string>();
  for (let from: string | undefined; ; ) {
    const { ids, next } = await page(from);
    all.push(...ids);
    if (next === undefined) return all;
    if (been.has(next)) throw new Fatal("a list of ECS leads back to a page that was read");
    been.add(next);
    from = next;
  }
}

/** The answers about all of them, a request for each hundred. */
async function described<Id, State>(
  ids: readonly Id[],
  ask: (ids: readonly Id[]) => Promise<ReadonlyMap<Id, Described<State>>>,
): Promise<ReadonlyMap<Id, Described<State>>> {
  const each = [...new Set(ids)];
  const answers = new Map<Id, Described<State>>();
  for (let at = 0; at < each.length; at += DESCRIBE_LIMIT) {
    for (const [id, answer] of await ask(each.slice(at, at + DESCRIBE_LIMIT))) {
      answers.set(id, answer);
    }
  }
  return answers;
}

async function orUnread<T>(cluster: string, read: () => Promise<T>): Promise<T | UnreadCluster> {
  try {
    return await read();
  } catch (error) {
    if (!isFailureOfEcs(error)) throw error;
    return { kind: "unread", name: clusterName(cluster), problem: causes(error) };
  }
}

/** With the patience over, `persist` throws an error of its own, with the last `Unavailable` as its cause. */
const isFailureOfEcs = (error: unknown): boolean =>
  error instanceof Fatal ||
  error instanceof Unavailable ||
  (error instanceof Error && error.cause instanceof Unavailable);

/** What `act` makes of each, in their order, some at once. The first that rejects ends it. */
async function eachOf<T, R>(
  items: readonly T[],
  act: (item: T) => Promise<R>,
): Promise<readonly R[]> {
  const results: R[] = new Array(items.length);
  const left = items.entries();
  const worker = async () => {
    for (const [at, item] of left) results[at] = await act(item);
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, worker));
  return results;
}
