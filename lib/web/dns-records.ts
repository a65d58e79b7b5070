import { formatProxyIdentifier, type ProxyHost } from "../route53/proxy-identifier.ts";
import { keyOf, type RecordKey, type RecordSet } from "../route53/record-set.ts";

export interface Zone {
  readonly id: string;
  readonly name: string;
  readonly isPrivate: boolean;
  readonly size: number;
}

/**
 * The zone that a name belongs to: of all that are a suffix of it, the longest. Of two with the same name, one public and
 * one private, the one that fits the address; of two alike the first by id.
 */
export function zoneOf(
  name: string,
  zones: readonly Zone[],
  isPrivateAddress: boolean,
): Zone | undefined {
  const plain = name.replace(/^\*\./, "");
  return zones
    .filter((zone) => zone.name !== "" && (plain === zone.name || plain.endsWith(`.${zone.name}`)))
    .toSorted(
      (a, b) =>
        b.name.length - a.name.length ||
        Number(b.isPrivate === isPrivateAddress) - Number(a.isPrivate === isPrivateAddress) ||
        (a.id < b.id ? -1 : 1),
    )[0];
}

/** Addresses that only their own network reaches: RFC 1918 and 6598. */
export const isPrivateAddress = (ipv4: string): boolean =>
  /^(?:10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.)/.test(
    ipv4,
  );

export interface RecordRules {
  readonly host: ProxyHost;
  readonly address: string;
  readonly ttlSeconds: number;
  readonly weight: number;
}

/** This host's record of a name. */
export const addressRecord = (
  name: string,
  { host, address, ttlSeconds, weight }: RecordRules,
): RecordSet => ({
  name,
  type: "A",
  setIdentifier: formatProxyIdentifier(host),
  ttlSeconds,
  weight,
  values: [address],
});

/** RFC 8555 8.4. Multivalue, so that hosts which ask for the same name at once all find their own. */
export const challengeRecord = (name: string, value: string, host: ProxyHost): RecordSet => ({
  name: `_acme-challenge.${name.replace(/^\*\./, "")}`,
  type: "TXT",
  setIdentifier: formatProxyIdentifier(host),
  ttlSeconds: 60,
  values: [`"${value}"`],
});

export const byKey = (records: readonly RecordSet[]): ReadonlyMap<RecordKey, RecordSet> =>
  new Map(records.map((record) => [keyOf(record), record]));
