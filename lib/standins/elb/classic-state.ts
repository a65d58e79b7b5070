/** Classic Load Balancers as the stand-in holds them; sources as in `classic-rules.ts`. */

interface ClassicListener {
  readonly lbPort: number;
  readonly protocol: string;
  readonly instancePort: number;
  /** Default: as the API fills it in, HTTP or TCP. */
  readonly instanceProtocol?: string;
  readonly certificate?: string;
  readonly policies?: readonly string[];
}

export interface ClassicBalancer {
  readonly name: string;
  readonly listeners: readonly ClassicListener[];
  /** Definitions by name: the policy's type. They outlive every listener. */
  readonly policies?: Readonly<Record<string, string>>;
  readonly backEnds?: Readonly<Record<number, readonly string[]>>;
  readonly healthCheck?: Partial<ClassicCheck>;
  readonly instances?: readonly string[];
  /** Of connection draining; 0: off. */
  readonly drainingSeconds?: number;
}

export interface ClassicCheck {
  readonly target: string;
  readonly interval: number;
  readonly timeout: number;
  readonly unhealthy: number;
  readonly healthy: number;
}

export interface ListenerState {
  listener: Required<Omit<ClassicListener, "certificate" | "policies">> & {
    readonly certificate?: string;
  };
  policies: readonly string[];
}

export interface BalancerState {
  readonly name: string;
  readonly listeners: Map<number, ListenerState>;
  readonly policies: Map<string, string>;
  readonly backEnds: Map<number, readonly string[]>;
  check: ClassicCheck;
  readonly instances: Set<string>;
  readonly draining: Map<string, number>;
  readonly drainingSeconds: number;
  /** When a listener was deleted, by its port. */
  readonly deleted: Map<number, number>;
}

export interface ClassicState {
  readonly balancers: Map<string, BalancerState>;
  /** A listener counts as there for so long after its delete [TF]. */
  deleteTakesMs: number;
}

export const HTTP_STICKY = ["AppCookieStickinessPolicyType", "LBCookieStickinessPolicyType"];
export const BACK_END = ["ProxyProtocolPolicyType", "BackendServerAuthenticationPolicyType"];
export const TLS = "SSLNegotiationPolicyType";
/** What a TLS listener gets when nobody says another [GUIDE, predefined SSL security policies]. */
export const DEFAULT_TLS_POLICY = "ELBSecurityPolicy-2016-08";

export const classicState = (): ClassicState => ({ balancers: new Map(), deleteTakesMs: 0 });

export function addBalancer(state: ClassicState, one: ClassicBalancer): void {
  const listeners = one.listeners.map((listener): [number, ListenerState] => {
    const { policies = [], certificate, instanceProtocol, ...rest } = listener;
    return [
      listener.lbPort,
      {
        listener: {
          ...rest,
          instanceProtocol: instanceProtocol ?? defaultProtocol(listener.protocol),
          ...(certificate !== undefined && { certificate }),
        },
        policies,
      },
    ];
  });
  state.balancers.set(one.name, {
    name: one.name,
    listeners: new Map(listeners),
    policies: new Map([...Object.entries(one.policies ?? {}), [DEFAULT_TLS_POLICY, TLS] as const]),
    backEnds: new Map(
      Object.entries(one.backEnds ?? {}).map(([port, names]) => [Number(port), names]),
    ),
    // What a new load balancer has [GUIDE, configure health checks].
    check: {
      target: `TCP:${one.listeners[0]?.instancePort ?? 80}`,
      interval: 30,
      timeout: 5,
      unhealthy: 2,
      healthy: 10,
      ...one.healthCheck,
    },
    instances: new Set(one.instances),
    draining: new Map(),
    drainingSeconds: one.drainingSeconds ?? 0,
    deleted: new Map(),
  });
}

export const defaultProtocol = (protocol: string): string =>
  /^http/i.test(protocol) ? "HTTP" : "TCP";

/** A load balancer as a test or a demo sees it. */
export function plainBalancer(state: ClassicState, name: string) {
  const balancer = state.balancers.get(name);
  if (balancer === undefined) throw new Error(`no load balancer ${name}`);
  return {
    listeners: [...balancer.listeners.values()]
      .map(({ listener, policies }) => ({ ...listener, policies }))
      .toSorted((a, b) => a.lbPort - b.lbPort),
    backEnds: Object.fromEntries(balancer.backEnds) as Readonly<Record<number, readonly string[]>>,
    check: balancer.check,
    instances: [...balancer.instances],
  };
}
