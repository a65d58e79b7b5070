import * as z from "zod";
import { commandFlags } from "../cli/common-flags.ts";
import type { ConfigOf, Flag } from "../cli/flags.ts";
import { hostFlags } from "../host/host-flags.ts";
import { statusAddress } from "../page/status-address.ts";

const { hostedZoneId, introspectionUrl, stateDir } = hostFlags;

const resolver: Flag<string | undefined> = {
  takes: "ip[:port]",
  optional: true,
  help: "the DNS resolver that is asked for the zone; those of this host when not given",
  expected: "an IP address, with or without a port, such as 10.0.0.2 or [fd00:ec2::253]:53",
  schema: z.union([
    z.ipv4(),
    z.ipv6(),
    z.string().regex(/^(\d{1,3}(\.\d{1,3}){3}|\[[0-9a-fA-F:.]+\]):\d{1,5}$/),
  ]),
};

export const flags = {
  hostedZoneId,
  introspectionUrl,
  stateDir,
  statusAddress,
  resolver,
  ...commandFlags,
};

export type DoctorConfig = ConfigOf<typeof flags>;
