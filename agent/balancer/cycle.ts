import type { hostTasks } from "../../lib/elb/flow/host-tasks.ts";
import type { KeptJournal } from "../../lib/elb/flow/journal.ts";
import type { GroupReport } from "../../lib/elb/flow/targets.ts";
import type { Begun } from "../../lib/elb/journal.ts";
import type { BalancerPlan } from "../../lib/elb/listener-plan.ts";
import type { WantedPort } from "../../lib/elb/recovery.ts";
import { loadBalancerOf } from "../../lib/elb/service.ts";
import { wishOf } from "../../lib/elb/wishes.ts";
import { causes, Fatal, Unavailable } from "../../lib/kit/failure.ts";
import type { BalancerWish, ClassicPass } from "./classic-pass.ts";
import type { DockerWatch } from "./docker-watch.ts";
import type { Files } from "./files.ts";
import type { Forwarding } from "./forwarding.ts";
import type { HostIdentity } from "./identity.ts";
import type { Resting } from "./resting.ts";
import { isForward, type Seen, type Services, stateOf } from "./services.ts";
import type { Standing } from "./standing.ts";
import type { GroupWish, TargetsPass } from "./targets-pass.ts";

/** What one cycle has found. */
export interface CycleResult {
  readonly files: Files;
  /** In the file's order. */
  readonly seen: readonly Seen[];
  readonly standings: ReadonlyMap<string, Standing>;
  readonly plans: readonly BalancerPlan[];
  readonly reports: readonly GroupReport[];
  /** Why a look failed: what was found last still counts. */
  readonly problems: readonly string[];
  /** The API asked for fewer requests. */
  readonly isThrottled: boolean;
  /** Something is under way: the next cycle need not wait. */
  readonly again: boolean;
}

export interface CycleOptions {
  readonly readFiles: () => Promise<Files>;
  readonly host: HostIdentity;
  readonly tasks: ReturnType<typeof hostTasks>;
  readonly services: Services;
  readonly docker: DockerWatch;
  readonly forward: Forwarding;
  /** What `forward` does: with --dryRun nothing listens, and all is taken to; with --once nothing does. */
  readonly serving: "real" | "assumed" | "none";
  readonly classic: ClassicPass;
  readonly targets: TargetsPass;
  readonly journal: KeptJournal | undefined;
  readonly resting: Resting;
}

/**
 * One cycle after the other: the files, this host's tasks, what each service asks for, and the work at load balancers and
 * target groups.
 *
 * An idle cycle asks four questions, however many services there are: both files, the list of tasks, and in turn what else
 * may have changed unheard of: the health of the tasks, the load balancers, one target group. Whatever is known to be
 * different is looked at in the same cycle.
 */
