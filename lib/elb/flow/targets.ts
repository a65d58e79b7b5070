import { causes } from "../../kit/failure.ts";
import type { OwnTarget } from "../journal.ts";
import type { TargetsApi } from "../ports.ts";
import { planTargets, type Target, type TargetPlan, type TargetState } from "../target-plan.ts";
import type { KeptJournal } from "./journal.ts";

export interface GroupReport {
  readonly arn: string;
  /** What the group knows, before the plan was carried out. */
  readonly there: readonly TargetState[];
  readonly plan: TargetPlan;
  /** What was refused, or is in the way. */
  readonly problem?: string;
}

/**
 * Keeps target groups as wanted. A target is remembered before it is registered, and only what is remembered is ever
 * deregistered. Throws `Unavailable` when the API does not answer: what was begun is found again by the next look.
 */
export function targetKeeper({
  api,
  journal,
}: {
  readonly api: TargetsApi;
  readonly journal: Pick<KeptJournal, "own" | "disown" | "targets">;
}) {
  const own = (arn: string): readonly OwnTarget[] =>
    journal.targets().filter(({ targetGroupArn }) => targetGroupArn === arn);
  const named = (arn: string, targets: readonly Target[]): readonly OwnTarget[] =>
    targets.map(({ id, port }) => ({ targetGroupArn: arn, id, port }));

  async function look(arn: string, wanted: readonly Target[]): Promise<GroupReport> {
    const answer = await api.targets(arn);
    if (answer.kind === "refused") {
      const nothing = { register: [], deregister: [], forget: [], others: [] };
      const problem = `${answer.code}, ${answer.message}`;
      return { arn, there: [], plan: nothing, problem };
    }
    const { targets: there } = answer;
    return { arn, there, plan: planTargets(wanted, there, own(arn)) };
  }

  async function carryOut(report: GroupReport): Promise<GroupReport> {
    const { arn, plan, problem } = report;
    if (problem !== undefined) return report;
    const problems: string[] = [];
    if (plan.register.length > 0) {
      const targets = named(arn, plan.register);
      try {
        await journal.own(targets);
      } catch (error) {
        return { ...report, problem: `the journal can't be written: ${causes(error)}` };
      }
      const outcome = await api.register(arn, plan.register);
      if (outcome.kind === "refused") {
        problems.push(`RegisterTargets was refused: ${outcome.code}, ${outcome.message}`);
        await journal.disown(targets);
      }
    }
    if (plan.deregister.length > 0) {
      const outcome = await api.deregister(arn, plan.deregister);
      if (outcome.kind === "done") await journal.disown(named(arn, plan.deregister));
      else problems.push(`DeregisterTargets was refused: ${outcome.code}, ${outcome.message}`);
    }
    if (plan.forget.length > 0) await journal.disown(named(arn, plan.forget));
    return problems.length === 0 ? report : { ...report, problem: problems.join("; ") };
  }

  return { look, carryOut, own };
}
