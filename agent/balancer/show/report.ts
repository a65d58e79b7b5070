import { callText } from "../../../lib/elb/calls.ts";
import { callsOfPlan, isEmptyPlan, planDiff } from "../../../lib/elb/listener-plan.ts";
import { line } from "../../cli/print.ts";
import type { CycleResult } from "../work/parts.ts";
import { isForward } from "../work/services.ts";
import { groupName } from "../work/targets-pass.ts";

/** What `--dryRun` found; for machines as it is. */
export interface DryRunReport {
  readonly schemaVersion: 1;
  /** Something would change. */
  readonly changes: boolean;
  readonly loadBalancers: readonly {
    readonly name: string;
    /** Lines that begin with `-` for what is there, and `+` for what would be. */
    readonly diff: readonly string[];
    /** The requests, in their order. */
    readonly calls: readonly string[];
  }[];
  readonly targetGroups: readonly { readonly arn: string; readonly diff: readonly string[] }[];
  readonly services: readonly {
    readonly service: string;
    readonly mode: string;
    readonly mark: "good" | "wait" | "bad";
    readonly text: string;
    /** Of `forward`: the ports that would be listened on. */
    readonly listens?: readonly number[];
  }[];
  /** What could not be read, and entries that were passed over. */
  readonly problems: readonly string[];
}

export function dryRunReport(result: CycleResult, instance: string): DryRunReport {
  const loadBalancers = result.plans
    .filter((plan) => !isEmptyPlan(plan))
    .map((plan) => ({
      name: plan.loadBalancer,
      diff: planDiff(plan, instance),
      calls: callsOfPlan(plan, instance).map(callText),
    }));
  const targetGroups = result.reports
    .map(({ arn, plan }) => ({
      arn,
      diff: [
        ...plan.register.map(({ id, port }) => `+ target ${id}:${port}`),
        ...plan.deregister.map(({ id, port }) => `- target ${id}:${port}`),
      ],
    }))
    .filter(({ diff }) => diff.length > 0);
  return {
    schemaVersion: 1,
    changes: loadBalancers.length + targetGroups.length > 0,
    loadBalancers,
    targetGroups,
    services: result.seen.map(({ service }) => ({
      service: service.key,
      mode: service.outlet.mode,
      ...(result.standings.get(service.key) ?? { mark: "wait" as const, text: "not looked at" }),
      ...(isForward(service) && {
        listens: service.outlet.ports.map(({ listenPort }) => listenPort),
      }),
    })),
    problems: [
      ...result.problems,
      ...result.files.problems,
      ...result.files.broken.map(({ problem }) => problem),
      ...result.files.notes,
    ],
  };
}

/** The report for people. */
export function reportText(report: DryRunReport): readonly string[] {
  return [
    ...report.loadBalancers.flatMap(({ name, diff, calls }) => [
      `load balancer ${name}`,
      ...diff.map((one) => `  ${one}`),
      "  by these requests:",
      ...calls.map((one, index) => `  ${String(index + 1).padStart(3)}. ${one}`),
    ]),
    ...report.targetGroups.flatMap(({ arn, diff }) => [
      `target group ${groupName(arn)}`,
      ...diff.map((one) => `  ${one}`),
    ]),
    ...report.services.map(
      ({ service, mode, text, listens }) =>
        `service ${service} (${mode}${listens === undefined ? "" : `, port ${listens.join(", ")} of this host`}): ${text}`,
    ),
    ...report.problems.map((problem) => `problem: ${problem}`),
    report.changes ? "nothing was changed: this was a dry run" : "nothing would change",
  ].map((text) => line(text));
}
