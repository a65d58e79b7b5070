import { commandFlags } from "../cli/common-flags.ts";
import type { ConfigOf } from "../cli/flags.ts";
import { hostFlags } from "../host/host-flags.ts";

export const flags = { ...hostFlags, ...commandFlags };

export type DeregisterConfig = ConfigOf<typeof flags>;
