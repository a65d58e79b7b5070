export const recordTypes = ["A"] as const;
type RecordType = (typeof recordTypes)[number];

/** One weighted record set of ours. What Route 53 calls it: facts in `ResourceRecordSet` of its API reference. */
export interface RecordSet {
  /** Absolute, lower case, without the trailing dot: `web.example.internal`. */
  readonly name: string;
  readonly type: RecordType;
  /** Carries the owner; see `set-identifier.ts`. */
  readonly setIdentifier: string;
  readonly ttlSeconds: number;
  /** 0..255. */
  readonly weight: number;
  readonly values: readonly string[];
}

declare const recordKey: unique symbol;
/** Route 53's identity of a record set: name, type and set identifier. */
export type RecordKey = string & { readonly [recordKey]: true };

/** A space occurs in none of the three parts, so different record sets have different keys. */
export const keyOf = (record: Pick<RecordSet, "name" | "type" | "setIdentifier">): RecordKey =>
  `${record.name} ${record.type} ${record.setIdentifier}` as RecordKey;

/** True when Route 53 would answer the same for both; the order of values does not count. */
export const sameRecord = (a: RecordSet, b: RecordSet): boolean =>
  keyOf(a) === keyOf(b) &&
  a.ttlSeconds === b.ttlSeconds &&
  a.weight === b.weight &&
  a.values.length === b.values.length &&
  a.values.toSorted().every((value, index) => value === b.values.toSorted()[index]);
