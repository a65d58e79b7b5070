import type { Call } from "./calls.ts";
import type { Begun } from "./journal.ts";
import {
  backEndOf,
  isTls,
  type LoadBalancer,
  listenerOn,
  samePolicies,
  sameSettings,
} from "./load-balancer.ts";

export interface Recovery {
  /** In their order; when all of them are done, the move is over. */
  readonly calls: readonly Call[];
  /** What is found and done, as a sentence. */
  readonly found: string;
  /** The instance port that the listener is made anew at; undefined where it is there. */
  readonly port?: number;
}

/** Where the listener shall lead if it has to be made anew; `gone` where it is known that there is no task. */
export type WantedPort = number | "unknown" | "gone";

/**
 * How a move that was begun is brought to its end, whoever was killed in it, from what the load balancer is like now.
 *
 * | the listener                       | then                                                                  |
 * |------------------------------------|-----------------------------------------------------------------------|
 * | is not there                       | made anew: at the port of today's task; of the one it was to move to, |
 * |                                    | while no look at the tasks has succeeded; without a task, at the old  |
 * | is there, at a port of the move's   | keeps its place; policies that it lacks are set                       |
 * | is there, with other settings      | is somebody else's work: left as it is                                |
 *
 * In each case back-end policies that the move put on an instance port that no listener uses are taken off again.
 */
export function recover(begun: Begun, balancer: LoadBalancer, wanted: WantedPort): Recovery {
  const { loadBalancer, from, to } = begun;
  const { listener } = from;
  const name = `listener ${listener.lbPort} of load balancer ${loadBalancer}`;
  const there = listenerOn(balancer, listener.lbPort);
  if (there === undefined) {
    const port = typeof wanted === "number" ? wanted : portWithout(begun, wanted);
    return {
      found: `${name} is missing: it is made anew, to instance port ${port}`,
      port,
      calls: [
        ...backEndCalls(begun, balancer, port),
        {
          operation: "CreateLoadBalancerListeners",
          loadBalancer,
          listener: { ...listener, instancePort: port },
        },
        ...policyCalls(begun, isTls(listener) ? undefined : []),
        ...clearing(begun, balancer, port),
      ],
    };
  }
  const { instancePort } = there.listener;
  const known = [listener.instancePort, ...to.map(({ port }) => port)];
  if (!sameSettings(there.listener, listener) || !known.includes(instancePort)) {
    return {
      found: `${name} was made anew by somebody else: it stays as it is`,
      calls: clearing(begun, balancer, instancePort),
    };
  }
  const lacks = lacksPolicies(there.policies, from.policies, isTls(listener));
  return {
    found: `${name} is there, at instance port ${instancePort}${lacks ? ", without its policies" : ""}`,
    calls: [
      ...backEndCalls(begun, balancer, instancePort),
      ...(lacks ? policyCalls(begun, there.policies) : []),
      ...clearing(begun, balancer, instancePort),
    ],
  };
}

const portWithout = ({ from, to }: Begun, wanted: "unknown" | "gone"): number =>
  (wanted === "unknown" ? to.at(-1)?.port : undefined) ?? from.listener.instancePort;

/** True when nothing but a creation without policies can have left it so: all that is there belongs to the old set. */
function lacksPolicies(there: readonly string[], before: readonly string[], tls: boolean): boolean {
  if (samePolicies(there, before)) return false;
  // A TLS listener is created with a default policy.
  return tls ? there.length <= 1 : there.every((one) => before.includes(one));
}

/** The policies as they were; none when the new listener has them anyway. */
const policyCalls = (
  { loadBalancer, from }: Begun,
  there: readonly string[] | undefined,
): readonly Call[] =>
  there !== undefined && samePolicies(there, from.policies)
    ? []
    : [
        {
          operation: "SetLoadBalancerPoliciesOfListener",
          loadBalancer,
          lbPort: from.listener.lbPort,
          policies: from.policies,
        },
      ];

/** The instance port that the listener leads to must have the back-end policies of the one it led to before. */
const backEndCalls = (
  { loadBalancer, backEnd }: Begun,
  balancer: LoadBalancer,
  port: number,
): readonly Call[] =>
  samePolicies(backEndOf(balancer, port), backEnd)
    ? []
    : [
        {
          operation: "SetLoadBalancerPoliciesForBackendServer",
          loadBalancer,
          instancePort: port,
          policies: backEnd,
        },
      ];

/** What the move has put, or left, on instance ports that no listener leads to. */
function clearing(begun: Begun, balancer: LoadBalancer, kept: number): readonly Call[] {
  const { loadBalancer, from, to, backEnd } = begun;
  const used = new Set([
    kept,
    ...balancer.listeners
      .filter(({ listener }) => listener.lbPort !== from.listener.lbPort)
      .map(({ listener }) => listener.instancePort),
  ]);
  const before: ReadonlyMap<number, readonly string[]> = new Map([
    [from.listener.instancePort, []],
    ...to.map((one) => [one.port, one.backEnd] as const),
  ]);
  return [...before].flatMap(([instancePort, policies]): readonly Call[] => {
    const now = backEndOf(balancer, instancePort);
    if (used.has(instancePort) || now.length === 0) return [];
    // Only what this move knows of: whatever else is there, somebody else has set.
    if (!samePolicies(now, backEnd) || samePolicies(now, policies)) return [];
    return [
      {
        operation: "SetLoadBalancerPoliciesForBackendServer",
        loadBalancer,
        instancePort,
        policies,
      },
    ];
  });
}
