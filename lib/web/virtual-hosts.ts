import type { ContainerId } from "../docker/container.ts";
import { shortOf } from "./host-name.ts";
import type { Options } from "./options.ts";
import { TLS_PORT } from "./ports.ts";

/** One port of one container, asked for under one name at one listen port. */
export interface Claim {
  readonly container: ContainerId;
  readonly containerName: string;
  /** Full, lower case; may begin with `*.`. */
  readonly name: string;
  /** "" for all paths. */
  readonly path: string;
  readonly listen: number;
  readonly target: { readonly address: string; readonly port: number };
  /** `draining`: no new request, and those under way end. `unhealthy`: it serves only where nobody else of its pool does. */
  readonly state: "serving" | "draining" | "unhealthy";
  readonly options: Options;
}

/** The engine's word for a server: the same container at the same address is the same server. */
export interface Server {
  readonly name: string;
  readonly container: ContainerId;
  readonly address: string;
  readonly port: number;
  readonly state: Exclude<Claim["state"], "unhealthy">;
  readonly weight: number;
  readonly proto: Options["proto"];
}

/** Several containers that ask for the same name, path and listen port are one pool. */
export interface VirtualHost {
  readonly key: string;
  readonly listen: number;
  readonly name: string;
  readonly path: string;
  readonly servers: readonly Server[];
  readonly options: Pick<Options, "sticky" | "redirect" | "tls" | "uploadBytes" | "timeoutMs">;
}

interface Short {
  readonly listen: number;
  readonly short: string;
  readonly name: string;
  /** Whether clients are sent to the full name, or served under the short one. */
  readonly redirects: boolean;
}

export interface Hosts {
  /** By listen port, name and path. */
  readonly hosts: readonly VirtualHost[];
  readonly shorts: readonly Short[];
  /** What two containers could not both have, as sentences by the container that went without. */
  readonly conflicts: ReadonlyMap<ContainerId, readonly string[]>;
}

/** As the engine names servers: unique within a pool, the same on each look. */
const serverName = ({ container, target }: Pick<Claim, "container" | "target">): string =>
  `c${container.slice(0, 12)}-${target.address.replace(/[^0-9A-Za-z]/g, ".")}-${target.port}`;

const keyOf = ({ listen, name, path }: Pick<VirtualHost, "listen" | "name" | "path">): string =>
  `${listen} ${name}${path}`;

/**
 * The virtual hosts that the claims come to. One pool for each name, path and listen port; how it is served is the word
 * of the container that is first by name, and who said otherwise is told. A full name beats a short one; of two full
 * names with the same first label the first by name has it for short.
 */
export function virtualHosts(claims: readonly Claim[]): Hosts {
  const conflicts = new Map<ContainerId, string[]>();
  const pools = Map.groupBy(claims.toSorted(byName), keyOf);
  const hosts = [...pools].map(([key, members]) => poolOf(key, members, conflicts));
  hosts.sort((a, b) => a.listen - b.listen || compare(a.name, b.name) || compare(a.path, b.path));
  for (const { name, servers } of hosts.splice(MOST_HOSTS)) {
    for (const { container } of servers) {
      tell(conflicts, container, `${name}: a host serves at most ${MOST_HOSTS} names and ports`);
    }
  }
  return { hosts, shorts: shortsOf(hosts, conflicts), conflicts };
}

/** Each costs the engine some 10 kB. */
const MOST_HOSTS = 4_096;

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const byName = (a: Claim, b: Claim): number =>
  compare(a.containerName, b.containerName) || compare(a.container, b.container);

const POOL_OPTIONS = ["sticky", "redirect", "tls", "uploadBytes", "timeoutMs"] as const;
const LABELS: Readonly<Record<(typeof POOL_OPTIONS)[number], string>> = {
  sticky: "proxy.sticky",
  redirect: "proxy.redirect",
  tls: "proxy.tls",
  uploadBytes: "proxy.upload",
  timeoutMs: "proxy.timeout",
};

function poolOf(
  key: string,
  members: readonly Claim[],
  conflicts: Map<ContainerId, string[]>,
): VirtualHost {
  const [{ listen, name, path, options, containerName } = none()] = members;
  const servers = new Map<string, Server>();
  const isAnyHealthy = members.some(({ state }) => state === "serving");
  for (const claim of members) {
    for (const option of POOL_OPTIONS) {
      if (claim.options[option] !== options[option]) {
        tell(
          conflicts,
          claim.container,
          `${LABELS[option]} of ${name}: ${containerName} says otherwise, and is first by name`,
        );
      }
    }
    const server = serverOf(claim, isAnyHealthy ? "draining" : "serving");
    servers.set(server.name, server);
  }
  const { sticky, redirect, tls, uploadBytes, timeoutMs } = options;
  return {
    key,
    listen,
    name,
    path,
    servers: [...servers.values()],
    options: {
      sticky,
      redirect,
      tls,
      ...(uploadBytes !== undefined && { uploadBytes }),
      ...(timeoutMs !== undefined && { timeoutMs }),
    },
  };
}

const none = (): never => {
  throw new RangeError("a pool without members");
};

const serverOf = (claim: Claim, unhealthy: Server["state"]): Server => ({
  name: serverName(claim),
  container: claim.container,
  address: claim.target.address,
  port: claim.target.port,
  state: claim.state === "unhealthy" ? unhealthy : claim.state,
  weight: claim.options.weight,
  proto: claim.options.proto,
});

function shortsOf(
  hosts: readonly VirtualHost[],
  conflicts: Map<ContainerId, string[]>,
): readonly Short[] {
  const taken = new Set(hosts.map(({ listen, name }) => `${listen} ${name}`));
  const shorts = new Map<string, Short>();
  for (const { listen, name, options, servers } of hosts) {
    const short = shortOf(name);
    if (short === undefined) continue;
    const key = `${listen} ${short}`;
    const before = shorts.get(key);
    if (before === undefined && !taken.has(key)) {
      shorts.set(key, { listen, short, name, redirects: options.redirect === "short" });
    } else if (before !== undefined && before.name !== name) {
      for (const { container } of servers) {
        tell(
          conflicts,
          container,
          `the short name ${short} is that of ${before.name}, which is first by name`,
        );
      }
    }
  }
  return [...shorts.values()];
}

function tell(conflicts: Map<ContainerId, string[]>, container: ContainerId, what: string): void {
  const known = conflicts.get(container) ?? [];
  if (!known.includes(what) && known.length < 8) conflicts.set(container, [...known, what]);
}

/** The URL under which a host is found. */
export const urlOf = ({
  listen,
  name,
  path,
}: Pick<VirtualHost, "listen" | "name" | "path">): string => {
  const port = listen === 80 || listen === TLS_PORT ? "" : `:${listen}`;
  return `${listen === TLS_PORT ? "https" : "http"}://${name}${port}${path}`;
};
