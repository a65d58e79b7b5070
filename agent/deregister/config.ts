import type { ConfigOf } from "../flags.ts";
import { hostFlags } from "../host-flags.ts";

export const flags = hostFlags;

export type DeregisterConfig = ConfigOf<typeof flags>;
