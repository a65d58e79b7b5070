import { causes, Unavailable } from "../../kit/failure.ts";
import type { Clock, Random } from "../../kit/flow/clock.ts";
import { outageTimer } from "../../kit/flow/outage-timer.ts";
import { type Call, type CallOutcome, callText, PASSING } from "../calls.ts";
import { type Begun, keyOfBegun } from "../journal.ts";
import { type BalancerPlan, callsOfMove, type Move } from "../listener-plan.ts";
import { backEndOf, type LoadBalancer, listenerText } from "../load-balancer.ts";
import { recover, type WantedPort } from "../recovery.ts";
import type { KeptJournal } from "./journal.ts";

/** What became of a move. */
export type MoveOutcome =
  | { readonly kind: "moved" }
  /** Nothing was changed. */
  | { readonly kind: "untouched"; readonly reason: string }
  /** It was deleted, and is back as it was. */
  | { readonly kind: "restored"; readonly reason: string }
  /** It is not at its end: the journal holds it, and the next cycle goes on. */
  | { readonly kind: "open"; readonly reason: string };

export interface PlanOutcome {
  readonly moves: readonly { readonly move: Move; readonly outcome: MoveOutcome }[];
  /** Calls that were refused or not answered, beside those of moves; the next cycle plans them anew. */
  readonly problems: readonly string[];
}

export interface MoverOptions {
  readonly send: (call: Call) => Promise<CallOutcome>;
  readonly journal: Pick<KeptJournal, "begin" | "finish" | "begun">;
  readonly clock: Clock;
  readonly random: Random;
  /** How long a call between delete and create is repeated when it gets no answer, or one that passes. */
  readonly limitMs?: number;
}

type Insisted = CallOutcome | { readonly kind: "unanswered"; readonly message: string };

const LIMIT_MS = 20_000;

/**
 * Carries plans out. Promises:
 * - a listener is deleted only after its journal entry is on the disk, and after the calls that would bring it back were
 *   proven to be allowed and complete: Create with the listener's own settings is taken as a repetition (API reference,
 *   CreateLoadBalancerListeners), and so are its own policies;
 * - from the delete on nothing stops the move but the end of the process, and then the journal has it;
 * - the entry is struck out only when the listener leads where it shall, with all its policies.
 */
export function mover(options: MoverOptions) {
  const context: Context = { limitMs: LIMIT_MS, ...options };
  return {
    carryOut: (plan: BalancerPlan, balancer: LoadBalancer, instance: string) =>
      carryOut(context, plan, balancer, instance),
    replay: (begun: Begun, balancer: LoadBalancer, wanted: WantedPort) =>
      replay(context, begun, balancer, wanted),
  };
}

type Context = Required<MoverOptions>;

async function insist({ send, clock, random, limitMs }: Context, call: Call): Promise<Insisted> {
  const tries = outageTimer<"call">({ clock, random, limitMs });
  let unanswered = false;
  for (;;) {
    const outcome = await send(call).catch((error: unknown): Insisted => {
      if (!(error instanceof Unavailable)) throw error;
      unanswered ||= error.mayHaveLanded;
      return { kind: "unanswered", message: causes(error) };
    });
    if (outcome.kind === "done") return outcome;
    if (outcome.kind === "refused" && !PASSING.includes(outcome.code)) {
      const { code, message } = outcome;
      // An earlier try may have landed: what the load balancer is like can't be told from this.
      return unanswered ? { kind: "unanswered", message: `then ${code}, ${message}` } : outcome;
    }
    const delayMs = tries.miss("call");
    if (delayMs === undefined) return outcome;
    await clock.sleep(delayMs);
  }
}

const sendOnce = ({ send }: Context, call: Call): Promise<Insisted> =>
  send(call).catch((error: unknown): Insisted => {
    if (!(error instanceof Unavailable)) throw error;
    return { kind: "unanswered", message: causes(error) };
  });

/** The first call that is not done ends it. */
async function insistOnAll(
  context: Context,
  calls: readonly Call[],
): Promise<{ readonly kind: "done" } | Failed> {
  for (const call of calls) {
    const outcome = await insist(context, call);
    if (outcome.kind !== "done") return { kind: "failed", call, outcome };
  }
  return { kind: "done" };
}

