import type { GroupReport } from "../../../lib/elb/flow/targets.ts";
import type { CycleOptions, Failed } from "./parts.ts";
import type { Seen } from "./services.ts";
import type { Standing } from "./standing.ts";
import type { GroupWish } from "./targets-pass.ts";

/**
 * The part of a cycle that is about target groups: one is looked at when what is wanted of it is another than last time,
 * and when it is its turn.
 */
export function groupWork({ targets }: CycleOptions) {
  const standings = new Map<string, Standing>();
  const reports = new Map<string, GroupReport>();
  /** What was wanted of each group when it was last put right. */
  const asked = new Map<string, string>();

  const dueOf = (wishes: readonly GroupWish[], turn: number | undefined): ReadonlySet<string> => {
    const arns = targets.arns(wishes);
    const due = new Set(arns.filter((arn) => asked.get(arn) !== textOf(arn, wishes)));
    const inTurn = turn === undefined ? undefined : arns[turn % Math.max(1, arns.length)];
    if (due.size === 0 && inTurn !== undefined) due.add(inTurn);
    return due;
  };

  return {
    standings: (): ReadonlyMap<string, Standing> => standings,
    reports: () => [...reports.values()],
    /** `turn` says which group has its turn; undefined for none. True when something was changed. */
    async run(seen: readonly Seen[], turn: number | undefined, failed: Failed): Promise<boolean> {
      const wishes = wishesOf(seen);
      const due = dueOf(wishes, turn);
      if (due.size === 0) return false;
      try {
        const result = await targets.run(wishes, due);
        for (const { service, arn } of wishes) if (due.has(arn)) standings.delete(service.key);
        for (const [key, standing] of result.standings) standings.set(key, standing);
        for (const report of result.reports) {
          reports.set(report.arn, report);
          if (report.problem === undefined) asked.set(report.arn, textOf(report.arn, wishes));
        }
        return result.again;
      } catch (error) {
        failed(error);
        for (const arn of due) asked.delete(arn);
        return false;
      }
    },
  };
}

const wishesOf = (seen: readonly Seen[]): readonly GroupWish[] =>
  seen.flatMap(({ service, found, isAbsent }): readonly GroupWish[] => {
    if (service.outlet.mode !== "targets") return [];
    const isDoubted = found.kind === "none" && found.wanted === 0 && !isAbsent;
    const none = isDoubted ? undefined : [];
    const tasks = found.kind === "some" ? found.tasks : none;
    return [{ service, arn: service.outlet.targetGroupArn, tasks }];
  });

const textOf = (arn: string, wishes: readonly GroupWish[]): string =>
  JSON.stringify(
    wishes
      .filter((wish) => wish.arn === arn)
      .map(({ tasks }) => tasks?.map(({ task, ports }) => [task.arn, ports])),
  );
