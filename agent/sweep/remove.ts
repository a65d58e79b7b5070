import { changedMeanwhile } from "../../lib/discovery/flow/look-twice.ts";
import { authorOf, type Judged } from "../../lib/discovery/sweep.ts";
import type { WriterReport } from "../../lib/route53/flow/zone-writer.ts";
import type { Group } from "../../lib/route53/group.ts";
import type { OwnedZone, ZoneCursor } from "../../lib/route53/io/zone.ts";
import type { Change } from "../../lib/route53/plan.ts";
import { keyOf, type RecordKey, type RecordSet, sameRecord } from "../../lib/route53/record-set.ts";
import { removal } from "../host/removal.ts";
import type { Surroundings } from "../process/surroundings.ts";

/** Deletes the dead, and nothing else: exactly as they were read. Comes back with what became of all, whatever failed. */
export async function removeDead(
  all: readonly Judged[],
  zone: OwnedZone,
  {
    stop,
    clock,
    random,
    log,
    patienceMs,
  }: Pick<Surroundings, "stop" | "clock" | "random" | "log"> & { readonly patienceMs: number },
): Promise<{ readonly outcome: readonly Judged[]; readonly failure?: unknown }> {
  const dead = new Map(
    all.flatMap(({ record, fate }) =>
      fate.kind === "dead" ? [[keyOf(record), record] as const] : [],
    ),
  );
  const landed = new Set<RecordKey>();
  const refused = new Map<RecordKey, string>();
  const report = (said: WriterReport): void => {
    if (said.kind === "landed") {
      for (const { record } of said.changes) {
        landed.add(keyOf(record));
        log.info("removed", { record: record.name, address: record.values.join(",") });
      }
    } else if (said.kind === "refused") refused.set(keyOf(said.change.record), said.message);
    else if (said.kind === "waits") log.warn(said.problem);
  };
  const writer = removal<ZoneCursor>({
    published: new Map([...dead].map(([key, record]) => [key, { record, certain: true }])),
    zone: { ...deadOnly(zone, dead), remember: async () => {} },
    clock,
    random,
    patienceMs,
    refusedRetryMs: Number.POSITIVE_INFINITY,
    hosts: new Set(all.map(({ record }) => authorOf(record)?.instance)).size,
    report,
  });
  const ended = await writer.flush(stop.signal).then(
    () => ({}),
    (failure: unknown) => ({ failure }),
  );
  const isWhole = !("failure" in ended) && !stop.signal.aborted;
  const outcome = all.map((one) => afterwards(one, { landed, refused, isWhole }));
  return { outcome, ...ended };
}

/** What is known of a record after the deletes. */
function afterwards(
  one: Judged,
  {
    landed,
    refused,
    isWhole,
  }: {
    readonly landed: ReadonlySet<RecordKey>;
    readonly refused: ReadonlyMap<RecordKey, string>;
    readonly isWhole: boolean;
  },
): Judged {
  const key = keyOf(one.record);
  if (one.fate.kind !== "dead" || landed.has(key)) return one;
  const detail = refused.get(key);
  if (detail !== undefined) return doubt(one, "refused", detail);
  if (isWhole) return changedMeanwhile(one);
  const unconfirmed = "dead, and the sweep ended before Route 53 had confirmed its delete";
  return doubt(one, "unfinished", unconfirmed);
}

/**
 * The zone as if it held nothing but the dead, exactly as they were judged: whatever the writer reads after a refusal,
 * it never takes a live record for one that it should delete.
 */
function deadOnly(
  zone: OwnedZone,
  dead: ReadonlyMap<RecordKey, RecordSet>,
): Pick<OwnedZone, "group" | "page" | "submit"> {
  const isDead = (record: RecordSet): boolean => {
    const judged = dead.get(keyOf(record));
    return judged !== undefined && sameRecord(judged, record);
  };
  return {
    async group(name): Promise<Group> {
      const group = await zone.group(name);
      return { ...group, own: group.own.filter(isDead) };
    },
    async page(cursor) {
      const page = await zone.page(cursor);
      return { ...page, own: page.own.filter(isDead) };
    },
    async submit(batch: readonly Change[]) {
      const stray = batch.find(({ action, record }) => action !== "DELETE" || !isDead(record));
      if (stray !== undefined) {
        throw new Error(
          `a sweep deletes the dead only, got ${stray.action} ${keyOf(stray.record)}`,
        );
      }
      return zone.submit(batch);
    },
  };
}

const doubt = ({ record }: Judged, reason: "refused" | "unfinished", detail: string): Judged => ({
  record,
  fate: { kind: "unsure", reason, detail },
});
