import type { ContainerId } from "../../docker/container.ts";
import { keyOf, type RecordKey, type RecordSet } from "../../route53/record-set.ts";
import { plainName } from "../../route53/service-name.ts";
import type { Desired } from "../desired.ts";

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
 *   together, their check is as likely at fault as they are: with `keepUnhealthy` those that were healthy before serve
 *   again, though they fell ill one after another, and of the others what is published stays.
 */
export function desiredTable({ keepUnhealthy }: { readonly keepUnhealthy: boolean }): DesiredTable {
  const table = new Map<ContainerId, Exclude<Desired, { kind: "absent" }>>();
  const wereWell = new Set<ContainerId>();
  let isClosed = false;

  const asking = (of: (id: ContainerId, well: boolean) => boolean) =>
    [...table.entries()]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([id, desired]) =>
        desired.kind === "serve" && of(id, desired.well) ? [desired.records] : [],
      );
  const wellOnes = (): readonly RecordSet[] => asking((_, well) => well).flat();
  /** Of services that no healthy container serves. */
  const unhealthy = (of: (id: ContainerId) => boolean): readonly OfService[] => {
    const served = new Set(wellOnes().map(({ name }) => name));
    return asking((id, well) => !well && of(id))
      .flatMap(ofServices)
      .filter(({ service }) => !served.has(service));
  };

  return {
    put(id, desired) {
      if (desired.kind === "absent" || isClosed) {
        table.delete(id);
        wereWell.delete(id);
        return;
      }
      table.set(id, desired);
      if (desired.kind === "serve" && desired.well) wereWell.add(id);
    },
    close() {
      isClosed = true;
      table.clear();
    },
    ids: () => [...table.keys()],
    records() {
      const records = new Map<RecordKey, RecordSet>();
      const leastTtl = new Map<string, number>();
      const fallenIll = keepUnhealthy ? unhealthy((id) => wereWell.has(id)) : [];
      for (const record of [...wellOnes(), ...fallenIll.map((one) => one.record)]) {
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
        ...(keepUnhealthy
          ? unhealthy((id) => !wereWell.has(id)).map(({ record }) => keyOf(record))
          : []),
      ]),
    unhealthyNames() {
      const names = new Set(unhealthy(() => true).map(({ service }) => service));
      for (const desired of table.values()) {
        // It may be healthy, and serve one of them.
        if (desired.kind === "unsure") for (const name of desired.names) names.delete(name);
      }
      return names;
    },
  };
}

interface OfService {
  readonly record: RecordSet;
  /** The name that clients ask for: the record's own, or, for an SRV record's target, that SRV record's. */
  readonly service: string;
}

/** One container's records, each with the service that it belongs to. */
function ofServices(records: readonly RecordSet[]): readonly OfService[] {
  const services = new Map(
    records.flatMap(({ type, name, values }) =>
      type === "SRV" ? values.map((value) => [value.split(" ").at(-1), name] as const) : [],
    ),
  );
  return records.map((record) => ({
    record,
    service: plainName(services.get(record.name) ?? record.name),
  }));
}
