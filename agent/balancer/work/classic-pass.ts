import type { KeptJournal } from "../../../lib/elb/flow/journal.ts";
import { balancerLook, type SeenBalancer } from "../../../lib/elb/flow/look.ts";
import { type MoveOutcome, mover, outcomeText } from "../../../lib/elb/flow/mover.ts";
import type { Begun } from "../../../lib/elb/journal.ts";
import {
  type BalancerPlan,
  isEmptyPlan,
  planBalancer,
  planDiff,
  type Wish,
} from "../../../lib/elb/listener-plan.ts";
import type { LoadBalancer } from "../../../lib/elb/load-balancer.ts";
import type { ClassicApi } from "../../../lib/elb/ports.ts";
import { type Recovery, recover, type WantedPort } from "../../../lib/elb/recovery.ts";
import type { Clock, Random } from "../../../lib/kit/flow/clock.ts";
import type { Resting } from "./resting.ts";
import type { Standing, Tell } from "./standing.ts";

export interface ClassicPassOptions {
  readonly api: ClassicApi;
  /** Undefined where it can't be kept: then no listener is moved. */
  readonly journal: KeptJournal | undefined;
  readonly journalProblem: string | undefined;
  readonly instance: string;
  readonly region: string;
  readonly dryRun: boolean;
  readonly resting: Resting;
  readonly clock: Clock;
  readonly random: Random;
  readonly tell: Tell;
  readonly onMove: (outcome: MoveOutcome["kind"]) => void;
}

/** A wish, and the load balancer that it is about. */
export interface BalancerWish {
  readonly loadBalancer: string;
  readonly wish: Wish;
}

interface ClassicResult {
  readonly standings: ReadonlyMap<string, Standing>;
  /** What each load balancer lacked when it was looked at. */
  readonly plans: readonly BalancerPlan[];
  /** With --dryRun: how moves that were begun would be brought to their end, before the plans. */
  readonly recoveries: readonly PlannedRecovery[];
  /** Something was changed, or is not at its end: what was seen is old. */
  readonly again: boolean;
}

export interface PlannedRecovery {
  readonly begun: Begun;
  readonly recovery: Recovery;
}

/** The work at Classic Load Balancers, one pass at a time. */
export interface ClassicPass {
  /**
   * Looks at every load balancer of the wishes and of moves that were begun, brings these to their end, and carries out
   * what lacks. Throws `Unavailable` when the API does not answer.
   */
  run(
    wishes: readonly BalancerWish[],
    wantedPort: (begun: Begun) => WantedPort,
  ): Promise<ClassicResult>;
  /** As of the last look. */
  seen(): ReadonlyMap<string, SeenBalancer>;
}

const GONE_MS = 600_000;

export function classicPass(options: ClassicPassOptions): ClassicPass {
  const { api, journal, clock, random, dryRun } = options;
  const look = balancerLook({ api, clock });
  const moves =
    journal === undefined || dryRun ? undefined : mover({ send: api.send, journal, clock, random });
  const replay = moves && replays(options, moves, look);
  let seen: ReadonlyMap<string, SeenBalancer> = new Map();

  return {
    seen: () => seen,
    async run(wishes, wantedPort) {
      const begun = journal?.begun() ?? [];
      const names = new Set([...wishes, ...begun].map(({ loadBalancer }) => loadBalancer));
      const standings = new Map<string, Standing>();
      const plans: BalancerPlan[] = [];
      if (names.size === 0) return { standings, plans, recoveries: [], again: false };
      seen = await look(names);
      const recoveries = dryRun ? recoveriesOf(begun, seen, wantedPort) : [];
      seen = new Map([...seen].map(([name, one]) => [name, recovered(one, recoveries)]));
      // Moves that were begun come first, whatever else is wanted of their load balancers.
      if (replay !== undefined && begun.length > 0) seen = await replay(seen, names, wantedPort);
      let again = begun.length > 0 && !dryRun;
      for (const [name, about] of Map.groupBy(wishes, ({ loadBalancer }) => loadBalancer)) {
        const result = await workAt(
          { options, moves },
          { name, there: seen.get(name), wishes: about.map(({ wish }) => wish) },
        );
        for (const [key, standing] of result.standings) standings.set(key, standing);
        if (result.plan === undefined) continue;
        plans.push(result.plan);
        again ||= !isEmptyPlan(result.plan) && !dryRun;
      }
      return { standings, plans, recoveries, again };
    },
  };
}

/** What would be done for each move that was begun; nothing for those that only need to be struck out. */
const recoveriesOf = (
  begun: readonly Begun[],
  seen: ReadonlyMap<string, SeenBalancer>,
  wantedPort: (begun: Begun) => WantedPort,
): readonly PlannedRecovery[] =>
  begun.flatMap((one) => {
    const there = seen.get(one.loadBalancer);
    if (there?.kind !== "found") return [];
    const recovery = recover(one, there.balancer, wantedPort(one));
    return recovery.calls.length === 0 ? [] : [{ begun: one, recovery }];
  });

