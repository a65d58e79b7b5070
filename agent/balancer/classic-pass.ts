import type { KeptJournal } from "../../lib/elb/flow/journal.ts";
import { balancerLook, type SeenBalancer } from "../../lib/elb/flow/look.ts";
import {
  type MoveOutcome,
  mover,
  outcomeText,
  type PlanOutcome,
} from "../../lib/elb/flow/mover.ts";
import type { Begun } from "../../lib/elb/journal.ts";
import {
  type BalancerPlan,
  isEmptyPlan,
  planBalancer,
  planDiff,
  type Wish,
} from "../../lib/elb/listener-plan.ts";
import type { LoadBalancer } from "../../lib/elb/load-balancer.ts";
import type { ClassicApi } from "../../lib/elb/ports.ts";
import type { WantedPort } from "../../lib/elb/recovery.ts";
import type { Clock, Random } from "../../lib/kit/flow/clock.ts";
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

export interface ClassicResult {
  readonly standings: ReadonlyMap<string, Standing>;
  /** What each load balancer lacked when it was looked at. */
  readonly plans: readonly BalancerPlan[];
  /** Something was changed, or is not at its end: what was seen is old. */
  readonly again: boolean;
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
  const { api, journal, journalProblem, instance, region, dryRun, clock, random, tell } = options;
  const look = balancerLook({ api, clock });
  const moves =
    journal === undefined ? undefined : mover({ send: api.send, journal, clock, random });
  let seen: ReadonlyMap<string, SeenBalancer> = new Map();

  const missingSince = new Map<string, number>();
  /** A load balancer that is gone for so long was deleted, and no answer that got lost. */
  async function forget(one: Begun): Promise<void> {
    const { loadBalancer: name, service } = one;
    const since = missingSince.get(name) ?? clock.now();
    missingSince.set(name, since);
    if (clock.now() - since < GONE_MS) return;
    tell({
      level: "warn",
      about: service,
      text: `load balancer ${name} is gone, and with it the listener that was on its way`,
    });
    await journal?.finish(one);
  }

  /** Moves that were begun come first, whatever else is wanted of their load balancers. */
  async function replay(
    names: ReadonlySet<string>,
    wantedPort: (begun: Begun) => WantedPort,
  ): Promise<boolean> {
    const begun = journal?.begun() ?? [];
    for (const one of begun) {
      const { loadBalancer: name } = one;
      const there = seen.get(name);
      if (there?.kind === "missing") await forget(one);
      if (there?.kind === "found") missingSince.delete(name);
      if (there?.kind !== "found" || moves === undefined) continue;
      const { found, problem } = await moves.replay(one, there.balancer, wantedPort(one));
      tell({
        level: problem === undefined ? "info" : "warn",
        about: one.service,
        text: `a move was not at its end: ${found}${problem === undefined ? "" : `; ${problem}`}`,
      });
      seen = await look(names);
    }
    return begun.length > 0;
  }

  async function carryOut(
    plan: BalancerPlan,
    balancer: LoadBalancer,
  ): Promise<ReadonlyMap<string, Standing>> {
    const standings = new Map<string, Standing>();
    if (moves === undefined) {
      const text = `the journal can't be kept, and without it no listener is moved: ${journalProblem}`;
      for (const { service } of plan.moves) standings.set(service, { mark: "bad", text });
      return standings;
    }
    const outcome = await moves.carryOut(plan, balancer, instance);
    report(outcome, plan, standings);
    return standings;
  }

  function report(
    outcome: PlanOutcome,
    plan: BalancerPlan,
    standings: Map<string, Standing>,
  ): void {
    for (const { move, outcome: result } of outcome.moves) {
      const text = outcomeText(move, result);
      const isGood = result.kind === "moved";
      options.onMove(result.kind);
      tell({
        level: isGood ? "info" : "warn",
        about: move.service,
        text: `load balancer ${plan.loadBalancer}: ${text}`,
      });
      if (isGood) options.resting.succeed(move.service);
      else {
        standings.set(move.service, { mark: "bad", text });
        if (result.kind !== "open") options.resting.refuse(move.service, text);
      }
    }
    for (const text of outcome.problems) tell({ level: "warn", about: plan.loadBalancer, text });
    const whole = outcome.problems.length === 0 && standings.size === 0;
    for (const line of whole ? planDiff({ ...plan, moves: [] }, instance) : []) {
      if (line.startsWith("+") || plan.presence === "deregister") {
        tell({
          level: "info",
          about: plan.loadBalancer,
          text: `load balancer ${plan.loadBalancer}: ${line}`,
        });
      }
    }
  }

  async function one(name: string, wishes: readonly Wish[]) {
    const there = seen.get(name);
    const standings = new Map<string, Standing>();
    const all = (text: string) => {
      for (const { service } of wishes) standings.set(service, { mark: "bad", text });
    };
    if (there === undefined || there.kind === "missing") {
      all(
        `there is no Classic Load Balancer ${name} in ${region}: create it, or put right loadBalancerName`,
      );
      return { standings };
    }
    if (there.kind === "refused") {
      all(there.reason);
      return { standings };
    }
    const plan = planBalancer(there.balancer, wishes, instance);
    for (const { service, reason } of plan.refusals) {
      standings.set(service, { mark: "bad", text: reason });
    }
    if (!dryRun && !isEmptyPlan(plan)) {
      for (const [key, standing] of await carryOut(plan, there.balancer))
        standings.set(key, standing);
    }
    return { standings, plan };
  }

  return {
    seen: () => seen,
    async run(wishes, wantedPort) {
      const names = new Set([
        ...wishes.map(({ loadBalancer }) => loadBalancer),
        ...(journal?.begun() ?? []).map(({ loadBalancer }) => loadBalancer),
      ]);
      if (names.size === 0) return { standings: new Map(), plans: [], again: false };
      seen = await look(names);
      let again = dryRun ? false : await replay(names, wantedPort);
      const standings = new Map<string, Standing>();
      const plans: BalancerPlan[] = [];
      for (const [name, about] of Map.groupBy(wishes, ({ loadBalancer }) => loadBalancer)) {
        const result = await one(
          name,
          about.map(({ wish }) => wish),
        );
        for (const [key, standing] of result.standings) standings.set(key, standing);
        if (result.plan === undefined) continue;
        plans.push(result.plan);
        again ||= !isEmptyPlan(result.plan) && !dryRun;
      }
      return { standings, plans, again };
    },
  };
}
