import { commandFlags } from "../cli/common-flags.ts";
import { type ConfigOf, type Flags, oneOf } from "../cli/flags.ts";
import { hostFlags } from "../host/host-flags.ts";
import { viaFlags } from "../host/via-flags.ts";
import { statusAddress } from "../page/status-address.ts";
import { examined } from "./names.ts";

const { hostedZoneId, introspectionUrl, stateDir } = hostFlags;

const mode = {
  ...oneOf(examined, {
    byDefault: "discover",
    help: "whose surroundings are examined; the other flags are those of that mode",
  }),
  noEnvironment: true as const,
};

/** The flags of another mode as doctor takes them: with its own, and as a command that prints an answer. */
export const examining = <F extends Flags>(flags: F) => ({ mode, ...flags, ...commandFlags });

export const flags = {
  mode,
  hostedZoneId,
  introspectionUrl,
  stateDir,
  statusAddress,
  via: viaFlags.via,
  zoneName: viaFlags.zoneName,
  fallback: viaFlags.fallback,
  resolver: viaFlags.resolver,
  ...commandFlags,
};

export const examples = [
  ["doctor --hostedZoneId=Z0123456789ABCDEFGHIJ", "is all there that discover needs?"],
  ["doctor --mode=ambassador --name=web --service=shop", "the same for another mode"],
  ["doctor proxy --json", "a mode may stand as a word, too; the answer for machines"],
] as const;

export type DoctorConfig = ConfigOf<typeof flags>;
