import { GROUP_LIMIT, groupKey } from "./group.ts";
import { type AnyRecord, keyOf, type RecordKey, type RecordSet } from "./record-set.ts";

/** What the zone holds beside the records of one owner, by name. */
export interface Neighbours {
  /** The records with the TTL of others in their group, where they have another: a group has one (Route 53's rule). */
  adopted(records: ReadonlyMap<RecordKey, RecordSet>): ReadonlyMap<RecordKey, RecordSet>;
  /** Why Route 53 would refuse the record, in our words; undefined when nothing is known to stand in its way. */
  obstacle(record: RecordSet): string | undefined;
}

/** `own` are the keys of the owner's records among `all`. */
export function neighbours(all: readonly AnyRecord[], own: ReadonlySet<RecordKey>): Neighbours {
  const isOwn = ({ name, type, setIdentifier = "" }: AnyRecord) =>
    own.has(`${name} ${type} ${setIdentifier}` as RecordKey);
  const others = all.filter((record) => !isOwn(record));
  const groups = Map.groupBy(others, groupKey);
  const sizes = groupSizes(all);
  const aliases = new Set(others.filter(({ type }) => type === "CNAME").map(({ name }) => name));
  const of = (record: RecordSet) => groups.get(groupKey(record)) ?? [];

  return {
    adopted: (records) =>
      new Map(
        [...records].map(([key, record]) => {
          const other = of(record).find(({ weight }) => weight !== undefined);
          const ttlSeconds = other?.ttlSeconds ?? record.ttlSeconds;
          return [key, ttlSeconds === record.ttlSeconds ? record : { ...record, ttlSeconds }];
        }),
      ),
    obstacle(record) {
      if (aliases.has(record.name)) return "a CNAME that is not this host's has the name";
      const isOdd = ({ weight, multivalue }: AnyRecord) =>
        record.weight === undefined ? !multivalue : weight === undefined;
      const odd = of(record).find(isOdd);
      if (odd !== undefined) {
        return `${record.type} records that are not this host's have the name with another routing policy`;
      }
      const size = sizes.get(groupKey(record)) ?? 0;
      return size >= GROUP_LIMIT && !own.has(keyOf(record))
        ? `the name has ${size} ${record.type} record sets, and Route 53 takes ${GROUP_LIMIT}`
        : undefined;
    },
  };
}

/** How many record sets each name has of each type, by `<name> <type>`. */
export function groupSizes(all: readonly AnyRecord[]): ReadonlyMap<string, number> {
  const sizes = new Map<string, number>();
  for (const record of all) {
    const key = groupKey(record);
    sizes.set(key, (sizes.get(key) ?? 0) + 1);
  }
  return sizes;
}
