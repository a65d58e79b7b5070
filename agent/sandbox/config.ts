import { commonFlags } from "../cli/common-flags.ts";
import { type ConfigOf, oneOf, wholeNumber } from "../cli/flags.ts";

export const flags = {
  for: wholeNumber({
    takes: "seconds",
    min: 0,
    max: 86_400,
    byDefault: 0,
    help: "end by itself after this long, 0 for never",
  }),
  engine: oneOf(["auto", "docker", "simulated"], {
    byDefault: "auto",
    help: "whose containers to watch: those of Docker, simulated ones, or both when Docker is in reach",
  }),
  dnsPort: wholeNumber({
    takes: "port",
    min: 0,
    max: 65_535,
    byDefault: 5300,
    help: "where the zone's name server listens, 0 or one in use for any that is free",
  }),
  ...commonFlags,
};

export type SandboxConfig = ConfigOf<typeof flags>;
