import { commandFlags } from "../common-flags.ts";
import type { ConfigOf } from "../flags.ts";
import { hostFlags } from "../host-flags.ts";
import { recordFlags } from "../record-flags.ts";

const { hostedZoneId, introspectionUrl, patience } = hostFlags;

export const flags = {
  hostedZoneId,
  introspectionUrl,
  patience: { ...patience, byDefault: "10" },
  ...recordFlags,
  ...commandFlags,
};

export type PlanConfig = ConfigOf<typeof flags>;
