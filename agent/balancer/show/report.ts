import { callText } from "../../../lib/elb/calls.ts";
import { callsOfPlan, isEmptyPlan, planDiff } from "../../../lib/elb/listener-plan.ts";
import { listenerText } from "../../../lib/elb/load-balancer.ts";
import type { Service } from "../../../lib/elb/service.ts";
import { line } from "../../cli/terminal.ts";
import type { CycleResult } from "../work/parts.ts";
import { isForward } from "../work/services.ts";
import type { Standing } from "../work/standing.ts";
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
  const loadBalancers = balancerChanges(result, instance);
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
      ...standingIn(result, service),
      ...(isForward(service) && {
        listens: service.outlet.ports.map(({ listenPort }) => listenPort),
      }),
    })),
    problems: [
      ...result.problems,
      ...result.files.problems.map(({ why }) => why),
      ...result.files.broken.map(({ problem }) => problem),
      ...result.files.notes,
    ],
  };
}

/** What would be done at each load balancer: what a killed process has left comes first. */
function balancerChanges(
  { plans, recoveries }: CycleResult,
  instance: string,
): DryRunReport["loadBalancers"] {
  const left = recoveries.map(({ begun, recovery: { port, calls } }) => ({
    name: begun.loadBalancer,
    diff:
      port === undefined
        ? []
        : [
            `+ listener ${listenerText({ ...begun.from.listener, instancePort: port })} ` +
              `(${begun.service}, a move that was not at its end)`,
          ],
    calls: calls.map(callText),
  }));
  const planned = plans
    .filter((plan) => !isEmptyPlan(plan))
    .map((plan) => ({
      name: plan.loadBalancer,
      diff: planDiff(plan, instance),
      calls: callsOfPlan(plan, instance).map(callText),
    }));
  return [...Map.groupBy([...left, ...planned], ({ name }) => name)].map(([name, all]) => ({
    name,
    diff: all.flatMap(({ diff }) => diff),
    calls: all.flatMap(({ calls }) => calls),
  }));
}

/** How the service fares, and where it fares well, whether its outlet is to be changed for that. */
function standingIn(result: CycleResult, service: Service): Standing {
  const { standings, plans, recoveries, reports } = result;
  const standing = standings.get(service.key) ?? { mark: "wait", text: "not looked at" };
  if (standing.mark !== "good") return standing;
  const { outlet } = service;
  if (outlet.mode === "targets") {
    const plan = reports.find(({ arn }) => arn === outlet.targetGroupArn)?.plan;
    return plan !== undefined && plan.register.length + plan.deregister.length > 0
      ? { mark: "wait", text: `target group ${groupName(outlet.targetGroupArn)} would be changed` }
      : standing;
  }
  const changes =
    recoveries.some(({ begun }) => begun.loadBalancer === outlet.loadBalancer) ||
    plans.some((plan) => plan.loadBalancer === outlet.loadBalancer && !isEmptyPlan(plan));
  return changes
    ? { mark: "wait", text: `load balancer ${outlet.loadBalancer} would be changed` }
    : standing;
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
