import { commandFlags } from "../cli/common-flags.ts";
import type { ConfigOf } from "../cli/flags.ts";
import { hostFlags } from "../host/host-flags.ts";
import { recordFlags } from "../host/record-flags.ts";

const { hostedZoneId, introspectionUrl, patience } = hostFlags;

export const flags = {
  hostedZoneId,
  introspectionUrl,
  patience: { ...patience, byDefault: "10" },
  ...recordFlags,
  ...commandFlags,
};

export type PlanConfig = ConfigOf<typeof flags>;
