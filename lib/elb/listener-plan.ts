import type { Call } from "./calls.ts";
import { checkText } from "./calls.ts";
import { sameCheck, wishedCheck } from "./health-check.ts";
import {
  backEndOf,
  type HealthCheck,
  type ListenerState,
  type LoadBalancer,
  listenerOn,
  listenerText,
  samePolicies,
} from "./load-balancer.ts";
import type { HealthCheckWish } from "./service.ts";

/** What one service asks of its load balancer. */
export interface Wish {
  readonly service: string;
  readonly mode: "rewrite" | "forward";
  /** The instance port that listeners shall lead to: one for every listener, or one for each that is named. */
  readonly ports:
    | { readonly kind: "every"; readonly instancePort: number }
    | { readonly kind: "each"; readonly byLbPort: ReadonlyMap<number, number> }
    /** There is no task: listeners stay as they are. */
    | { readonly kind: "none" };
  readonly healthCheck: HealthCheckWish | undefined;
  /** Whether this host shall be registered; `leave` where that can't be said. */
  readonly presence: "in" | "out" | "leave";
}

/** A listener is deleted and made anew with another instance port: what is known before the delete. */
export interface Move {
  readonly service: string;
  readonly loadBalancer: string;
  readonly from: ListenerState;
  readonly toPort: number;
  /** Policies of the old instance port, which the new one must have, too. */
  readonly backEnd: readonly string[];
  /** Those that the new port has now. */
  readonly backEndThere: readonly string[];
}

interface Refusal {
  readonly service: string;
  readonly reason: string;
}

/** In the order in which it is carried out: moves, health check, old instance ports, this host. */
export interface BalancerPlan {
  readonly loadBalancer: string;
  readonly moves: readonly Move[];
  readonly healthCheck: { readonly from: HealthCheck; readonly to: HealthCheck } | undefined;
  /** Instance ports that no listener leads to any more. */
  readonly cleared: readonly number[];
  readonly presence: "register" | "deregister" | undefined;
  /** Services that are left as they are, and why. */
  readonly refusals: readonly Refusal[];
}

export const isEmptyPlan = (plan: BalancerPlan): boolean =>
  plan.moves.length === 0 && plan.healthCheck === undefined && plan.presence === undefined;

/**
 * What must change on one load balancer for all services of it, in the file's order. A listener's instance port can't be
 * changed in place, and two listeners on one port can't be (API reference, CreateLoadBalancerListeners), so it moves.
 *
 * | the listener leads to | wanted  | then                         |
 * |-----------------------|---------|------------------------------|
 * | 32768                 | 32768   | nothing                      |
 * | 32768                 | 32769   | it moves                     |
 * | 32768                 | nothing | nothing: there is no task    |
 * | no such listener      | 32769   | the service is refused       |
 *
 * | a service wants this host | another wants it | registered | then       |
 * |---------------------------|------------------|------------|------------|
 * | in                        | any              | no         | register   |
 * | out                       | in or leave      | yes        | nothing    |
 * | out                       | out              | yes        | deregister |
 */
export function planBalancer(
  balancer: LoadBalancer,
  wishes: readonly Wish[],
  instance: string,
): BalancerPlan {
  const { accepted, refusals, wanted } = judge(balancer, wishes, instance);
  const moves = balancer.listeners.flatMap((state): readonly Move[] => {
    const want = wanted.get(state.listener.lbPort);
    if (want === undefined || want.port === state.listener.instancePort) return [];
    return [
      {
        service: want.service,
        loadBalancer: balancer.name,
        from: state,
        toPort: want.port,
        backEnd: backEndOf(balancer, state.listener.instancePort),
        backEndThere: backEndOf(balancer, want.port),
      },
    ];
  });
  const registered = balancer.instances.has(instance);
  const all = (presence: Wish["presence"]) =>
    accepted.length > 0 &&
    refusals.length === 0 &&
    accepted.every((wish) => wish.presence === presence);
  const presence = accepted.some((wish) => wish.presence === "in")
    ? registered
      ? undefined
      : "register"
    : registered && all("out")
      ? "deregister"
      : undefined;
  return {
    loadBalancer: balancer.name,
    moves,
    healthCheck: checkChange(balancer, accepted, wanted),
    cleared: portsLeft(balancer, moves),
    presence,
    refusals,
  };
}

