import type {
  Change as ApiChange,
  ListResourceRecordSetsCommandInput,
  ListResourceRecordSetsCommandOutput,
  ResourceRecordSet,
} from "@aws-sdk/client-route-53";
import type { InstanceId } from "../../ecs/arn.ts";
import { Unavailable } from "../../kit/failure.ts";
import { quote } from "../../kit/quote.ts";
import type { Group } from "../group.ts";
import { type ForeignRecord, isStrange, ownRecord, type Whose } from "../own-record.ts";
import type { Step } from "../plan.ts";
import { type AnyRecord, type RecordSet, recordTypes } from "../record-set.ts";
import { parseSetIdentifier } from "../set-identifier.ts";

/** Where a page begins. All three fields: without the identifier, a page that ends within a weighted group repeats. */
export type PageStart = Pick<
  ListResourceRecordSetsCommandInput,
  "StartRecordName" | "StartRecordType" | "StartRecordIdentifier"
>;
export interface ZoneCursor extends PageStart {
  /** Where this page and those before it began, so that a list which repeats has an end. */
  readonly begun?: ReadonlySet<string>;
}

/** The next page's cursor, where there is one. */
export const nextOf = (
  page: ListResourceRecordSetsCommandOutput,
  begun: ReadonlySet<string> | undefined,
): { readonly next?: ZoneCursor } => (page.IsTruncated ? { next: cursorAfter(page, begun) } : {});

export const apiChange = ({ action, record: { weight, ...record } }: Step): ApiChange => ({
  Action: action,
  ResourceRecordSet: {
    Name: `${record.name}.`,
    Type: record.type,
    SetIdentifier: record.setIdentifier,
    // A field that does not apply must be left out, not false.
    ...(weight === undefined ? { MultiValueAnswer: true } : { Weight: weight }),
    TTL: record.ttlSeconds,
    ResourceRecords: record.values.map((Value) => ({ Value })),
  },
});

/** As Route 53 writes a name, without its trailing dot. Its octal escapes stay: no name of ours holds one. */
export const plain = (name: string): string => name.toLowerCase().replace(/\.$/, "");

/** Where the next page begins. Throws `Unavailable` where that is nowhere, or where a page has begun before. */
function cursorAfter(
  {
    NextRecordName: StartRecordName,
    NextRecordType: StartRecordType,
    NextRecordIdentifier: StartRecordIdentifier,
  }: ListResourceRecordSetsCommandOutput,
  begun: ReadonlySet<string> = new Set(),
): ZoneCursor {
  const start = { StartRecordName, StartRecordType, StartRecordIdentifier };
  const key = JSON.stringify(start);
  if (StartRecordName === undefined || begun.has(key)) {
    throw new Unavailable("Route 53", "answered ListResourceRecordSets with a list without end", {
      cause: `its next page begins at ${quote(key, 400)}`,
    });
  }
  return { ...start, begun: new Set([...begun, key]) };
}

export const anyRecord = (record: ResourceRecordSet): AnyRecord => ({
  name: plain(record.Name ?? ""),
  type: record.Type ?? "",
  ...(record.SetIdentifier !== undefined && { setIdentifier: record.SetIdentifier }),
  ...(record.TTL !== undefined && { ttlSeconds: record.TTL }),
  ...(record.Weight !== undefined && { weight: record.Weight }),
  multivalue: record.MultiValueAnswer === true,
  values: (record.ResourceRecords ?? []).flatMap(({ Value }) => Value ?? []),
});

export const instancesAmong = (records: readonly ResourceRecordSet[]): readonly InstanceId[] => [
  ...new Set(
    records.flatMap(({ SetIdentifier }) => parseSetIdentifier(SetIdentifier ?? "")?.instance ?? []),
  ),
];

export const ownAmong = (
  records: readonly ResourceRecordSet[],
  zoneName: string,
  owner: Whose,
): readonly RecordSet[] =>
  records.flatMap((record) => ownRecord(anyRecord(record), zoneName, owner) ?? []);

export const strangeAmong = (
  records: readonly ResourceRecordSet[],
  zoneName: string,
): readonly ForeignRecord[] =>
  records.flatMap(({ Name = "", Type = "", SetIdentifier = "" }) => {
    const record = { name: plain(Name), type: Type, setIdentifier: SetIdentifier };
    return isStrange(record, zoneName) ? [record] : [];
  });

/** What the records of one name are to one owner. */
export function groupOf(
  name: string,
  here: readonly ResourceRecordSet[],
  zoneName: string,
  owner: Whose,
): Group {
  const own = ownAmong(here, zoneName, owner);
  const ownKeys = new Set(own.map((one) => `${one.type} ${one.setIdentifier}`));
  const types = recordTypes.map((type) => {
    const ofType = here.filter(({ Type }) => Type === type);
    const other = ofType.find(
      ({ SetIdentifier = "", Weight }) =>
        Weight !== undefined && !ownKeys.has(`${type} ${SetIdentifier}`),
    );
    const weights = ofType.flatMap(({ Weight }) => Weight ?? []);
    const weight = weights.length > 0 && { weight: weights.reduce((sum, one) => sum + one) };
    const othersTtl = other?.TTL !== undefined && { othersTtlSeconds: other.TTL };
    return [type, { size: ofType.length, ...weight, ...othersTtl }] as const;
  });
  return { name, own, types: new Map(types), instances: instancesAmong(here) };
}
