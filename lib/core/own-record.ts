import type { InstanceId } from "./arn.ts";
import type { RecordSet } from "./record-set.ts";
import { serviceName } from "./service-name.ts";
import { parseSetIdentifier } from "./set-identifier.ts";

/** True for a record that `instance` could have written: its identifier, and a name that some label gives. */
export function isOwn(
  { name, setIdentifier }: Pick<RecordSet, "name" | "setIdentifier">,
  zoneName: string,
  instance: InstanceId,
): boolean {
  if (parseSetIdentifier(setIdentifier)?.instance !== instance) return false;
  if (!name.endsWith(`.${zoneName}`)) return false;
  const check = serviceName(name.slice(0, -zoneName.length - 1), zoneName);
  return check.ok && check.name === name;
}
