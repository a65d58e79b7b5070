import { Unavailable } from "../../lib/kit/failure.ts";
import type { Submission, ZonePage } from "../../lib/route53/flow/zone-writer.ts";
import type { Group } from "../../lib/route53/group.ts";
import { type Change, stepsOf } from "../../lib/route53/plan.ts";
import { keyOf, type RecordSet } from "../../lib/route53/record-set.ts";
import { parseSetIdentifier } from "../../lib/route53/set-identifier.ts";
import {
  applyBatch,
  newZone,
  recordsOf,
  type ZoneRecord,
} from "../../lib/standins/route53/rules.ts";
import { owner, ZONE } from "./build.ts";

/** What becomes of one request: done and answered, done but the answer lost, lost before it was done, or turned away. */
export type Fate = "answered" | "answer lost" | "request lost" | "throttled";

export interface RulesZone {
  submit(batch: readonly Change[]): Promise<Submission>;
  /** How a read of a name or page fares; later ones are answered. */
  readFates: Fate[];
  group(name: string): Promise<Group>;
  /** Pages of `pageSize` records of the whole zone; the cursor is the last key of the page before. */
  page(cursor: string | undefined): Promise<ZonePage<string>>;
  pageSize: number;
  readonly reads: readonly string[];
  /** Puts records in place, by the same rules. */
  edit(...changes: { action: "UPSERT" | "DELETE"; record: ZoneRecord }[]): void;
  /** Weighted sets in the zone, and multivalue answers. */
  weighted(): readonly RecordSet[];
  readonly batches: readonly (readonly Change[])[];
  /** The fates of the coming requests; all later ones are answered. */
  fates: Fate[];
}

/** A zone in memory with Route 53's rules, behind the ports of the zone writer of one container instance. */
export function rulesZone(instance = owner.instance): RulesZone {
  let zone = newZone("Z1", ZONE);
  const batches: (readonly Change[])[] = [];
  const fates: Fate[] = [];
  const readFates: Fate[] = [];
  const reads: string[] = [];
  const read = (what: string) => {
    reads.push(what);
    const fate = readFates.shift() ?? "answered";
    if (fate !== "answered") {
      throw new Unavailable("Route 53", "is busy", fate === "throttled" ? { demand: "fewer" } : {});
    }
  };
  const isOurs = (record: RecordSet) =>
    parseSetIdentifier(record.setIdentifier)?.instance === instance;
  const instancesOf = (records: readonly RecordSet[]) => [
    ...new Set(records.flatMap((one) => parseSetIdentifier(one.setIdentifier)?.instance ?? [])),
  ];
  const weighted = (): readonly RecordSet[] =>
    recordsOf(zone).flatMap(({ setIdentifier, multiValueAnswer, ...rest }) => {
      if (setIdentifier === undefined) return [];
      if (rest.weight === undefined && multiValueAnswer !== true) return [];
      return [{ ...rest, name: rest.name.replace(/\.$/, ""), type: "A" as const, setIdentifier }];
    });
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
      if (fate === "throttled") {
        throw new Unavailable("Route 53", "is busy", { mayHaveLanded: false, demand: "fewer" });
      }
      if (fate === "request lost") throw new Unavailable("Route 53", "is lost");
      const absolute = (one: RecordSet) => ({
        ...one,
        name: `${one.name}.`,
        ...(one.weight === undefined && { multiValueAnswer: true }),
      });
      const result = applyBatch(
        zone,
        stepsOf(batch).map(({ action, record }) => ({ action, record: absolute(record) })),
      );
      if (result.ok) zone = result.zone;
      if (fate === "answer lost") throw new Unavailable("Route 53", "is lost");
      return result.ok ? { kind: "accepted" } : { kind: "refused", message: result.error.message };
    },
    readFates,
    reads,
    pageSize: 300,
    async group(name) {
      read(name);
      const here = weighted().filter((record) => record.name === name);
      const other = here.find((one) => !isOurs(one));
      return {
        name,
        own: here.filter(isOurs),
        types: new Map([
          [
            "A" as const,
            {
              size: here.length,
              ...(other !== undefined && { othersTtlSeconds: other.ttlSeconds }),
            },
          ],
        ]),
        instances: instancesOf(here),
      };
    },
    async page(after = "") {
      read(`page ${after}`);
      const records = weighted()
        .toSorted((one, other) => (keyOf(one) < keyOf(other) ? -1 : 1))
        .filter((one) => keyOf(one) > after);
      const page = records.slice(0, this.pageSize);
      const last = page.at(-1);
      return {
        own: page.filter(isOurs),
        instances: instancesOf(page),
        ...(last !== undefined && records.length > page.length && { next: keyOf(last) }),
      };
    },
  };
}
