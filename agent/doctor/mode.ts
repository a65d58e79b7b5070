import { SERVICE_NAME_LABEL } from "../../lib/discovery/labels.ts";
import type { InstanceId } from "../../lib/ecs/arn.ts";
import { dnsResolver } from "../../lib/net/io/dns.ts";
import { writeProblem } from "../../lib/route53/io/journal-file.ts";
import { hostedZone, type OpenZone, type ZoneCursor } from "../../lib/route53/io/zone.ts";
import { ownRecord } from "../../lib/route53/own-record.ts";
import type { AnyRecord } from "../../lib/route53/record-set.ts";
import type { Answer } from "../process/supervise.ts";
import type { Surroundings } from "../process/surroundings.ts";
import { askAgents, askDocker, askStatus, foundAmong, outcomes } from "./asking.ts";
import * as aws from "./aws-checks.ts";
import type { DoctorConfig } from "./config.ts";
import { type Finding, notChecked } from "./finding.ts";
import * as host from "./host-checks.ts";
import { answer } from "./report.ts";
import { askVia } from "./via-checks.ts";
import * as zoneChecks from "./zone-checks.ts";

/** A zone is read no further than this: its account has ten requests a second, for all hosts together. */
const MOST_PAGES = 10;
/** Where the zone is asked from while nobody says where this host is; in its partition Route 53 has one endpoint. */
const ANY_REGION = "us-east-1";
/** Owns nothing: for a try while it is not known who this host is. */
const NOBODY = "0".repeat(32) as InstanceId;

/**
 * Tries all that the agent needs, each within a time of its own, and says what to do about what is missing. Changes
 * nothing: not in the zone, not on the disk.
 */
export async function doctor(config: DoctorConfig, surroundings: Surroundings): Promise<Answer> {
  const { env } = surroundings;
  const outcome = outcomes(surroundings);

  const [dockerFinding, agents, journalFinding, statusFinding] = await Promise.all([
    askDocker(outcome, env, SERVICE_NAME_LABEL),
    askAgents(outcome, config),
    writeProblem(config.stateDir).then((problem) => host.journalFolder(config.stateDir, problem)),
    askStatus(outcome, config.statusAddress),
  ]);
  const found = foundAmong(agents);
  const findings: readonly Finding[] = [
    dockerFinding,
    host.introspection(agents),
    host.identity(found),
    aws.region(env, found?.owner),
    ...(await checkRoute53()),
    journalFinding,
    statusFinding,
  ];
  return answer(findings, config);

  async function checkRoute53(): Promise<readonly Finding[]> {
    const { hostedZoneId: zoneId } = config;
    let origin: string | undefined;
    let times: { readonly serverMs: number; readonly hereMs: number } | undefined;
    const zone = hostedZone({
      zoneId,
      region: env["AWS_REGION"] || found?.owner.region || ANY_REGION,
      watch: {
        asks: (asked) => {
          origin = asked;
        },
        answered: (date) => {
          const serverMs = Date.parse(date ?? "");
          if (!Number.isNaN(serverMs)) times = { serverMs, hereMs: Date.now() };
        },
      },
    });
    const credentials = await outcome(() => zone.credentialsSource());
    const { via, fallback } = config;
    // A host that hands its records over has no right on the zone, unless it may have to write it itself.
    const toQueue =
      via === undefined
        ? []
        : await askVia(outcome, {
            ...{ ...config, via },
            region: env["AWS_REGION"] || found?.owner.region || ANY_REGION,
          });
    if (via !== undefined && fallback === "none") {
      zone.close();
      return [aws.credentials(credentials), ...toQueue];
    }
    // Without them no request can be sent, and what the rest would advise (network, permissions) would mislead.
    if (credentials.kind === "failed") {
      zone.close();
      return aws.withoutCredentials(env, origin, credentials);
    }
    const facts = await outcome(() => zone.facts());
    const listing = await outcome(() => listSome(zone));
    const listed = listing.kind === "done" ? listing.value : undefined;
    const name = facts.kind === "done" ? facts.value.name : zoneChecks.soaOf(listed)?.name;
    const resolver = dnsResolver(config.resolver);
    const answered = name === undefined ? undefined : await outcome(() => resolver.soa(name));
    const change = name === undefined ? undefined : await tryChanges(zone, name, listed);
    zone.close();
    const isPrivate = facts.kind === "done" ? facts.value.isPrivate : undefined;
    return [
      ...toQueue,
      aws.endpoint(env, origin),
      aws.credentials(credentials),
      aws.clockSkew(times),
      aws.zone(facts, zoneId),
      aws.listing(listing, zoneId),
      change ?? notChecked("change", "zone"),
      zoneChecks.negativeTtl(listed),
      zoneChecks.fullNames(listed),
      zoneChecks.proxyRecords(listed, name, found?.owner.instance),
      zoneChecks.resolving(name, isPrivate, resolver.servers, answered, listed),
    ];
  }

  async function tryChanges(
    zone: OpenZone,
    zoneName: string,
    listed: zoneChecks.Listed | undefined,
  ): Promise<Finding> {
    const instance = found?.owner.instance ?? NOBODY;
    const owned = zone.as(instance, zoneName);
    const own = listed?.records.find((one) => ownRecord(one, zoneName, instance) !== undefined);
    const probes = aws.probes(zoneName, instance, own?.name);
    const all = await outcome(() => owned.submit(probes));
    // Which part of a policy's conditions is too narrow, the single ones tell.
    const single = [];
    if (all.kind === "failed" && aws.isDenied(all.error)) {
      for (const change of probes) {
        single.push({ change, tried: await outcome(() => owned.submit([change])) });
      }
    }
    return aws.changing(all, single, config.hostedZoneId);
  }
}

async function listSome(zone: OpenZone): Promise<zoneChecks.Listed> {
  const records: AnyRecord[] = [];
  let cursor: ZoneCursor | undefined;
  for (let pages = 0; pages < MOST_PAGES; pages += 1) {
    const page = await zone.list(cursor);
    records.push(...page.records);
    cursor = page.next;
    if (cursor === undefined) return { records, whole: true };
  }
  return { records, whole: false };
}