/** The same; back-end policies that are refused before the listener is there are set after it. */
async function insistWithLate(
  context: Context,
  calls: readonly Call[],
): Promise<{ readonly kind: "done" } | Failed> {
  const at = calls.findIndex(({ operation }) => operation === "CreateLoadBalancerListeners");
  if (at === -1) return insistOnAll(context, calls);
  const early = await insistOnAll(context, calls.slice(0, at));
  if (early.kind === "failed" && !isTooEarly(early)) return early;
  const create = await insistOnAll(context, [calls[at] as Call]);
  if (create.kind === "failed") return create;
  const late = early.kind === "failed" ? calls.slice(0, at) : [];
  return insistOnAll(context, [...late, ...calls.slice(at + 1)]);
}

/** A journal that can't be written keeps the entry in mind, too: the next cycle finds the listener right, and strikes it out. */
const strike = ({ journal }: Context, one: Begun): Promise<void> =>
  journal.finish(one).catch(() => {});

async function move(
  context: Context,
  one: Move,
  others: ReadonlySet<number>,
): Promise<MoveOutcome> {
  const { proof, before, remove, create, after } = callsOfMove(one);
  const begun = begunOf(one);
  // Its entry knows the policies that the listener lacks by now.
  if (context.journal.begun().some((other) => keyOfBegun(other) === keyOfBegun(begun))) {
    return { kind: "open", reason: "an earlier move of it is not at its end" };
  }
  for (const call of proof) {
    const outcome = await sendOnce(context, call);
    if (outcome.kind !== "done") {
      return { kind: "untouched", reason: failedText({ kind: "failed", call, outcome }) };
    }
  }
  try {
    await context.journal.begin(begun);
  } catch (error) {
    return { kind: "untouched", reason: `the journal can't be written: ${causes(error)}` };
  }
  /** The new port's back-end policies as they were; another listener that is there needs them as they are. */
  const undo = others.has(one.toPort) ? [] : before.map((call) => withoutPolicies(call, one));
  const prepared = await insistOnAll(context, before);
  const late = prepared.kind === "failed" && isTooEarly(prepared) ? before : [];
  if (prepared.kind === "failed" && late.length === 0) {
    if (prepared.outcome.kind === "refused") await strike(context, begun);
    return { kind: "untouched", reason: failedText(prepared) };
  }
  const removed = await insistOnAll(context, [remove]);
  if (removed.kind === "failed") {
    if (removed.outcome.kind === "unanswered") return { kind: "open", reason: failedText(removed) };
    if ((await insistOnAll(context, undo)).kind === "done") await strike(context, begun);
    return { kind: "untouched", reason: failedText(removed) };
  }
  const created = await insistOnAll(context, [create]);
  if (created.kind === "failed") {
    if (created.outcome.kind === "unanswered") return { kind: "open", reason: failedText(created) };
    const back = await insistOnAll(context, [proof[0] as Call, ...after, ...undo]);
    if (back.kind === "failed") {
      return { kind: "open", reason: `${failedText(created)}; then ${failedText(back)}` };
    }
    await strike(context, begun);
    return { kind: "restored", reason: failedText(created) };
  }
  const set = await insistOnAll(context, [...late, ...after]);
  return set.kind === "done" ? { kind: "moved" } : { kind: "open", reason: failedText(set) };
}

async function carryOut(
  context: Context,
  plan: BalancerPlan,
  balancer: LoadBalancer,
  instance: string,
): Promise<PlanOutcome> {
  const problems: string[] = [];
  const moves: { move: Move; outcome: MoveOutcome }[] = [];
  const leads = new Map(
    balancer.listeners.map(({ listener }) => [listener.lbPort, listener.instancePort]),
  );
  const stuck = new Set<string>();
  for (const one of plan.moves) {
    // What was refused for one listener of a service would be refused for the next.
    if (stuck.has(one.service)) continue;
    const { lbPort } = one.from.listener;
    const others = new Set([...leads].flatMap(([at, port]) => (at === lbPort ? [] : port)));
    const outcome = await move(context, one, others);
    moves.push({ move: one, outcome });
    if (outcome.kind === "moved") leads.set(lbPort, one.toPort);
    else stuck.add(one.service);
  }
  const moved = moves.filter(({ outcome }) => outcome.kind === "moved");
  const whole = stuck.size === 0;
  const attempt = async (call: Call): Promise<boolean> => {
    const result = await insistOnAll(context, [call]);
    if (result.kind === "failed") problems.push(failedText(result));
    return result.kind === "done";
  };
  // A check that asks a port which the listener did not move to would take the host out.
  if (plan.healthCheck !== undefined && whole) {
    await attempt({
      operation: "ConfigureHealthCheck",
      loadBalancer: plan.loadBalancer,
      healthCheck: plan.healthCheck.to,
    });
  }
  const uncleared = new Set<number>();
  for (const instancePort of plan.cleared) {
    if ([...leads.values()].includes(instancePort)) continue;
    const cleared = await attempt({
      operation: "SetLoadBalancerPoliciesForBackendServer",
      loadBalancer: plan.loadBalancer,
      instancePort,
      policies: [],
    });
    if (!cleared) uncleared.add(instancePort);
  }
  for (const { move: one } of moved) {
    if (!uncleared.has(one.from.listener.instancePort)) await strike(context, begunOf(one));
  }
  if (plan.presence !== undefined && whole) {
    await attempt({
      operation:
        plan.presence === "register"
          ? "RegisterInstancesWithLoadBalancer"
          : "DeregisterInstancesFromLoadBalancer",
      loadBalancer: plan.loadBalancer,
      instance,
    });
  }
  return { moves, problems };
}

