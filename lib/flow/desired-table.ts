import type { ContainerId } from "../core/container.ts";
import type { Desired } from "../core/desired.ts";
import { keyOf, type RecordKey, type RecordSet } from "../core/record-set.ts";

export interface DesiredTable {
  /** What the container asks for from now on, instead of what it asked for before. */
  put(id: ContainerId, desired: Desired): void;
  /** The containers that ask for something, or may. */
  ids(): readonly ContainerId[];
  /** Every record that any container asks for, each once. */
  records(): ReadonlyMap<RecordKey, RecordSet>;
  /** What stays as it is published, because a container that may ask for it is not sure. */
  kept(): ReadonlySet<RecordKey>;
}

/**
 * What the host's containers ask of the zone, by container. Containers of one task ask for one record set: it is there
 * while any of them asks. Should they ask for different contents, the lowest container id decides, whatever the order
 * in which they were looked at.
 */
export function desiredTable(): DesiredTable {
  const table = new Map<ContainerId, Exclude<Desired, { kind: "absent" }>>();
  const entries = () => [...table.entries()].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return {
    put(id, desired) {
      if (desired.kind === "absent") table.delete(id);
      else table.set(id, desired);
    },
    ids: () => [...table.keys()],
    records() {
      const records = new Map<RecordKey, RecordSet>();
      for (const [, desired] of entries()) {
        if (desired.kind !== "serve") continue;
        for (const record of desired.records) {
          if (!records.has(keyOf(record))) records.set(keyOf(record), record);
        }
      }
      return records;
    },
    kept: () =>
      new Set(
        [...table.values()].flatMap((desired) => (desired.kind === "unsure" ? desired.keeps : [])),
      ),
  };
}
