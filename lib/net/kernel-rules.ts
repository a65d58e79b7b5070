import { isIPv4 } from "node:net";
import type { Backend } from "./backend.ts";

/** One port that the kernel hands on by itself. */
export interface KernelForward {
  readonly port: number;
  /** At least one, all of them IPv4. */
  readonly backends: readonly Backend[];
}

export interface KernelTable {
  /** The table is ours alone, and named for who keeps it. */
  readonly name: string;
  readonly forwards: readonly KernelForward[];
  /** The one IPv4 address at which the ports are; all of this network namespace's own, when not given. */
  readonly address?: string;
  /** Whether clients beyond this network namespace (linked over a bridge) are handed on, too: that takes ip_forward. */
  readonly linked: boolean;
  /**
   * `own`: a network namespace that holds nothing but the clients. `host`: one with a container engine beside us, whose
   * own rules come after ours and whose clients keep their addresses.
   */
  readonly place: "own" | "host";
  /** Of a host: the networks of its containers (`172.17.0.0/16`). One that asks another one over us must be answered by us. */
  readonly bridges?: readonly string[];
}

/**
 * What to say to a backend's counter in a listing. Backends are numbered through all ports: the number is the mark of a
 * connection, by which the kernel remembers who it was given to.
 */
export function numbered(
  forwards: readonly KernelForward[],
): readonly { readonly mark: number; readonly port: number; readonly backend: Backend }[] {
  let mark = 0;
  return forwards.flatMap(({ port, backends }) =>
    backends.map((backend) => {
      mark += 1;
      return { mark, port, backend };
    }),
  );
}

/** Most tasks at once that may have refused within the last two seconds. */
const DEAD_SIZE = 65_535;

/**
 * The whole table as a script for `nft -f -`, which takes it in one transaction: the old one counts until the new one is
 * there, also when there was none. With no forwards its hooks stay, so that what is open is still translated.
 *
 * How it works:
 * - `pick<port>` draws a task by weight and marks the connection with its number; a number in `dead` is drawn again, at
 *   most three times; then the connection's address is rewritten, once for its whole life;
 * - `quick` gives a connection that nobody answers one second instead of two minutes, so that the client's repeated SYN
 *   is a new connection to the kernel and draws a task anew;
 * - `watch` drops the reset of a task that refuses before the client sees it, and sets the task aside for two seconds:
 *   the client repeats its SYN after one second and draws again;
 * - `guard` shuts the door that route_localnet opens: 127.0.0.0/8 stays out of reach from outside.
 *
 * Plain `masquerade`, never `fully-random`: a source port drawn at random meets the task's TIME_WAIT (measured: a tenth of
 * the new connections a second). `meta l4proto tcp` is what nft asks for before a map with ports. The table holds
 * addresses and ports that were checked, and nothing of anybody's text.
 */
export function rulesOf(table: KernelTable): string {
  const { name, forwards, linked, place } = table;
  const used = forwards.filter(({ backends }) => backends.length > 0);
  const ports = used.map(({ port }) => port).join(", ");
  const isHost = place === "host";
  const priority = isHost ? -105 : -100;
  const to = table.address === undefined ? "fib daddr type local" : `ip daddr ${table.address}`;
  const hooks = linked ? ["output", "prerouting"] : ["output"];
  const jumps = used.map(({ port }) => `${port} : jump pick${port}`).join(", ");

  const lines = [
    `table ip ${name}`,
    `delete table ip ${name}`,
    `table ip ${name} {`,
    ...numbered(used).map(({ mark }) => `  counter task${mark} { }`),
    "  ct timeout quick { protocol tcp; l3proto ip; policy = { syn_sent : 1 }; }",
    `  set dead { type mark; flags dynamic,timeout; timeout 2s; size ${DEAD_SIZE}; }`,
    ...picksOf(used),
    ...hooks.flatMap((hook) => [
      `  chain quick_${hook} {`,
      `    type filter hook ${hook} priority -150;`,
      ...(used.length > 0 ? [`    ${to} tcp dport { ${ports} } ct timeout set "quick"`] : []),
      "  }",
      `  chain ${hook} {`,
      `    type nat hook ${hook} priority ${priority};`,
      ...(used.length > 0 ? [`    ${to} tcp dport vmap { ${jumps} }`] : []),
      "  }",
    ]),
    "  chain watch {",
    "    type filter hook prerouting priority -50;",
    `    ct status dnat ct direction reply tcp flags & (syn|ack|rst) == rst|ack ct mark != 0 ${isHost && ports !== "" ? `ct original proto-dst { ${ports} } ` : ""}ct status ! assured update @dead { ct mark timeout 2s } counter drop`,
    "  }",
    "  chain postrouting {",
    `    type nat hook postrouting priority ${isHost ? 95 : 100};`,
    ...(isHost ? hostMasquerade(ports, table.bridges ?? []) : ["    ct status dnat masquerade"]),
    "  }",
    "  chain guard {",
    "    type filter hook input priority 0;",
    '    iifname != "lo" ip daddr 127.0.0.0/8 ct status ! dnat drop',
    "  }",
    "}",
  ];
  return `${lines.join("\n")}\n`;
}

/** Only what this host or a container of it asked for: others keep their address, as the load balancer's check needs it. */
function hostMasquerade(ports: string, bridges: readonly string[]): readonly string[] {
  if (ports === "") return [];
  const ours = `    ct status dnat meta l4proto tcp ct original proto-dst { ${ports} }`;
  return [
    `${ours} fib saddr type local masquerade`,
    ...bridges.map((bridge) => `${ours} ip saddr ${bridge} ip daddr ${bridge} masquerade`),
  ];
}

function picksOf(forwards: readonly KernelForward[]): readonly string[] {
  const marks = numbered(forwards);
  return forwards.flatMap(({ port }) => {
    const mine = marks.filter((one) => one.port === port);
    const strange = mine.find(({ backend }) => !isIPv4(backend.address));
    if (strange !== undefined) {
      throw new Error(`expected IPv4 addresses, got ${strange.backend.address}`);
    }
    const draw = drawOf(mine.map(({ mark, backend }) => ({ mark, weight: backend.weight })));
    const again = `    ct mark @dead ct mark set ${draw}`;
    return [
      `  chain pick${port} {`,
      `    ct mark set ${draw}`,
      // With one task there is nobody else to draw.
      ...(mine.length > 1 ? [again, again, again] : []),
      `    counter name ct mark map { ${mine.map(({ mark }) => `${mark} : "task${mark}"`).join(", ")} }`,
      `    meta l4proto tcp dnat ip to ct mark map { ${mine.map(({ mark, backend }) => `${mark} : ${backend.address} . ${backend.port}`).join(", ")} }`,
      "  }",
    ];
  });
}

/** A number by weight: each has as many values as its weight. */
function drawOf(marks: readonly { readonly mark: number; readonly weight: number }[]): string {
  let from = 0;
  const ranges = marks.map(({ mark, weight }) => {
    const first = from;
    from += weight;
    return `${weight === 1 ? first : `${first}-${from - 1}`} : ${mark}`;
  });
  return `numgen random mod ${from} map { ${ranges.join(", ")} }`;
}
