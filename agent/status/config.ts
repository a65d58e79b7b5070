import { commandFlags } from "../cli/common-flags.ts";
import { type ConfigOf, onOff } from "../cli/flags.ts";
import { statusAddress } from "../page/status-address.ts";

export const flags = {
  statusAddress: { ...statusAddress, help: "where the running agent serves its status" },
  // ECS_DISCOVERY_HEALTH is discover's, and says something else.
  health: {
    ...onOff({ help: "only whether it is well, as a container's health check asks" }),
    noEnvironment: true as const,
  },
  ...commandFlags,
};

export type StatusConfig = ConfigOf<typeof flags>;
