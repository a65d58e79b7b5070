import { nameProblem } from "../net/host-name.ts";
import { type ProxyHost, parseProxyIdentifier } from "./proxy-identifier.ts";
import { type AnyRecord, type RecordSet, recordTypes } from "./record-set.ts";

/** Route 53 writes a star as `\052` (Developer Guide, DomainNameFormat). */
export const plainName = (name: string): string => name.replace(/^\\052\./, "*.");

/** The record as one that the proxy of `whose` host wrote; undefined for anybody else's, and for what no proxy writes. */
export function ownProxyRecord(
  record: AnyRecord,
  zoneName: string,
  whose: ProxyHost | "any host",
): RecordSet | undefined {
  const name = plainName(record.name);
  const type = recordTypes.find((one) => one === record.type);
  const { setIdentifier = "", ttlSeconds, weight, multivalue, values } = record;
  if (type === undefined || (type !== "A" && type !== "TXT") || ttlSeconds === undefined)
    return undefined;
  const host = parseProxyIdentifier(setIdentifier);
  if (host === undefined || (whose !== "any host" && host !== whose)) return undefined;
  if (weight === undefined && !multivalue) return undefined;
  if (name !== zoneName && !name.endsWith(`.${zoneName}`)) return undefined;
  if (nameProblem(name) !== undefined) return undefined;
  return { name, type, setIdentifier, ttlSeconds, values, ...(weight !== undefined && { weight }) };
}

/** The proxies' records among these, and whose each is. */
export const proxyRecordsAmong = (
  records: readonly AnyRecord[],
  zoneName: string,
): readonly { readonly record: RecordSet; readonly host: ProxyHost }[] =>
  records.flatMap((one) => {
    const record = ownProxyRecord(one, zoneName, "any host");
    const host = parseProxyIdentifier(one.setIdentifier ?? "");
    return record === undefined || host === undefined ? [] : [{ record, host }];
  });

/** Every proxy host that has a record here. */
export const proxyHostsAmong = (records: readonly AnyRecord[]): readonly ProxyHost[] => [
  ...new Set(
    records.flatMap(({ setIdentifier = "" }) => parseProxyIdentifier(setIdentifier) ?? []),
  ),
];