/** The load balancer as it would be with its missing listeners. */
function recovered(seen: SeenBalancer, recoveries: readonly PlannedRecovery[]): SeenBalancer {
  if (seen.kind !== "found") return seen;
  const { balancer } = seen;
  const back = recoveries.flatMap(({ begun: { loadBalancer, from }, recovery: { port } }) =>
    loadBalancer === balancer.name && port !== undefined
      ? [{ ...from, listener: { ...from.listener, instancePort: port } }]
      : [],
  );
  return { kind: "found", balancer: { ...balancer, listeners: [...balancer.listeners, ...back] } };
}

type Moves = ReturnType<typeof mover>;

/** Brings every move that was begun to its end, and looks again after each. */
function replays(
  { journal, clock, tell }: ClassicPassOptions,
  moves: Moves,
  look: ReturnType<typeof balancerLook>,
) {
  const missingSince = new Map<string, number>();
  /** A load balancer that is gone for so long was deleted, and no answer that got lost. */
  async function forget(one: Begun): Promise<void> {
    const { loadBalancer: name, service } = one;
    const since = missingSince.get(name) ?? clock.now();
    missingSince.set(name, since);
    if (clock.now() - since < GONE_MS) return;
    const text = `load balancer ${name} is gone, and with it the listener that was on its way`;
    tell({ level: "warn", about: service, text });
    await journal?.finish(one);
  }
  return async (
    first: ReadonlyMap<string, SeenBalancer>,
    names: ReadonlySet<string>,
    wantedPort: (begun: Begun) => WantedPort,
  ): Promise<ReadonlyMap<string, SeenBalancer>> => {
    let seen = first;
    for (const one of journal?.begun() ?? []) {
      const there = seen.get(one.loadBalancer);
      if (there?.kind === "missing") await forget(one);
      if (there?.kind !== "found") continue;
      missingSince.delete(one.loadBalancer);
      const { found, problem } = await moves.replay(one, there.balancer, wantedPort(one));
      tell({
        level: problem === undefined ? "info" : "warn",
        about: one.service,
        text: `a move was not at its end: ${found}${problem === undefined ? "" : `; ${problem}`}`,
      });
      seen = await look(names);
    }
    return seen;
  };
}

interface Work {
  readonly options: ClassicPassOptions;
  readonly moves: Moves | undefined;
}

/** The work at one load balancer: what it lacks, and how its services fare after that. */
async function workAt(
  work: Work,
  about: {
    readonly name: string;
    readonly there: SeenBalancer | undefined;
    readonly wishes: readonly Wish[];
  },
): Promise<{ readonly standings: ReadonlyMap<string, Standing>; readonly plan?: BalancerPlan }> {
  const { region, instance, dryRun } = work.options;
  const { name, there, wishes } = about;
  const all = (text: string) => ({
    standings: new Map(wishes.map(({ service }) => [service, { mark: "bad" as const, text }])),
  });
  if (there === undefined || there.kind === "missing") {
    return all(
      `there is no Classic Load Balancer ${name} in ${region}: create it, or put right loadBalancerName`,
    );
  }
  if (there.kind === "refused") return all(there.reason);
  const plan = planBalancer(there.balancer, wishes, instance);
  const standings = new Map<string, Standing>(
    plan.refusals.map(({ service, reason }) => [service, { mark: "bad", text: reason }]),
  );
  if (!dryRun && !isEmptyPlan(plan)) await carryOut(work, plan, there.balancer, standings);
  return { standings, plan };
}

async function carryOut(
  { options, moves }: Work,
  plan: BalancerPlan,
  balancer: LoadBalancer,
  standings: Map<string, Standing>,
): Promise<void> {
  const { instance, journalProblem, resting, tell, onMove } = options;
  const { loadBalancer: name } = plan;
  if (moves === undefined) {
    const text = `the journal can't be kept, and without it no listener is moved: ${journalProblem}`;
    for (const { service } of plan.moves) standings.set(service, { mark: "bad", text });
    return;
  }
  const outcome = await moves.carryOut(plan, balancer, instance);
  for (const { move, outcome: result } of outcome.moves) {
    const text = outcomeText(move, result);
    const isGood = result.kind === "moved";
    onMove(result.kind);
    tell({
      level: isGood ? "info" : "warn",
      about: move.service,
      text: `load balancer ${name}: ${text}`,
    });
    if (isGood) resting.succeed(move.service);
    else {
      standings.set(move.service, { mark: "bad", text });
      if (result.kind !== "open") resting.refuse(move.service, text);
    }
  }
  for (const text of outcome.problems) tell({ level: "warn", about: name, text });
  if (outcome.problems.length > 0 || standings.size > 0) return;
  for (const line of planDiff({ ...plan, moves: [] }, instance)) {
    if (line.startsWith("+") || plan.presence === "deregister") {
      tell({ level: "info", about: name, text: `load balancer ${name}: ${line}` });
    }
  }
}
