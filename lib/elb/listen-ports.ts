/** The ports from the first to the second, both included. */
export type PortRange = readonly [number, number];

/** Docker and the ECS agent give these to containers where nobody says otherwise (ECS Developer Guide, PortMapping). */
const DYNAMIC: readonly PortRange[] = [
  [49_153, 65_535],
  [32_768, 60_999],
];

/** The range in `/proc/sys/net/ipv4/ip_local_port_range`; undefined for any other text. */
export function localPortRange(text: string): PortRange | undefined {
  const [, from, to] = /^\s*(\d{1,5})\s+(\d{1,5})\s*$/.exec(text) ?? [];
  return from === undefined || to === undefined ? undefined : [Number(from), Number(to)];
}

/** Why the port may be somebody else's by the time it is wanted; undefined when it is safe. */
export function takenProblem(port: number, local: PortRange | undefined): string | undefined {
  const within = ([from, to]: PortRange) => port >= from && port <= to;
  const advice =
    "Docker or the kernel may give it to something else: take one below them, or start with --force";
  if (local !== undefined && within(local)) {
    return `port ${port} lies within this host's range of random ports, ${local.join("-")}; ${advice}`;
  }
  const range = DYNAMIC.find(within);
  return range === undefined
    ? undefined
    : `port ${port} lies within ECS's range of random ports, ${range.join("-")}; ${advice}`;
}
