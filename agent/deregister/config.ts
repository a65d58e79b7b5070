import { commandFlags } from "../common-flags.ts";
import type { ConfigOf } from "../flags.ts";
import { hostFlags } from "../host-flags.ts";

export const flags = { ...hostFlags, ...commandFlags };

export type DeregisterConfig = ConfigOf<typeof flags>;
