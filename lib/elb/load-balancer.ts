/** A listener's settings as CreateLoadBalancerListeners takes them. Its key is the load balancer's port. */
export interface Listener {
  readonly lbPort: number;
  readonly protocol: string;
  readonly instancePort: number;
  readonly instanceProtocol: string;
  /** The certificate's ARN, for HTTPS and SSL. */
  readonly certificate?: string;
}

export interface ListenerState {
  readonly listener: Listener;
  readonly policies: readonly string[];
}

/** One for the whole load balancer (API reference, ConfigureHealthCheck). */
export interface HealthCheck {
  /** `TCP:port`, `SSL:port`, `HTTP:port/path` or `HTTPS:port/path`. */
  readonly target: string;
  readonly intervalSeconds: number;
  readonly timeoutSeconds: number;
  readonly unhealthyThreshold: number;
  readonly healthyThreshold: number;
}

/** A Classic Load Balancer as DescribeLoadBalancers tells it, of what is used here. */
export interface LoadBalancer {
  readonly name: string;
  readonly listeners: readonly ListenerState[];
  /** Policies by instance port: PROXY protocol, back-end authentication. They outlive the listener. */
  readonly backEnds: ReadonlyMap<number, readonly string[]>;
  readonly healthCheck: HealthCheck | undefined;
  readonly instances: ReadonlySet<string>;
}

export const listenerOn = (balancer: LoadBalancer, lbPort: number): ListenerState | undefined =>
  balancer.listeners.find(({ listener }) => listener.lbPort === lbPort);

export const backEndOf = (balancer: LoadBalancer, port: number): readonly string[] =>
  balancer.backEnds.get(port) ?? [];

/** A set has no order. */
export const samePolicies = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && [...a].toSorted().join("\n") === [...b].toSorted().join("\n");

/**
 * The same but for the port of the instance. Protocols are compared whatever their capitals
 * (kubernetes/cloud-provider-aws, `aws_loadbalancer.go`).
 */
export const sameSettings = (a: Listener, b: Listener): boolean =>
  a.protocol.toUpperCase() === b.protocol.toUpperCase() &&
  a.instanceProtocol.toUpperCase() === b.instanceProtocol.toUpperCase() &&
  (a.certificate ?? "") === (b.certificate ?? "");

/** A listener of these protocols gets a default TLS policy when it is created (Classic guide, SSL security policies). */
export const isTls = ({ protocol }: Listener): boolean => /^(?:https|ssl)$/i.test(protocol);

export const listenerText = (one: Listener): string =>
  `${one.lbPort}/${one.protocol} → ${one.instancePort}/${one.instanceProtocol}`;

const TARGET = /^(TCP|SSL|HTTPS?):(\d{1,5})(.*)$/is;

/** The port that a health check asks; undefined where its target is of another form. */
export function checkedPort({ target }: HealthCheck): number | undefined {
  const [, , port] = TARGET.exec(target) ?? [];
  return port === undefined ? undefined : Number(port);
}

/** The parts of a target; a text of another form counts as TCP. */
export function targetParts(target: string): { readonly protocol: string; readonly path: string } {
  const [, protocol = "TCP", , path = ""] = TARGET.exec(target) ?? [];
  return { protocol: protocol.toUpperCase(), path };
}
