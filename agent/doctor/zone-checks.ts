import type { InstanceId } from "../../lib/ecs/arn.ts";
import type { DnsResolver, SoaAnswer } from "../../lib/net/io/dns.ts";
import { GROUP_LIMIT, GROUP_WARNING } from "../../lib/route53/group.ts";
import { groupSizes } from "../../lib/route53/neighbours.ts";
import { instanceOf } from "../../lib/route53/proxy-identifier.ts";
import { proxyRecordsAmong } from "../../lib/route53/proxy-record.ts";
import type { AnyRecord } from "../../lib/route53/record-set.ts";
import { parseSetIdentifier } from "../../lib/route53/set-identifier.ts";
import { type Finding, fail, notChecked, type Outcome, ok, warn } from "./finding.ts";

/** What was read of the zone's record sets, from its beginning on. */
export interface Listed {
  readonly records: readonly AnyRecord[];
  /** False when it holds more than were read. */
  readonly whole: boolean;
}

/** Longer than this, a name that was asked for too early stays unknown for longer than a task takes to start. */
const NEGATIVE_TTL_WARNING_S = 60;

/** Resolvers keep "no such name" for the lesser of the SOA's TTL and its last field (RFC 2308, section 5). */
export function negativeTtl(listed: Listed | undefined): Finding {
  const soa = soaOf(listed);
  if (soa === undefined) return notChecked("negative-ttl", "read");
  const minimum = Number(soa.values[0]?.split(/\s+/)[6]);
  const seconds = Math.min(soa.ttlSeconds ?? minimum, minimum);
  if (!Number.isFinite(seconds)) {
    return warn(
      "negative-ttl",
      `the SOA record has no minimum: ${soa.values.join(" ")}`,
      "restore the zone's SOA record",
    );
  }
  const what = `resolvers keep "no such name" for ${seconds} s`;
  return seconds <= NEGATIVE_TTL_WARNING_S
    ? ok("negative-ttl", what)
    : warn(
        "negative-ttl",
        `${what}: a client that asks before a name's first record is there does not see it for so long`,
        `set the TTL of the zone's SOA record, and its last field, to ${NEGATIVE_TTL_WARNING_S} or less`,
      );
}

export const soaOf = (listed: Listed | undefined): AnyRecord | undefined =>
  listed?.records.find(({ type }) => type === "SOA");

/** Names with many record sets: at 100 of a type Route 53 refuses the next task's. */
export function fullNames(listed: Listed | undefined): Finding {
  if (listed === undefined) return notChecked("full-names", "read");
  const { records, whole } = listed;
  const scope = whole ? "" : ` (among the zone's first ${records.length} record sets)`;
  const full = [...groupSizes(records.filter(({ setIdentifier }) => setIdentifier !== undefined))]
    .filter(([, size]) => size >= GROUP_WARNING)
    .toSorted(([, a], [, b]) => b - a);
  if (full.length === 0) {
    return ok("full-names", `no name has ${GROUP_WARNING} record sets or more${scope}`);
  }
  const shown = full.slice(0, 5).map(([key, size]) => `${key}: ${size}`);
  return warn(
    "full-names",
    `of at most ${GROUP_LIMIT}: ${shown.join(", ")}${full.length > 5 ? ", and more" : ""}${scope}`,
    "give the services more than one name, or run fewer tasks of each; Route 53 refuses a name's next record set at 100",
  );
}

/** What the proxies of all hosts have in the zone, and the names that agents write, too: such a name leads to both. */
export function proxyRecords(
  listed: Listed | undefined,
  zoneName: string | undefined,
  instance: InstanceId | undefined,
): Finding {
  if (listed === undefined || zoneName === undefined) return notChecked("proxy", "read");
  const all = proxyRecordsAmong(listed.records, zoneName);
  if (all.length === 0) return ok("proxy", "no proxy has records here");
  const hosts = new Set(all.map(({ host }) => host));
  const here = all.filter(({ host }) => instanceOf(host) === instance).length;
  const what = `record sets of proxies: ${all.length}, of which this host's: ${here}; hosts: ${hosts.size}`;
  const agents = new Set(
    listed.records
      .filter(({ setIdentifier = "" }) => parseSetIdentifier(setIdentifier) !== undefined)
      .map(({ name, type }) => `${name} ${type}`),
  );
  const shared = [...new Set(all.map(({ record }) => `${record.name} ${record.type}`))].filter(
    (key) => agents.has(key),
  );
  if (shared.length === 0) return ok("proxy", what);
  return warn(
    "proxy",
    `${what}; with records of discover beside them: ${shared.slice(0, 5).join(", ")}${shared.length > 5 ? ", and more" : ""}`,
    "clients of such a name reach either a container or a proxy: give the service another name, in proxy.host or in discover's label",
  );
}

/** Whether clients that ask as this host does find the zone, and this one rather than another of its name. */
export function resolving(
  zoneName: string | undefined,
  isPrivate: boolean | undefined,
  servers: DnsResolver["servers"],
  asked: Outcome<SoaAnswer> | undefined,
  listed: Listed | undefined,
): Finding {
  if (zoneName === undefined || asked === undefined) return notChecked("dns", "zone");
  const who = `the resolver ${servers.join(", ") || "of this host"}`;
  const answer: SoaAnswer =
    asked.kind === "done" ? asked.value : { kind: "silent", code: asked.problem };
  if (answer.kind === "silent") {
    return warn(
      "dns",
      `${who} gave no answer (${answer.code})`,
      "see /etc/resolv.conf and that port 53 is open to it, or name another with --resolver (in a VPC: 169.254.169.253)",
    );
  }
  if (answer.kind === "none") {
    return fail(
      "dns",
      `${who} does not know ${zoneName} (${answer.code})`,
      isPrivate === false
        ? "delegate the zone: its parent needs NS records with this zone's name servers"
        : "associate the private zone with this VPC, with enableDnsSupport and enableDnsHostnames on, and see that no Resolver rule takes the name elsewhere",
    );
  }
  const master = soaOf(listed)?.values[0]?.split(/\s+/)[0]?.toLowerCase().replace(/\.$/, "");
  if (master !== undefined && master !== answer.nameServer.replace(/\.$/, "")) {
    return fail(
      "dns",
      `${who} answers for another zone of this name: its master is ${answer.nameServer}, not ${master}`,
      "of several zones of one name the VPC's private one wins: check --hostedZoneId, and which zone this VPC is associated with",
    );
  }
  return ok("dns", `${who} answers for ${zoneName}`);
}
