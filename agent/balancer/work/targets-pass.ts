import type { KeptJournal } from "../../../lib/elb/flow/journal.ts";
import { type GroupReport, targetKeeper } from "../../../lib/elb/flow/targets.ts";
import type { TargetsApi } from "../../../lib/elb/ports.ts";
import type { Service } from "../../../lib/elb/service.ts";
import type { Target } from "../../../lib/elb/target-plan.ts";
import { type Answering, hostPortOf, ownAddress } from "../../../lib/elb/task-choice.ts";
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

interface TargetsResult {
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

const NO_JOURNAL = { targets: () => [], own: async () => {}, disown: async () => {} };

export function targetsPass(options: TargetsPassOptions): TargetsPass {
  const { api, journal } = options;
  const keeper = targetKeeper({ api, journal: journal ?? NO_JOURNAL });
  const work: Work = { options, keeper, typeOf: groupTypes(api) };
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
        const about = wishes.filter((wish) => wish.arn === arn);
        const report = await workAt(work, arn, about, (key, text) =>
          standings.set(key, { mark: "bad", text: `target group ${groupName(arn)}: ${text}` }),
        );
        if (report === undefined) continue;
        reports.push(report);
        again ||= lacks(report);
      }
      return { standings, reports, again };
    },
  };
}

interface Work {
  readonly options: TargetsPassOptions;
  readonly keeper: ReturnType<typeof targetKeeper>;
  readonly typeOf: ReturnType<typeof groupTypes>;
}

const lacks = ({ plan }: GroupReport): boolean => plan.register.length + plan.deregister.length > 0;

interface Trouble {
  readonly problem: string;
}

/** What kind of targets a group has; asked once. */
function groupTypes(api: TargetsApi) {
  const types = new Map<string, "instance" | "ip">();
  return async (arn: string): Promise<"instance" | "ip" | Trouble> => {
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
  };
}

/** Looks at one group and carries out what it lacks. `bad` hears of each service that does not fare well. */
async function workAt(
  work: Work,
  arn: string,
  wishes: readonly GroupWish[],
  bad: (key: string, text: string) => void,
): Promise<GroupReport | undefined> {
  const { options, keeper } = work;
  const all = (text: string) => {
    for (const { service } of wishes) bad(service.key, text);
  };
  const type = await work.typeOf(arn);
  if (typeof type !== "string") {
    all(type.problem);
    return undefined;
  }
  const wanted = new Map<string, Target>();
  for (const wish of wishes) {
    const targets = await wantedOf(options, wish, type);
    if ("problem" in targets) bad(wish.service.key, targets.problem);
    // Nothing of the group may be taken away while one of its services can't be told.
    const known = "problem" in targets || wish.tasks === undefined ? keeper.own(arn) : targets;
    for (const { id, port } of known) wanted.set(`${id} ${port}`, { id, port });
  }
  const report = await keeper.look(arn, [...wanted.values()]);
  if (options.dryRun) return report;
  if (options.journal === undefined) {
    if (lacks(report)) {
      all(
        `the journal can't be kept, and without it no target is registered: ${options.journalProblem}`,
      );
    }
    return report;
  }
  const done = await keeper.carryOut(report);
  if (done.problem !== undefined) all(done.problem);
  tellOf(options, done);
  return done;
}

function tellOf({ tell }: TargetsPassOptions, { arn, plan, problem }: GroupReport): void {
  const about = groupName(arn);
  const say = (level: "info" | "warn", text: string) =>
    tell({ level, about, text: `target group ${about}: ${text}` });
  if (problem !== undefined) say("warn", problem);
  else {
    for (const { id, port } of plan.register) say("info", `+ target ${id}:${port}`);
    for (const { id, port } of plan.deregister) say("info", `- target ${id}:${port}, it drains`);
  }
}

/** The targets of a service; a problem where they can't be told, or all stays as it is. */
async function wantedOf(
  { instance, address }: TargetsPassOptions,
  { service, tasks }: GroupWish,
  type: "instance" | "ip",
): Promise<readonly Target[] | Trouble> {
  const { outlet } = service;
  const named = outlet.mode === "targets" ? outlet.containerPorts : [];
  const targets: Target[] = [];
  for (const { task, ports } of tasks ?? []) {
    const own = ownAddress(task);
    if (type === "instance" && own !== undefined) {
      return { problem: "its tasks have a network of their own: the group must be of type ip" };
    }
    const id = type === "instance" ? instance : (own ?? (await address()));
    if (id === undefined) {
      return { problem: "this host's address is not known: EC2's metadata does not answer" };
    }
    for (const container of named.length === 0 ? [undefined] : named) {
      const port = hostPortOf(ports, container);
      if (port !== undefined) targets.push({ id, port });
    }
  }
  return targets;
}

export const groupName = (arn: string): string => arn.split("/").at(-2) ?? arn;
