import { isIPv6 } from "node:net";
import * as z from "zod";
import type { Flag } from "../cli/flags.ts";

/** Where a status server listens; port 0 is any free one. */
export interface StatusAddress {
  /** An IP address, or a name that resolves to one of this host's. */
  readonly host: string;
  readonly port: number;
}

/** Where each mode's page, the `status` command and scrapers find it when nobody says otherwise. */
export const statusPorts = {
  discover: 51_680,
  ambassador: 51_681,
  balancer: 51_682,
  proxy: 51_683,
  login: 51_684,
  kube: 51_685,
  writer: 51_686,
} as const;

const HOST_AND_PORT = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/;

/** The address in `text`; undefined when it is not `host:port`. */
function addressIn(text: string): StatusAddress | undefined {
  const [, ipv6, name, digits] = HOST_AND_PORT.exec(text) ?? [];
  const host = ipv6 ?? name;
  const port = Number(digits);
  if (host === undefined || port > 65_535 || (ipv6 !== undefined && !isIPv6(ipv6)))
    return undefined;
  return { host: host.toLowerCase(), port };
}

/** The flag of a mode that serves its status at this port unless told otherwise. */
export const statusAddressOf = (
  mode: keyof typeof statusPorts,
  host = "127.0.0.1",
): Flag<StatusAddress | undefined> => ({
  takes: "host:port|off",
  help: "where the status page, /healthz, /readyz, /metrics and /v1/state are served; port 0 for any free one",
  expected: "host:port, [IPv6]:port or off",
  schema: z.string().transform((text, context) => {
    if (text === "off") return undefined;
    const address = addressIn(text);
    if (address === undefined) context.addIssue("no address");
    return address;
  }),
  byDefault: `${host}:${statusPorts[mode]}`,
});

export const statusAddress = statusAddressOf("discover");

/** As `host:port`, an IPv6 address in brackets. */
export const shown = ({ host, port }: StatusAddress): string =>
  `${host.includes(":") ? `[${host}]` : host}:${port}`;