export function cycles(options: CycleOptions): () => Promise<CycleResult> {
  const { host, services, docker, forward, classic, targets, journal, resting } = options;
  let turn = 0;
  let seen: readonly Seen[] = [];
  let tasksKnown = false;
  let asked = "";
  let classicAgain = true;
  const lastStandings = new Map<string, Standing>();
  let plans: readonly BalancerPlan[] = [];
  const reports = new Map<string, GroupReport>();
  const groupsAsked = new Map<string, string>();

  async function lookAtTasks(files: Files, whole: boolean, failed: (error: unknown) => void) {
    try {
      const { tasks, strange } = await options.tasks(
        { cluster: host.cluster, instance: host.containerInstance },
        whole,
      );
      tasksKnown = true;
      const all = files.services ?? [];
      seen = services.look(all, tasks);
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
      return strange;
    } catch (error) {
      failed(error);
      return [];
    }
  }

  const wishesNow = (): readonly BalancerWish[] =>
    seen.flatMap((one): readonly BalancerWish[] => {
      const { service } = one;
      const loadBalancer = loadBalancerOf(service);
      const wish = wishOf(
        stateOf(one, {
          isServing:
            options.serving === "assumed"
              ? one.found.kind === "some" && forward.problemOf(service) === undefined
              : forward.isServing(service),
          isResting: resting.reason(service.key) !== undefined,
        }),
      );
      return wish === undefined || loadBalancer === undefined ? [] : [{ loadBalancer, wish }];
    });

  const wantedPort =
    (wishes: readonly BalancerWish[]) =>
    ({ service, from }: Begun): WantedPort => {
      if (!tasksKnown) return "unknown";
      const ports = wishes.find(({ wish }) => wish.service === service)?.wish.ports;
      if (ports === undefined || ports.kind === "none") return "gone";
      return ports.kind === "every"
        ? ports.instancePort
        : (ports.byLbPort.get(from.listener.lbPort) ?? "gone");
    };

  async function workAtBalancers(
    isDue: boolean,
    failed: (error: unknown) => void,
  ): Promise<boolean> {
    const wishes = wishesNow();
    const text = JSON.stringify(wishes, (_, value: unknown) =>
      value instanceof Map ? [...value] : value,
    );
    const isNeeded = text !== asked || classicAgain || (journal?.begun().length ?? 0) > 0;
    if (!isDue && !isNeeded) return false;
    try {
      const result = await classic.run(wishes, wantedPort(wishes));
      asked = text;
      classicAgain = result.again;
      plans = result.plans;
      const keys = new Set(wishes.map(({ wish }) => wish.service));
      for (const key of keys) lastStandings.delete(key);
      for (const [key, standing] of result.standings) lastStandings.set(key, standing);
      return result.again;
    } catch (error) {
      failed(error);
      classicAgain = true;
      return false;
    }
  }

  async function workAtGroups(isDue: boolean, failed: (error: unknown) => void): Promise<boolean> {
    const wishes = seen.flatMap(({ service, found, isAbsent }): readonly GroupWish[] => {
      if (service.outlet.mode !== "targets") return [];
      const left = found.kind === "none" && found.wanted === 0 && !isAbsent;
      const tasks = found.kind === "some" ? found.tasks : left ? undefined : [];
      return [{ service, arn: service.outlet.targetGroupArn, tasks }];
    });
    const arns = tasksKnown ? targets.arns(wishes) : [];
    const signature = (arn: string) =>
      JSON.stringify(
        wishes
          .filter((wish) => wish.arn === arn)
          .map(({ tasks }) => tasks?.map(({ task, ports }) => [task.arn, ports])),
      );
    const due = new Set(arns.filter((arn) => groupsAsked.get(arn) !== signature(arn)));
    // Of those that nothing is known of, one in its turn.
    const inTurn = arns[Math.floor(turn / 2) % Math.max(1, arns.length)];
    if (isDue && due.size === 0 && inTurn !== undefined) due.add(inTurn);
    if (due.size === 0) return false;
    try {
      const result = await targets.run(wishes, due);
      for (const { service, arn } of wishes) if (due.has(arn)) lastStandings.delete(service.key);
      for (const [key, standing] of result.standings) lastStandings.set(key, standing);
      for (const report of result.reports) {
        reports.set(report.arn, report);
        if (report.problem === undefined) groupsAsked.set(report.arn, signature(report.arn));
      }
      return result.again;
    } catch (error) {
      failed(error);
      for (const arn of due) groupsAsked.delete(arn);
      return false;
    }
  }

  return async () => {
    const problems: string[] = [];
    let isThrottled = false;
    const failed = (error: unknown): void => {
      if (!(error instanceof Unavailable || error instanceof Fatal)) throw error;
      if (error instanceof Unavailable && error.demand === "fewer") isThrottled = true;
      problems.push(causes(error));
    };
    const isFirst = turn === 0;
    const isForTasks = turn % 2 === 0;
    const files = await options.readFiles();
    resting.keep(new Set((files.services ?? []).map(({ key }) => key)));
    const strange = await lookAtTasks(files, isForTasks, failed);
    // With a target group and a load balancer to see to, each has every second of these turns.
    const hasGroups = seen.some(({ service }) => service.outlet.mode === "targets");
    const hasBalancers = seen.some(({ service }) => service.outlet.mode !== "targets");
    const isForGroups = !isForTasks && hasGroups && (!hasBalancers || turn % 4 === 1);
    const again = [
      await workAtBalancers(isFirst || (!isForTasks && !isForGroups), failed),
      await workAtGroups(isFirst || isForGroups, failed),
    ];
    turn += 1;
    const standings = new Map(
      seen.map((one) => [
        one.service.key,
        standingOf(one, options, lastStandings.get(one.service.key)),
      ]),
    );
    return {
      files,
      seen,
      standings,
      plans,
      reports: [...reports.values()],
      problems: [...problems, ...strange],
      isThrottled,
      again: again.includes(true) || services.hasDoubt(),
    };
  };
}

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
    const isBad =
      found.reason !== "no-task" && found.reason !== "starting" && found.reason !== "stopping";
    return {
      mark: isBad ? "bad" : "wait",
      text: `${found.detail}${isAbsent ? "" : ", as of now"}`,
    };
  }
  if (isForward(service) && serving !== "assumed" && !forward.isServing(service)) {
    const text =
      serving === "none" ? 'mode "forward" takes a running process' : "no task has answered yet";
    return { mark: "wait", text };
  }
  return { mark: "good", text: "as wanted" };
}
