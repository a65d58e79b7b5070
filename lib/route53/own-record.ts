import type { InstanceId } from "../ecs/arn.ts";
import { type AnyRecord, type RecordSet, recordTypes } from "./record-set.ts";
import { serviceName } from "./service-name.ts";
import { beginsAsOurs, parseSetIdentifier } from "./set-identifier.ts";

/** Whose records to look at: one container instance's, or every one's. */
export type Whose = InstanceId | "any instance";

/** True for a record that `whose` could have written: its identifier, and a name that some label gives. */
export function isOwn(
  { name, setIdentifier }: Pick<RecordSet, "name" | "setIdentifier">,
  zoneName: string,
  whose: Whose,
): boolean {
  const ownership = parseSetIdentifier(setIdentifier);
  if (ownership === undefined) return false;
  if (whose !== "any instance" && ownership.instance !== whose) return false;
  if (!name.endsWith(`.${zoneName}`)) return false;
  const label = name.slice(0, -zoneName.length - 1);
  // RFC 2782's form of an SRV record's name.
  const [, service, rest = ""] = /^_([a-z0-9-]+)\._tcp(\..+)?$/.exec(label) ?? [];
  const plain = service === undefined ? label : `${service}${rest}`;
  const check = serviceName(plain, zoneName);
  return check.ok && check.name === `${plain}.${zoneName}`;
}

/** What identifies a record set, of any type and whoever owns it. */
export type ForeignRecord = Pick<RecordSet, "name" | "setIdentifier"> & { readonly type: string };

/** True for a record that looks as if an agent had written it, and yet none of this version did. */
export const isStrange = (record: ForeignRecord, zoneName: string): boolean =>
  beginsAsOurs(record.setIdentifier) && !isOwn(record, zoneName, "any instance");

/** The record as one of `whose` own; undefined for anybody else's, and for what no agent writes. */
export function ownRecord(
  { name, type, setIdentifier = "", ttlSeconds, weight, multivalue, values }: AnyRecord,
  zoneName: string,
  whose: Whose,
): RecordSet | undefined {
  const ours = recordTypes.find((one) => one === type);
  if (ours === undefined || ttlSeconds === undefined) return undefined;
  if (weight === undefined && !multivalue) return undefined;
  if (!isOwn({ name, setIdentifier }, zoneName, whose)) return undefined;
  const own = { name, type: ours, setIdentifier, ttlSeconds, values };
  return { ...own, ...(weight !== undefined && { weight }) };
}
