import { canonicalName } from "./names.ts";

/** One record set as Route 53 lists it. Simple, weighted or multivalue; nothing else exists here. */
export interface ZoneRecord {
  /** Lower case, octal-escaped, with the trailing dot: `\052.example.internal.`. */
  readonly name: string;
  readonly type: string;
  readonly ttlSeconds: number;
  readonly values: readonly string[];
  readonly setIdentifier?: string;
  readonly weight?: number;
  readonly multiValueAnswer?: boolean;
}

export type Action = "CREATE" | "UPSERT" | "DELETE";

export interface Entry {
  readonly order: string;
  readonly record: ZoneRecord;
}

/** One hosted zone at one instant; `applyBatch` gives the next one. Entries are kept in list order. */
export interface ZoneState {
  readonly id: string;
  readonly name: string;
  readonly entries: readonly Entry[];
}

// Escaped bytes sort as themselves, except those that would read as a separator or an escape.
const sortable = (label: string): string =>
  label.replace(/\\([0-7]{3})/g, (written, octal: string) => {
    const byte = Number.parseInt(octal, 8);
    return byte > 0x20 && byte < 0x7f && byte !== 0x2e && byte !== 0x5c
      ? String.fromCharCode(byte)
      : written;
  });

// Reversed labels with a trailing dot, so `com.example.www.` [SDK d.ts].
export const nameOrder = (name: string): string =>
  `${name.slice(0, -1).split(".").map(sortable).toReversed().join(".")}.`;

/** Name, type, identifier. The order by identifier is undocumented; code units here. */
export const orderOf = (record: Pick<ZoneRecord, "name" | "type" | "setIdentifier">): string =>
  `${nameOrder(record.name)}\0${record.type}\0${record.setIdentifier ?? ""}`;

/** Index of the first entry at or after `order`. */
export const positionOf = (entries: readonly Entry[], order: string): number => {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((entries[middle]?.order ?? "") < order) low = middle + 1;
    else high = middle;
  }
  return low;
};

export const recordsNamed = (entries: readonly Entry[], name: string): ZoneRecord[] => {
  const order = nameOrder(name);
  return entries
    .slice(positionOf(entries, `${order}\0`), positionOf(entries, `${order}\u0001`))
    .map(({ record }) => record);
};

/** Everything in the zone, in list order. */
export const recordsOf = (zone: ZoneState): readonly ZoneRecord[] =>
  zone.entries.map(({ record }) => record);

/** A new hosted zone with the NS and SOA sets Route 53 puts at its apex [DG:SOA-NSrecords]. */
export const newZone = (id: string, zoneName: string): ZoneState => {
  const named = canonicalName(zoneName);
  if ("problem" in named) throw new Error(`expected a domain name, got: ${named.problem}`);
  const { name } = named;
  const nameServers = ["ns-0.awsdns-00.com.", "ns-512.awsdns-00.net.", "ns-1024.awsdns-00.org."];
  const last = "ns-1536.awsdns-00.co.uk.";
  const records: ZoneRecord[] = [
    { name, type: "NS", ttlSeconds: 172_800, values: [...nameServers, last] },
    {
      name,
      type: "SOA",
      ttlSeconds: 900,
      values: [`${last} awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400`],
    },
  ];
  return { id, name, entries: records.map((record) => ({ order: orderOf(record), record })) };
};
