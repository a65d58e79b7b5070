import type { InstanceId } from "../ecs/arn.ts";
import { beginsAsProxys, parseProxyIdentifier } from "./proxy-identifier.ts";
import { ownProxyRecord } from "./proxy-record.ts";
import { type AnyRecord, type RecordSet, recordTypes } from "./record-set.ts";
import { plainName, rfc2782Name, serviceName } from "./service-name.ts";
import { beginsAsOurs, parseSetIdentifier } from "./set-identifier.ts";

/** Whose records to look at: one container instance's, every one's, or those of every host's proxy, too. */
export type Whose = InstanceId | "any instance" | "any host";

/** True for a record that `whose` could have written: its identifier, and a name that some label gives. */
export function isOwn(
  { name, type, setIdentifier }: ForeignRecord,
  zoneName: string,
  whose: Whose,
): boolean {
  const ownership = parseSetIdentifier(setIdentifier);
  if (ownership === undefined) return false;
  if (!isAny(whose) && ownership.instance !== whose) return false;
  if (!name.endsWith(`.${zoneName}`)) return false;
  const service = type === "SRV" ? plainName(name) : name;
  if (service !== name && rfc2782Name(service) !== name) return false;
  const check = serviceName(service.slice(0, -zoneName.length - 1), zoneName);
  return check.ok && check.name === service;
}

const isAny = (whose: Whose): boolean => whose === "any instance" || whose === "any host";

/** What identifies a record set, of any type and whoever owns it. */
export type ForeignRecord = Pick<RecordSet, "name" | "setIdentifier"> & { readonly type: string };

/** True for a record that looks as if an agent had written it, and yet none of this version did. */
export const isStrange = (record: ForeignRecord, zoneName: string): boolean =>
  (beginsAsOurs(record.setIdentifier) && !isOwn(record, zoneName, "any instance")) ||
  (beginsAsProxys(record.setIdentifier) &&
    parseProxyIdentifier(record.setIdentifier) === undefined);

/** The record as one of `whose` own; undefined for anybody else's, and for what no agent writes. */
export function ownRecord(
  record: AnyRecord,
  zoneName: string,
  whose: Whose,
): RecordSet | undefined {
  const own = agentsRecord(record, zoneName, whose);
  return own ?? (whose === "any host" ? ownProxyRecord(record, zoneName, "any host") : undefined);
}

function agentsRecord(
  { name, type, setIdentifier = "", ttlSeconds, weight, multivalue, values }: AnyRecord,
  zoneName: string,
  whose: Whose,
): RecordSet | undefined {
  const ours = recordTypes.find((one) => one === type);
  if (ours === undefined || ttlSeconds === undefined) return undefined;
  if (weight === undefined && !multivalue) return undefined;
  if (!isOwn({ name, type, setIdentifier }, zoneName, whose)) return undefined;
  const own = { name, type: ours, setIdentifier, ttlSeconds, values };
  return { ...own, ...(weight !== undefined && { weight }) };
}
