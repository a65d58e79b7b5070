import type { ZoneRecord } from "../../lib/standins/route53/rules.ts";
import type { Route53StandIn } from "../../lib/standins/route53/server.ts";

/** A stand-in's zone, as the set of its weighted records, each `name address`. */
export interface ZoneView {
  readonly id: string;
  readonly name: string;
  /** Sorted. */
  now(): readonly string[];
  /** Waits until the zone holds exactly these, in any order. */
  until(expected: Iterable<string>): Promise<void>;
  /** Every change that landed, in order: `UPSERT name address` or `DELETE name address`. */
  readonly landed: readonly string[];
  /** Those changes' record sets. */
  readonly landedRecords: readonly ZoneRecord[];
  /** How many requests to change the zone have arrived. */
  readonly changeRequests: number;
}

const asText = ({ name, values }: ZoneRecord): string =>
  `${name.replace(/\.$/, "")} ${values.join(",")}`;

export function zoneView(
  route53: Route53StandIn,
  { id, name }: { readonly id: string; readonly name: string },
): ZoneView {
  const landed: string[] = [];
  const landedRecords: ZoneRecord[] = [];
  route53.onLanded((batch) => {
    for (const { action, record } of batch) {
      landed.push(`${action} ${asText(record)}`);
      landedRecords.push(record);
    }
  });
  const texts = (records: readonly ZoneRecord[]) =>
    records
      .filter(({ weight }) => weight !== undefined)
      .map(asText)
      .toSorted();
  return {
    id,
    name,
    landed,
    landedRecords,
    now: () => texts(route53.records(id)),
    async until(expected) {
      const wanted = [...expected].toSorted();
      const holds = (records: readonly ZoneRecord[]) =>
        JSON.stringify(texts(records)) === JSON.stringify(wanted);
      await route53.until(id, holds).catch((error: unknown) => {
        throw new Error(`expected the zone to hold ${JSON.stringify(wanted)}`, { cause: error });
      });
    },
    get changeRequests() {
      return route53.requests.filter(({ operation }) => operation === "ChangeResourceRecordSets")
        .length;
    },
  };
}
