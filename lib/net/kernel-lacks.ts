/** What was found of this network namespace and of the means to change it. */
export interface KernelFacts {
  /** Why `nft` can't be used, as a sentence; undefined when it can. */
  readonly nftProblem?: string;
  /** The machine's first network namespace, which only its own processes and containers of network mode `host` have. */
  readonly isFirstNamespace: boolean;
  readonly interfaces: readonly string[];
  readonly routeLocalnet: boolean;
  readonly ipForward: boolean;
}

/** Bridges that container engines make: Docker's, Podman's, ECS's, and those of Kubernetes' usual networks. */
const BRIDGE =
  /^(?:docker\d+|br-[0-9a-f]{12}|podman\d+|cni\d+|cbr\d+|ecs-bridge|virbr\d+|lxcbr\d+)$/;

/**
 * Why the kernel can't hand connections on here, each as a sentence with what to do; none when it can. `place` says what
 * kind of namespace the rules are made for: in a host's own, rules of `own` would take the port away from every container
 * that publishes it.
 */
export function kernelLacks(facts: KernelFacts, place: "own" | "host"): readonly string[] {
  const bridge = facts.interfaces.find((name) => BRIDGE.test(name));
  if (place === "own" && (facts.isFirstNamespace || bridge !== undefined)) {
    const sign = bridge === undefined ? "" : ` (it has ${bridge})`;
    return [
      `this is the host's own network namespace${sign}: a rule here would take the port from all containers that publish it; use network mode bridge or awsvpc`,
    ];
  }
  return [
    ...(facts.nftProblem === undefined ? [] : [facts.nftProblem]),
    ...(facts.routeLocalnet
      ? []
      : [
          "the sysctl net.ipv4.conf.all.route_localnet is 0: set it to 1 (docker run --sysctl, or systemControls in the task definition)",
        ]),
  ];
}

/** Why clients that are linked over a bridge go through the proxy though the kernel serves those on localhost. */
export const linkedLack = ({ ipForward }: KernelFacts): string | undefined =>
  ipForward
    ? undefined
    : "the sysctl net.ipv4.ip_forward is 0: clients in other containers go through the proxy, those on localhost through the kernel";
