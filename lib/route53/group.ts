import type { InstanceId } from "../ecs/arn.ts";
import type { Published } from "./plan.ts";
import { keyOf, type RecordKey, type RecordSet, type RecordType } from "./record-set.ts";

/** The record sets of one name, as Route 53 holds them. */
export interface Group {
  readonly name: string;
  /** The owner's own. */
  readonly own: readonly RecordSet[];
  readonly types: ReadonlyMap<RecordType, GroupOfType>;
  /** Every container instance that has a record in our form here. */
  readonly instances: readonly InstanceId[];
}

/** Those of one type: they share a limit, and a TTL. */
interface GroupOfType {
  /** How many there are in all. */
  readonly size: number;
  /** The sum of their weights; undefined when they have none. */
  readonly weight?: number;
  /** The TTL of the weighted ones that are not the owner's. Undefined when all are its own. */
  readonly othersTtlSeconds?: number;
}

/** Identifies the record sets of one name and type, of whatever type. */
export type GroupKey = string;
export const groupKey = ({
  name,
  type,
}: {
  readonly name: string;
  readonly type: string;
}): GroupKey => `${name} ${type}`;

/** Route 53's limit of weighted record sets of one name and type (Developer Guide, DNSLimitations). */
export const GROUP_LIMIT = 100;
/** From here on the operator should know. */
export const GROUP_WARNING = 80;

/** The published table once a group has been read: of its name it holds exactly what the group holds of ours. */
export function observed(
  published: ReadonlyMap<RecordKey, Published>,
  group: Pick<Group, "name" | "own">,
): ReadonlyMap<RecordKey, Published> {
  const after = new Map([...published].filter(([, { record }]) => record.name !== group.name));
  for (const record of group.own) after.set(keyOf(record), { record, certain: true });
  return after;
}
