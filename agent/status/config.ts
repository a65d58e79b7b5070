import { commandFlags } from "../common-flags.ts";
import { type ConfigOf, onOff } from "../flags.ts";
import { statusAddress } from "../status-address.ts";

export const flags = {
  statusAddress: { ...statusAddress, help: "where the running agent serves its status" },
  health: onOff({ help: "only whether it is well, as a container's health check asks" }),
  ...commandFlags,
};

export type StatusConfig = ConfigOf<typeof flags>;
