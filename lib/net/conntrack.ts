/** A TCP connection that the kernel translates. */
export interface Translated {
  /** The port that the client connected to. */
  readonly port: number;
  /** Who it was given to, `10.0.1.5:32768`. */
  readonly endpoint: string;
}

const ESTABLISHED =
  /^ipv4\s+2\s+tcp\s+6\s+\d+ ESTABLISHED src=\S+ dst=(\S+) sport=\d+ dport=(\d+) (?:packets=\d+ bytes=\d+ )?src=(\S+) dst=\S+ sport=(\d+) /;

/**
 * The connections in Linux's /proc/net/nf_conntrack that are open and go somewhere else than their client asked for; those
 * of other tables as well, so whoever counts looks at the ports.
 */
export function translated(table: string): readonly Translated[] {
  return table.split("\n").flatMap((line) => {
    const [, asked, port, address, toPort] = ESTABLISHED.exec(line) ?? [];
    if (port === undefined || (asked === address && port === toPort)) return [];
    return [{ port: Number(port), endpoint: `${address}:${toPort}` }];
  });
}
