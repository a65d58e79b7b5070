import type { Change } from "./plan.ts";
import { keyOf } from "./record-set.ts";

export interface BatchLimits {
  /** ResourceRecord elements in a request, an UPSERT's counted twice. */
  readonly records: number;
  /** Characters of all Value elements in a request, an UPSERT's counted twice. */
  readonly characters: number;
}

/** Route 53's limits of one ChangeResourceRecordSets request (Developer Guide, DNSLimitations). */
export const ROUTE53_BATCH: BatchLimits = { records: 1000, characters: 32_000 };

/** What the change takes of a request. */
export const costOf = (change: Change): BatchLimits => {
  const values = valuesOf(change);
  return {
    records: values.length,
    characters: values.reduce((sum, value) => sum + value.length, 0),
  };
};

/** The values that a change counts with: an UPSERT's twice, of a REPLACE those that go and those that come. */
function valuesOf(change: Change): readonly string[] {
  const { values } = change.record;
  switch (change.action) {
    case "DELETE":
      return values;
    case "UPSERT":
      return [...values, ...values];
    case "REPLACE":
      return [...change.before.values, ...values];
  }
}

/**
 * The changes, in their order, cut into as few consecutive batches as the limits allow. None is left out.
 * Throws a RangeError when one change alone is past a limit, or one record set is changed twice: Route 53 refuses both.
 */
export function cutBatches(
  changes: readonly Change[],
  limits: BatchLimits,
): readonly (readonly Change[])[] {
  const seen = new Set<string>();
  const batches: Change[][] = [];
  let room: BatchLimits = { records: 0, characters: 0 };
  for (const change of changes) {
    const key = keyOf(change.record);
    if (seen.has(key)) throw new RangeError(`record set ${key} is changed twice`);
    seen.add(key);
    const cost = costOf(change);
    if (cost.records > limits.records || cost.characters > limits.characters) {
      throw new RangeError(
        `record set ${key} needs ${cost.records} records and ${cost.characters} characters, ` +
          `a request holds ${limits.records} and ${limits.characters}`,
      );
    }
    if (batches.length === 0 || cost.records > room.records || cost.characters > room.characters) {
      batches.push([]);
      room = limits;
    }
    batches.at(-1)?.push(change);
    room = {
      records: room.records - cost.records,
      characters: room.characters - cost.characters,
    };
  }
  return batches;
}

/** The most record sets that a page of the zone's list holds (API reference, ListResourceRecordSets). */
export const PAGE_SIZE = 300;
