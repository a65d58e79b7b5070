import { commandFlags } from "../cli/common-flags.ts";
import type { ConfigOf } from "../cli/flags.ts";
import { hostFlags } from "../host/host-flags.ts";
import { viaFlags } from "../host/via-flags.ts";
import { statusAddress } from "../page/status-address.ts";

const { hostedZoneId, introspectionUrl, stateDir } = hostFlags;

export const flags = {
  hostedZoneId,
  introspectionUrl,
  stateDir,
  statusAddress,
  resolver: viaFlags.resolver,
  ...commandFlags,
};

export type DoctorConfig = ConfigOf<typeof flags>;
