import { Unavailable } from "../../lib/core/failure.ts";
import type { Change } from "../../lib/core/plan.ts";
import type { RecordSet } from "../../lib/core/record-set.ts";
import type { Submission } from "../../lib/flow/zone-writer.ts";
import {
  applyBatch,
  newZone,
  recordsOf,
  type ZoneRecord,
} from "../../lib/sandbox/route53-rules.ts";
import { ZONE } from "./build.ts";

/** What becomes of one request: done and answered, done but the answer lost, lost before it was done, or turned away. */
export type Fate = "answered" | "answer lost" | "request lost" | "throttled";

export interface RulesZone {
  submit(batch: readonly Change[]): Promise<Submission>;
  readName(name: string): Promise<readonly RecordSet[]>;
  /** Puts records in place, by the same rules. */
  edit(...changes: { action: "UPSERT" | "DELETE"; record: ZoneRecord }[]): void;
  /** Weighted sets in the zone. */
  weighted(): readonly RecordSet[];
  readonly batches: readonly (readonly Change[])[];
  /** The fates of the coming requests; all later ones are answered. */
  fates: Fate[];
}

/** A zone in memory with Route 53's rules, behind the ports of the zone writer. */
export function rulesZone(): RulesZone {
  let zone = newZone("Z1", ZONE);
  const batches: (readonly Change[])[] = [];
  const fates: Fate[] = [];
  const weighted = () =>
    recordsOf(zone).flatMap(({ setIdentifier, weight, ...rest }) =>
      setIdentifier === undefined || weight === undefined
        ? []
        : [
            {
              ...rest,
              name: rest.name.replace(/\.$/, ""),
              type: "A" as const,
              setIdentifier,
              weight,
            },
          ],
    );
  return {
    batches,
    fates,
    weighted,
    edit(...changes) {
      const result = applyBatch(zone, changes);
      if (!result.ok) throw new Error(result.error.message);
      zone = result.zone;
    },
    async submit(batch) {
      batches.push(batch);
      const fate = fates.shift() ?? "answered";
      if (fate === "throttled")
        throw new Unavailable("Route 53", "is busy", { mayHaveLanded: false });
      if (fate === "request lost") throw new Unavailable("Route 53", "is lost");
      const result = applyBatch(
        zone,
        batch.map(({ action, record }) => ({
          action,
          record: { ...record, name: `${record.name}.` },
        })),
      );
      if (result.ok) zone = result.zone;
      if (fate === "answer lost") throw new Unavailable("Route 53", "is lost");
      return result.ok ? { kind: "accepted" } : { kind: "refused", message: result.error.message };
    },
    readName: async (name) => weighted().filter((record) => record.name === name),
  };
}
