import { quote } from "../kit/quote.ts";

/** Which listen ports labels may ask for. */
export interface PortRules {
  /** Inclusive ranges. */
  readonly allowed: readonly (readonly [from: number, to: number])[];
  /** Never listened on, and never the target of a container in the host's own network. */
  readonly reserved: ReadonlySet<number>;
}

/** The one port that speaks TLS. */
export const TLS_PORT = 443;
const HTTP_PORT = 80;

/** SSH, the Docker engine's API, the ECS agent's introspection and credentials, this agent's own page. */
export const RESERVED_PORTS: readonly number[] = [22, 2375, 2376, 51_678, 51_679, 51_680];

/** The ranges in `80,443,8000-8999`; undefined for anything else. */
export function portRanges(text: string): PortRules["allowed"] | undefined {
  const words = text.split(",");
  const ranges = words.map((word): readonly [number, number] | undefined => {
    const [, from = "", to = from] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(word) ?? [];
    const range = [Number(from), Number(to)] as const;
    return from !== "" && isPort(range[0]) && isPort(range[1]) && range[0] <= range[1]
      ? range
      : undefined;
  });
  return ranges.every((range) => range !== undefined) ? ranges : undefined;
}

export const isPort = (port: number): boolean =>
  Number.isInteger(port) && port >= 1 && port <= 65_535;

/** The port that is listened on when nobody asks for any, and that a container without `proxy.ports` is served at. */
export const defaultPort = ({ allowed }: PortRules): number => {
  const isAllowed = allowed.some(([from, to]) => from <= HTTP_PORT && HTTP_PORT <= to);
  return isAllowed ? HTTP_PORT : (allowed[0]?.[0] ?? HTTP_PORT);
};

/** Why nobody may listen there; undefined when somebody may. */
export function listenProblem(port: number, { allowed, reserved }: PortRules): string | undefined {
  if (reserved.has(port)) return `listen port ${port} is reserved for this host's own services`;
  if (allowed.some(([from, to]) => from <= port && port <= to)) return undefined;
  return `listen port ${port} is not among those of --listenPorts`;
}

/** One word of `proxy.ports`. */
export interface PortPair {
  readonly listen: number;
  readonly target: number;
}

/** `p` is `p:p`; `listen:container`. A sentence for anything else. */
export function portPair(word: string): PortPair | string {
  const [, first = "", second = first] = /^(\d{1,5})(?::(\d{1,5}))?$/.exec(word) ?? [];
  const pair = { listen: Number(first), target: Number(second) };
  if (first !== "" && isPort(pair.listen) && isPort(pair.target)) return pair;
  return `expected a port from 1 to 65535 or <listen>:<container>, got ${quote(word)}`;
}
