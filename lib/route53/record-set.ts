export const recordTypes = ["A", "AAAA", "SRV", "TXT"] as const;
export type RecordType = (typeof recordTypes)[number];

/** One record set of ours, weighted or, without a weight, a multivalue answer. What Route 53 calls it: facts in `ResourceRecordSet` of its API reference. */
export interface RecordSet {
  /** Absolute, lower case, without the trailing dot: `web.example.internal`. */
  readonly name: string;
  readonly type: RecordType;
  /** Carries the owner; see `set-identifier.ts`. */
  readonly setIdentifier: string;
  readonly ttlSeconds: number;
  /** 0..255; undefined for a multivalue answer. */
  readonly weight?: number;
  readonly values: readonly string[];
}

/** Any record set of the zone, whoever owns it and whatever its type. */
export interface AnyRecord {
  /** Without the trailing dot. */
  readonly name: string;
  /** Route 53's own word: `A`, `CNAME`, `SOA`. */
  readonly type: string;
  readonly setIdentifier?: string;
  /** An alias has none. */
  readonly ttlSeconds?: number;
  /** Undefined unless it is weighted. */
  readonly weight?: number;
  readonly multivalue: boolean;
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
  plainValues(a).every((value, index) => value === plainValues(b)[index]);

/** In an order of their own; the target of an SRV is the same with and without its trailing dot. */
const plainValues = ({ type, values }: RecordSet): readonly string[] =>
  values.map((value) => (type === "SRV" ? value.replace(/\.$/, "") : value)).toSorted();

/** Route 53 can't turn a record set from weighted into multivalue or back: one must go and the other come. */
export const sameRouting = (a: RecordSet, b: RecordSet): boolean =>
  (a.weight === undefined) === (b.weight === undefined);
