import type { ContainerId } from "../core/container.ts";
import type { Desired } from "../core/desired.ts";
import { keyOf, type RecordKey, type RecordSet } from "../core/record-set.ts";

export interface DesiredTable {
  /** What the container asks for from now on, instead of what it asked for before. */
  put(id: ContainerId, desired: Desired): void;
  /** Nobody asks for anything from now on, whatever is put. */
  close(): void;
  /** The containers that ask for something, or may. */
  ids(): readonly ContainerId[];
  /** Every record that any container asks for, each once. */
  records(): ReadonlyMap<RecordKey, RecordSet>;
  /** What stays as it is published, because a container that may ask for it is not sure. */
  kept(): ReadonlySet<RecordKey>;
  /** Names that no healthy container of this host serves, though unhealthy ones run. */
  unhealthyNames(): ReadonlySet<string>;
}

/**
 * What the host's containers ask of the zone, by container.
 * - Containers of one task ask for one record set: it is there while any of them asks. Should they ask for different
 *   contents, the lowest container id decides, whatever the order in which they were looked at.
 * - The record sets of a name have one TTL (Route 53's rule): the least that is asked for.
 * - An unhealthy container asks for nothing while a healthy one of this host serves the name. When all are unhealthy
 *   together, their check is as likely at fault as they are: with `keepUnhealthy` what is published of them stays.
 */
export function desiredTable({ keepUnhealthy }: { readonly keepUnhealthy: boolean }): DesiredTable {
  const table = new Map<ContainerId, Exclude<Desired, { kind: "absent" }>>();
  let isClosed = false;

  const asked = (well: boolean): readonly RecordSet[] =>
    [...table.entries()]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([, desired]) =>
        desired.kind === "serve" && desired.well === well ? desired.records : [],
      );
  const unhealthy = (): readonly RecordSet[] => {
    const served = new Set(asked(true).map(({ name }) => name));
    return asked(false).filter(({ name }) => !served.has(name));
  };

  return {
    put(id, desired) {
      if (desired.kind === "absent" || isClosed) table.delete(id);
      else table.set(id, desired);
    },
    close() {
      isClosed = true;
      table.clear();
    },
    ids: () => [...table.keys()],
    records() {
      const records = new Map<RecordKey, RecordSet>();
      const leastTtl = new Map<string, number>();
      for (const record of asked(true)) {
        const { name, ttlSeconds } = record;
        leastTtl.set(name, Math.min(ttlSeconds, leastTtl.get(name) ?? ttlSeconds));
        if (!records.has(keyOf(record))) records.set(keyOf(record), record);
      }
      for (const [key, record] of records) {
        const ttlSeconds = leastTtl.get(record.name) ?? record.ttlSeconds;
        if (ttlSeconds !== record.ttlSeconds) records.set(key, { ...record, ttlSeconds });
      }
      return records;
    },
    kept: () =>
      new Set([
        ...[...table.values()].flatMap((desired) =>
          desired.kind === "unsure" ? desired.keeps : [],
        ),
        ...(keepUnhealthy ? unhealthy().map(keyOf) : []),
      ]),
    unhealthyNames: () => new Set(unhealthy().map(({ name }) => name)),
  };
}
