import type { Wanted } from "./change-input.ts";
import { type Action, type Entry, recordsNamed, type ZoneRecord, type ZoneState } from "./zone.ts";

// Limits [DG:DNSLimitations].
const maxSetsPerGroup = 100;
const maxSetsPerZone = 10_000;

export interface AppliedChange {
  readonly action: Action;
  readonly record: ZoneRecord;
  /** What stood at the same identity before. */
  readonly previous?: ZoneRecord;
}

/** How messages name a set [GH barnybug/cli53#317]: a hyphen, and nothing for a simple set. */
const quoted = ({ name, type, setIdentifier }: ZoneRecord): string =>
  `[name='${name}', type='${type}'${setIdentifier === undefined ? "" : `, set-identifier='${setIdentifier}'`}]`;

const policyOf = ({ weight, setIdentifier }: ZoneRecord): "simple" | "weighted" | "multivalue" => {
  if (setIdentifier === undefined) return "simple";
  return weight === undefined ? "multivalue" : "weighted";
};

export const inZone = (zone: ZoneState, name: string): boolean =>
  name === zone.name || name.endsWith(`.${zone.name}`);

/** Order of values does not count [GH floci-io/floci#3565]. */
const sameContent = (asked: ZoneRecord, current: ZoneRecord): boolean => {
  const values = current.values.toSorted();
  return (
    asked.ttlSeconds === current.ttlSeconds &&
    asked.weight === current.weight &&
    // [GH getmoto/moto#7153]: leaving MultiValueAnswer out is accepted.
    (asked.multiValueAnswer ?? current.multiValueAnswer) === current.multiValueAnswer &&
    asked.values.length === values.length &&
    asked.values.toSorted().every((value, index) => value === values[index])
  );
};

/** The exact set, or nothing: a DELETE is a compare-and-swap. */
export const removal = (
  current: ZoneRecord | undefined,
  record: ZoneRecord,
): string | undefined => {
  // [GH aws/aws-sdk-kotlin#1433], [GH cli53#70]
  if (current === undefined) {
    return `Tried to delete resource record set ${quoted(record)} but it was not found`;
  }
  // [GH kubernetes-sigs/external-dns#732]
  if (!sameContent(record, current)) {
    return `Tried to delete resource record set ${quoted(record)} but the values provided do not match the current values`;
  }
  return undefined;
};

export const placement = (
  zone: ZoneState,
  entries: readonly Entry[],
  current: ZoneRecord | undefined,
  { action, record }: Wanted,
): string | undefined => {
  const { name, type, setIdentifier } = record;
  const rrset = `RRSet with DNS name ${name}, type ${type}`;
  const typed = `RRSet of type ${type} with DNS name ${name}`;
  // [GH cloudfoundry/bosh-bootloader#310]
  if (type === "CNAME" && name === zone.name) {
    return `${typed} is not permitted at apex in zone ${zone.name}`;
  }
  // One SOA, at the apex [DG:SOA-NSrecords]; wording ours.
  if (type === "SOA" && name !== zone.name) {
    return `${typed} is not permitted in zone ${zone.name}`;
  }
  // [GH barnybug/cli53#317]
  if (action === "CREATE" && current !== undefined) {
    return `Tried to create resource record set ${quoted(record)} but it already exists`;
  }
  const atName = recordsNamed(entries, name);
  // [GH cds-snc/dns#226]
  const rival = atName.find((r) => r.type !== type && (type === "CNAME" || r.type === "CNAME"));
  if (rival !== undefined) {
    return `${typed} is not permitted because a conflicting RRSet of type ${rival.type} with the same DNS name already exists in zone ${zone.name}`;
  }
  const group = atName.filter((r) => r.type === type);
  const policy = policyOf(record);
  if (group.some((r) => policyOf(r) !== policy)) {
    switch (policy) {
      case "simple": // [GH external-dns#4058], [GH chef-boneyard/route53#100]
        return `${rrset} cannot be created as other RRSets exist with the same name and type.`;
      case "weighted": // [GH external-dns#1411, #4345]
        return `${rrset}, SetIdentifier ${setIdentifier} cannot be created as a non-weighted set exists with the same name and type.`;
      case "multivalue": // [GH cert-manager/cert-manager#5388]
        return `${rrset}, SetIdentifier ${setIdentifier} cannot be created because a non multivalue answer rrset exists with the same name and type.`;
    }
  }
  if (current === undefined && policy !== "simple" && group.length >= maxSetsPerGroup) {
    // [DG:DNSLimitations], text [GH airbnb/zonify#16]; for multivalue by analogy.
    const kind = policy === "weighted" ? "weighted" : "multivalue answer";
    return `Exceeded limit on number of ${kind} RRSets for ${name}, type ${type} in this zone.`;
  }
  // [DG:DNSLimitations], text [GH DNSControl/dnscontrol#908]
  if (current === undefined && entries.length >= maxSetsPerZone) {
    return `Exceeded limit MAX_RRSETS_BY_ZONE for zone: ${zone.id}`;
  }
  return undefined;
};

/**
 * One TTL per weighted group, looked at when the whole batch is done: all members in one batch may change it
 * [GH aws/aws-sdk-go-v2#518], [GH hashicorp/terraform#5312].
 */
export const ttlProblems = (
  entries: readonly Entry[],
  applied: readonly AppliedChange[],
): readonly string[] => {
  const touched = applied.filter(
    ({ action, record }) => action !== "DELETE" && policyOf(record) === "weighted",
  );
  const groups = Map.groupBy(touched, ({ record }) => `${record.name} ${record.type}`);
  return [...groups.values()].flatMap((changes) => {
    const [first] = changes;
    if (first === undefined) return [];
    const { name, type } = first.record;
    const written = new Set(changes.map(({ record }) => record));
    const untouched = recordsNamed(entries, name).find((r) => r.type === type && !written.has(r));
    const { ttlSeconds } = untouched ?? first.record;
    return changes
      .filter(({ record }) => record.ttlSeconds !== ttlSeconds)
      .map(
        ({ record }) =>
          `RRSet with DNS name ${name} and type ${type}, SetIdentifier ${record.setIdentifier} cannot be created as weighted sets must contain the same TTL.`,
      );
  });
};

/** The apex keeps its NS and SOA [GH airbnb/zonify#1]; the SOA text by analogy. */
export const apexProblems = (zone: ZoneState, entries: readonly Entry[]): readonly string[] => {
  const types = new Set(recordsNamed(entries, zone.name).map(({ type }) => type));
  return [
    ...(types.has("NS")
      ? []
      : ["A HostedZone must contain at least one NS record for the zone itself."]),
    ...(types.has("SOA") ? [] : ["A HostedZone must contain exactly one SOA record."]),
  ];
};
