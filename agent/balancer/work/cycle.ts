import { causes, Fatal, Unavailable } from "../../../lib/kit/failure.ts";
import type { Files } from "../files.ts";
import { balancerWork } from "./balancer-work.ts";
import { groupWork } from "./group-work.ts";
import type { CycleOptions, CycleResult, Failed } from "./parts.ts";
import { isForward, type Seen } from "./services.ts";
import type { Standing } from "./standing.ts";

/**
 * One cycle after the other: the files, this host's tasks, what each service asks for, and the work at load balancers and
 * target groups.
 *
 * An idle cycle asks four questions, however many services there are: both files, the list of tasks, and in turn what else
 * may have changed unheard of: the health of the tasks, the load balancers, one target group. Whatever is known to be
 * different is looked at in the same cycle.
 */
export function cycles(options: CycleOptions): () => Promise<CycleResult> {
  const { services, resting } = options;
  const lookAtTasks = tasksWork(options);
  const atBalancers = balancerWork(options);
  const atGroups = groupWork(options);
  let turn = 0;
  let seen: readonly Seen[] = [];
  let tasksKnown = false;
  let strange: readonly string[] = [];

  return async () => {
    const problems: string[] = [];
    let isThrottled = false;
    const failed: Failed = (error) => {
      if (!(error instanceof Unavailable || error instanceof Fatal)) throw error;
      if (error instanceof Unavailable && error.demand === "fewer") isThrottled = true;
      problems.push(causes(error));
    };
    const due = turnsOf(turn, seen);
    const files = await options.readFiles();
    resting.keep(new Set((files.services ?? []).map(({ key }) => key)));
    const look = await lookAtTasks(files, due.tasks).catch(failed);
    if (look) ({ seen, strange } = look);
    tasksKnown ||= look !== undefined;
    const again = [
      await atBalancers.run(seen, { tasksKnown, isDue: due.balancers }, failed),
      tasksKnown ? await atGroups.run(seen, due.group, failed) : false,
    ];
    turn += 1;
    const outlets = new Map([...atBalancers.standings(), ...atGroups.standings()]);
    return {
      files,
      seen,
      standings: new Map(
        seen.map((one) => [
          one.service.key,
          standingOf(one, options, outlets.get(one.service.key)),
        ]),
      ),
      plans: atBalancers.plans(),
      recoveries: atBalancers.recoveries(),
      reports: atGroups.reports(),
      problems: [...problems, ...strange],
      isThrottled,
      again: again.includes(true) || services.hasDoubt(),
    };
  };
}

/**
 * What is looked at though nothing tells that it has changed: every second cycle the tasks' health; in the others the load
 * balancers, or where there are target groups, too, these in turn. The first cycle looks at everything.
 */
function turnsOf(turn: number, seen: readonly Seen[]) {
  const has = (isGroup: boolean) =>
    seen.some(({ service }) => (service.outlet.mode === "targets") === isGroup);
  const tasks = turn % 2 === 0;
  const isForGroups = has(true) && (!has(false) || turn % 4 === 1);
  return {
    tasks,
    balancers: turn === 0 || (!tasks && !isForGroups),
    /** The number of the group whose turn it is. */
    group: turn === 0 || (!tasks && isForGroups) ? Math.floor(turn / 2) : undefined,
  };
}

/** The look at this host's tasks, and what follows from it without asking anybody. */
function tasksWork({ tasks, host, services, docker, forward }: CycleOptions) {
  return async (files: Files, whole: boolean) => {
    const where = { cluster: host.cluster, instance: host.containerInstance };
    const { tasks: all, strange } = await tasks(where, whole);
    const seen = services.look(files.services ?? [], all);
    const inKernel = seen.flatMap(({ service, found }) =>
      isForward(service) && service.outlet.dataPlane === "kernel" && found.kind === "some"
        ? found.tasks.flatMap(({ task }) =>
            task.containers.flatMap(
              ({ name, runtimeId }) => (name === service.container && runtimeId) || [],
            ),
          )
        : [],
    );
    await docker.learn(inKernel);
    forward.set(
      seen.flatMap(({ service, found }) =>
        isForward(service) ? [{ service, tasks: found.kind === "some" ? found.tasks : [] }] : [],
      ),
    );
    return { seen, strange };
  };
}

const WAITING: readonly string[] = ["no-task", "starting", "stopping", "stopped"];

/** How a service fares, from its task to its outlet: the first thing that is in the way. */
function standingOf(
  { service, found, isAbsent }: Seen,
  { forward, resting, serving }: CycleOptions,
  outlet: Standing | undefined,
): Standing {
  const problem = forward.problemOf(service);
  if (problem !== undefined) return { mark: "bad", text: problem };
  if (outlet?.mark === "bad") return outlet;
  const rests = resting.reason(service.key);
  if (rests !== undefined) return { mark: "bad", text: rests };
  if (found.kind === "none") {
    const mark = WAITING.includes(found.reason) ? "wait" : "bad";
    return { mark, text: `${found.detail}${isAbsent ? "" : ", as of now"}` };
  }
  if (isForward(service) && serving !== "assumed" && !forward.isServing(service)) {
    const once = 'mode "forward" takes a running process';
    return { mark: "wait", text: serving === "none" ? once : "no task has answered yet" };
  }
  return { mark: "good", text: "as wanted" };
}
