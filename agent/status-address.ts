import { isIPv6 } from "node:net";
import * as z from "zod";
import type { Flag } from "./flags.ts";
import { DEFAULT_STATUS_ADDRESS } from "./state.ts";

/** Where a status server listens; port 0 is any free one. */
export interface StatusAddress {
  /** An IP address, or a name that resolves to one of this host's. */
  readonly host: string;
  readonly port: number;
}

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

export const statusAddress: Flag<StatusAddress | undefined> = {
  takes: "host:port|off",
  help: "where the status page, /healthz, /readyz, /metrics and /v1/state are served; port 0 for any free one",
  expected: "host:port, [IPv6]:port or off",
  schema: z.string().transform((text, context) => {
    if (text === "off") return undefined;
    const address = addressIn(text);
    if (address === undefined) context.addIssue("no address");
    return address;
  }),
  byDefault: DEFAULT_STATUS_ADDRESS,
};
