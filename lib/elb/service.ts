/** What a health check shall be, where the file says so; what it leaves out stays as it is on the load balancer. */
export interface HealthCheckWish {
  readonly protocol?: "TCP" | "SSL" | "HTTP" | "HTTPS";
  /** For HTTP and HTTPS. */
  readonly path?: string;
  readonly intervalSeconds?: number;
  readonly timeoutSeconds?: number;
  readonly unhealthyThreshold?: number;
  readonly healthyThreshold?: number;
}

/** A listener follows this port of the container. */
interface PortPair {
  readonly lbPort: number;
  readonly containerPort: number;
}

/** This port of the host leads to this port of the container. */
export interface ForwardPort {
  readonly listenPort: number;
  /** Undefined: the first port that the container has bound. */
  readonly containerPort?: number;
  /** The listener that leads to it; undefined: every listener of the load balancer. */
  readonly lbPort?: number;
}

/** Each listener is made anew whenever the port of the task changes, as the original did. */
interface RewriteOutlet {
  readonly mode: "rewrite";
  readonly loadBalancer: string;
  /** Empty: every listener follows the first port that the container has bound. */
  readonly ports: readonly PortPair[];
  readonly healthCheck?: HealthCheckWish;
}

/** The load balancer leads to a port of this host that never changes, and this process to the tasks. */
export interface ForwardOutlet {
  readonly mode: "forward";
  /** Undefined: something else leads to the port. */
  readonly loadBalancer?: string;
  readonly ports: readonly [ForwardPort, ...ForwardPort[]];
  readonly healthCheck?: HealthCheckWish;
  readonly dataPlane: "proxy" | "kernel";
}

/** Each task is a target of the group for as long as it answers. */
interface TargetsOutlet {
  readonly mode: "targets";
  readonly targetGroupArn: string;
  /** Empty: the first port that the container has bound. */
  readonly containerPorts: readonly number[];
}

export type Outlet = RewriteOutlet | ForwardOutlet | TargetsOutlet;

/** One entry of the services file. */
export interface Service {
  /** Its name in log, page and journal: the ECS service's, with the entry's number where two entries have the same. */
  readonly key: string;
  readonly family: string;
  readonly container: string;
  readonly outlet: Outlet;
  /** How long a stop of this process waits for its connections; undefined: as long as the flag allows. */
  readonly drainSeconds?: number;
}

export const loadBalancerOf = ({ outlet }: Service): string | undefined =>
  outlet.mode === "targets" ? undefined : outlet.loadBalancer;