interface Want {
  readonly service: string;
  readonly port: number;
}

/** Which services are served, and which instance port each listener shall lead to. */
function judge(balancer: LoadBalancer, wishes: readonly Wish[], instance: string) {
  const refusals: Refusal[] = [];
  const accepted: Wish[] = [];
  const wanted = new Map<number, Want>();
  const others = [...balancer.instances].filter((one) => one !== instance);
  const named = new Set(
    wishes.flatMap(({ ports }) => (ports.kind === "each" ? [...ports.byLbPort.keys()] : [])),
  );
  let everyBy: string | undefined;
  const refuse = ({ service }: Wish, reason: string) => void refusals.push({ service, reason });

  for (const wish of wishes) {
    const { ports, service, mode } = wish;
    if (mode === "rewrite" && ports.kind !== "none" && others.length > 0) {
      refuse(
        wish,
        `load balancer ${balancer.name} also has ${someOf(others)}, and one health check and one instance port ` +
          'for all of them, so it can\'t follow a random port of this host: use mode "forward", or deregister them',
      );
      continue;
    }
    if (ports.kind === "every" && everyBy !== undefined) {
      refuse(
        wish,
        `service ${everyBy} already has every listener of load balancer ${balancer.name}: give both \`ports\``,
      );
      continue;
    }
    const pairs: readonly (readonly [number, number])[] =
      ports.kind === "none"
        ? []
        : ports.kind === "each"
          ? [...ports.byLbPort]
          : balancer.listeners
              .map(({ listener }) => listener.lbPort)
              .filter((lbPort) => !named.has(lbPort))
              .map((lbPort) => [lbPort, ports.instancePort] as const);
    const reason = listenerProblem(balancer, pairs, wanted);
    if (reason !== undefined) {
      refuse(wish, reason);
      continue;
    }
    if (ports.kind === "every") everyBy = service;
    for (const [lbPort, port] of pairs) wanted.set(lbPort, { service, port });
    accepted.push(wish);
  }
  return { accepted, refusals, wanted };
}

function listenerProblem(
  balancer: LoadBalancer,
  pairs: readonly (readonly [number, number])[],
  wanted: ReadonlyMap<number, Want>,
): string | undefined {
  for (const [lbPort] of pairs) {
    if (listenerOn(balancer, lbPort) === undefined) {
      return `load balancer ${balancer.name} has no listener on port ${lbPort}: create it once, then it is followed`;
    }
    const other = wanted.get(lbPort);
    if (other !== undefined) {
      return `listener ${lbPort} of load balancer ${balancer.name} already follows service ${other.service}`;
    }
  }
  return undefined;
}

/** The first two, and how many more. */
const someOf = (all: readonly string[]): string =>
  all.length <= 2
    ? `${all.length === 1 ? "instance" : "instances"} ${all.join(" and ")}`
    : `instances ${all.slice(0, 2).join(", ")} and ${all.length - 2} more`;

/**
 * The check follows the listener that it belonged to; one that belongs to none goes to the first listener that a service
 * of this process has. The first service in the file that says how it shall be has its way.
 */
function checkChange(
  balancer: LoadBalancer,
  accepted: readonly Wish[],
  wanted: ReadonlyMap<number, Want>,
): BalancerPlan["healthCheck"] {
  const { healthCheck: from } = balancer;
  if (from === undefined || wanted.size === 0) return undefined;
  const to = wishedCheck(from, {
    listeners: balancer.listeners.map(({ listener }) => ({
      instancePort: listener.instancePort,
      wanted: wanted.get(listener.lbPort)?.port,
    })),
    wish: accepted.find((wish) => wish.healthCheck !== undefined)?.healthCheck,
  });
  return to === undefined || sameCheck(from, to) ? undefined : { from, to };
}