/**
 * Brings a move that was begun to its end, from what the load balancer is like now. Comes back with what was found,
 * and what is still in the way.
 */
async function replay(
  context: Context,
  begun: Begun,
  balancer: LoadBalancer,
  wanted: WantedPort,
): Promise<{ readonly found: string; readonly problem?: string }> {
  let at = begun;
  const attempt = async (port: WantedPort) => {
    const recovery = recover(at, balancer, port);
    const { port: made, calls } = recovery;
    if (made !== undefined && !at.to.some((one) => one.port === made)) {
      at = { ...at, to: [...at.to, { port: made, backEnd: backEndOf(balancer, made) }] };
      // The listener comes first, even where the journal can't be written any more.
      await context.journal.begin(at).catch(() => {});
    }
    return { recovery, outcome: await insistWithLate(context, calls) };
  };
  let { recovery, outcome } = await attempt(wanted);
  let { found } = recovery;
  if (
    outcome.kind === "failed" &&
    outcome.outcome.kind === "refused" &&
    outcome.call.operation === "CreateLoadBalancerListeners"
  ) {
    // Refused for good where it was to lead: then as it was.
    const { code } = outcome.outcome;
    ({ recovery, outcome } = await attempt("gone"));
    found = `${found}; that was refused (${code}), so: ${recovery.found}`;
  }
  if (outcome.kind === "failed") return { found, problem: failedText(outcome) };
  await strike(context, begun);
  return { found };
}

interface Failed {
  readonly kind: "failed";
  readonly call: Call;
  readonly outcome: Exclude<Insisted, { readonly kind: "done" }>;
}

const begunOf = ({ loadBalancer, service, from, toPort, backEnd, backEndThere }: Move): Begun => ({
  loadBalancer,
  service,
  from,
  to: [{ port: toPort, backEnd: backEndThere }],
  backEnd,
});

const withoutPolicies = (call: Call, { backEndThere }: Move): Call =>
  call.operation === "SetLoadBalancerPoliciesForBackendServer"
    ? { ...call, policies: backEndThere }
    : call;

const failedText = ({ call, outcome }: Failed): string =>
  outcome.kind === "refused"
    ? refusalText(call, outcome)
    : `${callText(call)}: no answer (${outcome.message})`;

function refusalText(
  call: Call,
  { code, message }: { readonly code: string; readonly message: string },
): string {
  return isDenied(code)
    ? `AWS denied elasticloadbalancing:${call.operation} on load balancer ${call.loadBalancer}: ` +
        "allow it in the role of this process (deploy/balancer/iam.json)"
    : `${callText(call)} was refused: ${code}, ${message}`;
}

const isDenied = (code: string): boolean => /^AccessDenied|^UnauthorizedOperation/.test(code);

/** Whether AWS takes back-end policies for an instance port that no listener leads to yet is not documented. */
const isTooEarly = ({ call, outcome }: Failed): boolean =>
  call.operation === "SetLoadBalancerPoliciesForBackendServer" &&
  outcome.kind === "refused" &&
  !isDenied(outcome.code);

/** The outcome as a clause about the service. */
export function outcomeText({ from, toPort }: Move, outcome: MoveOutcome): string {
  const name = `listener ${listenerText(from.listener)}`;
  switch (outcome.kind) {
    case "moved":
      return `${name} now leads to ${toPort}`;
    case "untouched":
      return `${name} is left as it is: ${outcome.reason}`;
    case "restored":
      return `${name} is back as it was: ${outcome.reason}`;
    case "open":
      return `${name} is not at its end, and goes on with the next cycle: ${outcome.reason}`;
  }
}
