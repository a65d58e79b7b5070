import type { InstanceId } from "./arn.ts";
import type { RecordSet } from "./record-set.ts";
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
  const check = serviceName(name.slice(0, -zoneName.length - 1), zoneName);
  return check.ok && check.name === name;
}

/** What identifies a record set, of any type and whoever owns it. */
export type ForeignRecord = Pick<RecordSet, "name" | "setIdentifier"> & { readonly type: string };

/** True for a record that looks as if an agent had written it, and yet none of this version did. */
export const isStrange = (record: ForeignRecord, zoneName: string): boolean =>
  beginsAsOurs(record.setIdentifier) && !isOwn(record, zoneName, "any instance");