/** Old instance ports with policies, when all moves are done and no listener leads there. */
function portsLeft(balancer: LoadBalancer, moves: readonly Move[]): readonly number[] {
  const moved = new Map(moves.map((move) => [move.from.listener.lbPort, move.toPort]));
  const used = new Set(
    balancer.listeners.map(({ listener }) => moved.get(listener.lbPort) ?? listener.instancePort),
  );
  const old = new Set(moves.map(({ from }) => from.listener.instancePort));
  return [...old].filter((port) => !used.has(port) && backEndOf(balancer, port).length > 0);
}

/** The calls of a move, in their order; between the second and the last lies the moment without a listener. */
export function callsOfMove(move: Move): {
  /** They change nothing, and prove that what follows the delete is allowed and complete. */
  readonly proof: readonly Call[];
  readonly before: readonly Call[];
  readonly remove: Call;
  readonly create: Call;
  readonly after: readonly Call[];
} {
  const { loadBalancer, from, toPort, backEnd, backEndThere } = move;
  const { listener, policies } = from;
  const create = (instancePort: number): Call => ({
    operation: "CreateLoadBalancerListeners",
    loadBalancer,
    listener: { ...listener, instancePort },
  });
  const set: readonly Call[] =
    policies.length === 0
      ? []
      : [
          {
            operation: "SetLoadBalancerPoliciesOfListener",
            loadBalancer,
            lbPort: listener.lbPort,
            policies,
          },
        ];
  return {
    proof: [create(listener.instancePort), ...set],
    before: samePolicies(backEnd, backEndThere)
      ? []
      : [
          {
            operation: "SetLoadBalancerPoliciesForBackendServer",
            loadBalancer,
            instancePort: toPort,
            policies: backEnd,
          },
        ],
    remove: {
      operation: "DeleteLoadBalancerListeners",
      loadBalancer,
      lbPort: listener.lbPort,
    },
    create: create(toPort),
    after: set,
  };
}

/** Every call of the plan, in the order in which it would be sent. */
export function callsOfPlan(plan: BalancerPlan, instance: string): readonly Call[] {
  const { loadBalancer } = plan;
  return [
    ...plan.moves.flatMap((move) => {
      const { proof, before, remove, create, after } = callsOfMove(move);
      return [...proof, ...before, remove, create, ...after];
    }),
    ...(plan.healthCheck === undefined
      ? []
      : [
          {
            operation: "ConfigureHealthCheck" as const,
            loadBalancer,
            healthCheck: plan.healthCheck.to,
          },
        ]),
    ...plan.cleared.map(
      (instancePort): Call => ({
        operation: "SetLoadBalancerPoliciesForBackendServer",
        loadBalancer,
        instancePort,
        policies: [],
      }),
    ),
    ...(plan.presence === undefined
      ? []
      : [
          {
            operation:
              plan.presence === "register"
                ? ("RegisterInstancesWithLoadBalancer" as const)
                : ("DeregisterInstancesFromLoadBalancer" as const),
            loadBalancer,
            instance,
          },
        ]),
  ];
}

/** The plan as the lines of a difference: `-` is there now, `+` will be. */
export function planDiff(plan: BalancerPlan, instance: string): readonly string[] {
  const policies = ({ policies }: ListenerState) =>
    policies.length === 0 ? "" : `, policies ${policies.join(", ")} kept`;
  return [
    ...plan.moves.flatMap(({ service, from, toPort, backEnd }) => [
      `- listener ${listenerText(from.listener)}`,
      `+ listener ${listenerText({ ...from.listener, instancePort: toPort })} (${service}${policies(from)}` +
        `${backEnd.length === 0 ? "" : `, back-end policies ${backEnd.join(", ")} kept`})`,
    ]),
    ...(plan.healthCheck === undefined
      ? []
      : [
          `- health check ${checkText(plan.healthCheck.from)}`,
          `+ health check ${checkText(plan.healthCheck.to)}`,
        ]),
    ...plan.cleared.map((port) => `- back-end policies of instance port ${port}`),
    ...(plan.presence === undefined
      ? []
      : [`${plan.presence === "register" ? "+" : "-"} instance ${instance}`]),
  ];
}
