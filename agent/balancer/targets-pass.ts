import type { KeptJournal } from "../../lib/elb/flow/journal.ts";
import { type GroupReport, targetKeeper } from "../../lib/elb/flow/targets.ts";
import type { TargetsApi } from "../../lib/elb/ports.ts";
import type { Service } from "../../lib/elb/service.ts";
import type { Target } from "../../lib/elb/target-plan.ts";
import { type Answering, hostPortOf, ownAddress } from "../../lib/elb/task-choice.ts";
import type { Standing, Tell } from "./standing.ts";

/** What one service asks of its target group: its tasks, or undefined to leave all as it is. */
export interface GroupWish {
  readonly service: Service;
  readonly arn: string;
  readonly tasks: readonly Answering[] | undefined;
}

export interface TargetsPassOptions {
  readonly api: TargetsApi;
  readonly journal: KeptJournal | undefined;
  readonly journalProblem: string | undefined;
  readonly instance: string;
  /** This host's address, for groups of addresses. */
  readonly address: () => Promise<string | undefined>;
  readonly dryRun: boolean;
  readonly tell: Tell;
}

export interface TargetsResult {
  readonly standings: ReadonlyMap<string, Standing>;
  readonly reports: readonly GroupReport[];
  readonly again: boolean;
}

/** The work at target groups, one pass at a time. */
export interface TargetsPass {
  /** Every group of the wishes, and of targets that this process has registered: of these, the one that is due. */
  arns(wishes: readonly GroupWish[]): readonly string[];
  /** Looks at these groups, and carries out what lacks. Throws `Unavailable` when the API does not answer. */
  run(wishes: readonly GroupWish[], arns: ReadonlySet<string>): Promise<TargetsResult>;
}

export function targetsPass(options: TargetsPassOptions): TargetsPass {
  const { api, journal, instance, address, dryRun, tell } = options;
  const nothing = { targets: () => [], own: async () => {}, disown: async () => {} };
  const keeper = targetKeeper({ api, journal: journal ?? nothing });
  const types = new Map<string, string>();

  async function typeOf(arn: string): Promise<string | { readonly problem: string }> {
    const known = types.get(arn);
    if (known !== undefined) return known;
    const answer = await api.group(arn);
    if (answer.kind === "refused") return { problem: `${answer.code}, ${answer.message}` };
    const { targetType } = answer.group;
    if (targetType !== "instance" && targetType !== "ip") {
      return { problem: `its targets are of type ${targetType}, expected instance or ip` };
    }
    types.set(arn, targetType);
    return targetType;
  }

  /** The targets of a service; undefined where all stays as it is. */
  async function wantedOf(
    { service, tasks }: GroupWish,
    type: string,
  ): Promise<readonly Target[] | { readonly problem: string } | undefined> {
    if (tasks === undefined) return undefined;
    const { outlet } = service;
    const named = outlet.mode === "targets" ? outlet.containerPorts : [];
    const targets: Target[] = [];
    for (const { task, ports } of tasks) {
      const own = ownAddress(task);
      if (type === "instance" && own !== undefined) {
        return { problem: "its tasks have a network of their own: the group must be of type ip" };
      }
      const id = type === "instance" ? instance : (own ?? (await address()));
      if (id === undefined)
        return { problem: "this host's address is not known: EC2's metadata does not answer" };
      const container = named.length === 0 ? [undefined] : named;
      for (const one of container) {
        const port = hostPortOf(ports, one);
        if (port !== undefined) targets.push({ id, port });
      }
    }
    return targets;
  }

  async function one(arn: string, wishes: readonly GroupWish[]) {
    const standings = new Map<string, Standing>();
    const bad = (text: string) => {
      for (const { service } of wishes) standings.set(service.key, { mark: "bad", text });
    };
    const name = groupName(arn);
    const type = await typeOf(arn);
    if (typeof type !== "string") {
      bad(`target group ${name}: ${type.problem}`);
      return { standings };
    }
    const wanted: Target[] = [];
    for (const wish of wishes) {
      const targets = await wantedOf(wish, type);
      if (targets !== undefined && "problem" in targets) {
        standings.set(wish.service.key, {
          mark: "bad",
          text: `target group ${name}: ${targets.problem}`,
        });
      }
      // Nothing of the group may be taken away while one of its services can't be told.
      const known = targets === undefined || "problem" in targets ? keeper.own(arn) : targets;
      wanted.push(...known.map(({ id, port }) => ({ id, port })));
    }
    const report = await keeper.look(arn, wanted);
    const done = dryRun || journal === undefined ? report : await keeper.carryOut(report);
    const lacks = report.plan.register.length + report.plan.deregister.length;
    if (journal === undefined && lacks > 0) {
      bad(
        `the journal can't be kept, and without it no target is registered: ${options.journalProblem}`,
      );
    } else if (done.problem !== undefined) {
      bad(`target group ${name}: ${done.problem}`);
      tell({ level: "warn", about: name, text: `target group ${name}: ${done.problem}` });
    } else if (!dryRun) {
      for (const { id, port } of done.plan.register) {
        tell({ level: "info", about: name, text: `target group ${name}: + target ${id}:${port}` });
      }
      for (const { id, port } of done.plan.deregister) {
        tell({
          level: "info",
          about: name,
          text: `target group ${name}: - target ${id}:${port}, it drains`,
        });
      }
    }
    return { standings, report: done, lacks };
  }

  return {
    arns: (wishes) => [
      ...new Set([
        ...wishes.map(({ arn }) => arn),
        ...(journal?.targets() ?? []).map(({ targetGroupArn }) => targetGroupArn),
      ]),
    ],
    async run(wishes, arns) {
      const standings = new Map<string, Standing>();
      const reports: GroupReport[] = [];
      let again = false;
      for (const arn of arns) {
        const result = await one(
          arn,
          wishes.filter((wish) => wish.arn === arn),
        );
        for (const [key, standing] of result.standings) standings.set(key, standing);
        if (result.report !== undefined) reports.push(result.report);
        again ||= (result.lacks ?? 0) > 0;
      }
      return { standings, reports, again };
    },
  };
}

export const groupName = (arn: string): string => arn.split("/").at(-2) ?? arn;
