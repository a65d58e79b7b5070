import { isZoneId } from "../../lib/route53/zone-name.ts";
import { type ConfigOf, oneOf, onOff, wholeNumber } from "../cli/flags.ts";
import { hostFlags } from "../host/host-flags.ts";
import { recordFlags } from "../host/record-flags.ts";
import { viaFlags } from "../host/via-flags.ts";
import { statusAddress } from "../page/status-address.ts";

export const flags = {
  ...hostFlags,
  workers: recordFlags.workers,
  ttl: recordFlags.ttl,
  weight: recordFlags.weight,
  resync: wholeNumber({
    takes: "seconds",
    min: 0,
    max: 86_400,
    byDefault: 900,
    help: "every container and every name in the zone is looked at again within this time; 0 for never",
  }),
  health: recordFlags.health,
  allUnhealthy: recordFlags.allUnhealthy,
  stopGrace: recordFlags.stopGrace,
  onStop: oneOf(["keep", "remove"], {
    byDefault: "keep",
    help: "what becomes of this host's records when the agent is asked to stop",
  }),
  allowedNames: recordFlags.allowedNames,
  addressSource: recordFlags.addressSource,
  hostAddress: recordFlags.hostAddress,
  srv: recordFlags.srv,
  routing: recordFlags.routing,
  ...viaFlags,
  statusAddress,
  once: onOff({ help: "make the zone right once, then end" }),
  force: recordFlags.force,
};

export type DiscoverConfig = ConfigOf<typeof flags>;

/** What is wrong with the flags together. */
export function problems({ via, hostedZoneId }: DiscoverConfig): readonly string[] {
  if (via === undefined || isZoneId(hostedZoneId)) return [];
  return [
    `--hostedZoneId: expected the zone's id beside --via, got the name ${hostedZoneId}: a host that sends to a writer does not ask Route 53 (--zoneName may say the name)`,
  ];
}
