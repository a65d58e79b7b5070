import { GROUP_WARNING, type Group, type GroupKey, groupKey } from "../group.ts";
import { keyOf, type RecordKey, type RecordSet, recordTypes } from "../record-set.ts";

export type GroupReport =
  | { readonly kind: "adopts-ttl"; readonly name: string; readonly ttlSeconds: number }
  | { readonly kind: "nearly-full"; readonly name: string; readonly size: number };

/** What reads have taught about the groups that this owner's records are in. */
export interface GroupMemory {
  /** Takes over what a read shows of a name's groups; `desired` are the owner's own wishes. */
  learn(group: Group, desired: ReadonlyMap<RecordKey, RecordSet>): void;
  /** The TTL that others hold a group with, where it is not the owner's own. */
  adoptedTtl(of: GroupKey): number | undefined;
  /** The records, each with its group's TTL. */
  adopted(records: ReadonlyMap<RecordKey, RecordSet>): ReadonlyMap<RecordKey, RecordSet>;
  /** Forgets every group of other names: whoever comes back begins anew. */
  keepOnly(names: () => ReadonlySet<string>): void;
}

/** Tells of each TTL that it adopts, and of each group that becomes nearly full, once. */
export function groupMemory(report: (report: GroupReport) => void): GroupMemory {
  const ttls = new Map<GroupKey, number>();
  const nearlyFull = new Set<GroupKey>();
  return {
    learn({ name, types }, desired) {
      for (const type of recordTypes) {
        const key = groupKey({ name, type });
        const { size, othersTtlSeconds } = types.get(type) ?? { size: 0 };
        const mine = [...desired.values()].find((record) => groupKey(record) === key);
        if (othersTtlSeconds === undefined || othersTtlSeconds === mine?.ttlSeconds) {
          ttls.delete(key);
        } else if (mine !== undefined && ttls.get(key) !== othersTtlSeconds) {
          ttls.set(key, othersTtlSeconds);
          report({ kind: "adopts-ttl", name, ttlSeconds: othersTtlSeconds });
        }
        if (size < GROUP_WARNING) nearlyFull.delete(key);
        else if (!nearlyFull.has(key)) {
          nearlyFull.add(key);
          report({ kind: "nearly-full", name, size });
        }
      }
    },
    adoptedTtl: (of) => ttls.get(of),
    adopted(records) {
      if (ttls.size === 0) return records;
      return new Map(
        [...records.values()].map((record) => {
          const ttlSeconds = ttls.get(groupKey(record)) ?? record.ttlSeconds;
          return [keyOf(record), { ...record, ttlSeconds }];
        }),
      );
    },
    keepOnly(names) {
      if (ttls.size === 0 && nearlyFull.size === 0) return;
      const kept = new Set(
        [...names()].flatMap((name) => recordTypes.map((type) => groupKey({ name, type }))),
      );
      for (const key of ttls.keys()) if (!kept.has(key)) ttls.delete(key);
      for (const key of nearlyFull) if (!kept.has(key)) nearlyFull.delete(key);
    },
  };
}
