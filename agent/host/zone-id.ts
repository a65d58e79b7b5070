import { findEcsAgent } from "../../lib/ecs/io/introspection.ts";
import { isZoneId } from "../../lib/route53/zone-name.ts";
import { queueUrlOf } from "../../lib/sqs/queue-url.ts";
import type { Surroundings } from "../process/surroundings.ts";
import type { HostConfig } from "./host-flags.ts";
import { introspectionUrls } from "./introspection-urls.ts";
import { retrying } from "./retrying.ts";

/** What of a mode's flags says which zone is meant, and where Route 53 is asked. */
export interface ZoneConfig extends Partial<Pick<HostConfig, "introspectionUrl" | "patience">> {
  readonly hostedZoneId: string | readonly string[];
  readonly queueUrl?: string;
}

/** For a mode that has no patience flag. */
const PATIENCE_SECONDS = 10;

/**
 * The mode as it runs once `--hostedZoneId` holds ids alone: a zone that was given by its name is looked up first, with
 * the mode's own patience, so that records, journals and reports know it by its id. Rejects with `Fatal` where not exactly
 * one zone of the account has the name; Route 53 is not asked where no name was given.
 */
export const byZoneId =
  <C extends ZoneConfig, Result>(
    run: (config: C, surroundings: Surroundings) => Promise<Result>,
  ): ((config: C, surroundings: Surroundings) => Promise<Result>) =>
  async (config, surroundings) =>
    run({ ...config, ...(await zoneIds(config, surroundings)) }, surroundings);

/** The zones of the flags by their ids. */
async function zoneIds(
  config: ZoneConfig,
  surroundings: Surroundings,
): Promise<Pick<ZoneConfig, "hostedZoneId">> {
  const { hostedZoneId } = config;
  const given = typeof hostedZoneId === "string" ? [hostedZoneId] : hostedZoneId;
  if (given.every(isZoneId)) return { hostedZoneId };
  const { patience = PATIENCE_SECONDS } = config;
  const retry = retrying({ patience }, surroundings);
  const region = await retry(() => regionOf(config, surroundings));
  // The library is large, and who gives ids does not need it here.
  const { idOfZone } = await import("../../lib/route53/io/named-zone.ts");
  const ids: string[] = [];
  for (const one of given) {
    const id = isZoneId(one) ? one : await retry(() => idOfZone(one, { region }));
    if (!ids.includes(id)) ids.push(id);
    if (id !== one) surroundings.log.info("found the zone by its name", { zone: one, id });
  }
  return { hostedZoneId: typeof hostedZoneId === "string" ? (ids[0] ?? hostedZoneId) : ids };
}

/** As the mode itself finds it: the environment's, the queue's, or the one of the ECS agent of this host. */
async function regionOf(config: ZoneConfig, { env }: Surroundings): Promise<string> {
  const known = queueUrlOf(config.queueUrl ?? "")?.region ?? env["AWS_REGION"];
  if (known) return known;
  const { owner } = await findEcsAgent(
    await introspectionUrls({ introspectionUrl: config.introspectionUrl }),
  );
  return owner.region;
}
