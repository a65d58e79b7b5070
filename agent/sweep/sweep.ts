import { everyCluster, readFleet } from "../../lib/discovery/flow/fleet.ts";
import { changedMeanwhile, lookTwice } from "../../lib/discovery/flow/look-twice.ts";
import { authorOf, type Judged } from "../../lib/discovery/sweep.ts";
import { clusterName } from "../../lib/ecs/fleet.ts";
import { type EcsControl, ecsControl } from "../../lib/ecs/io/control.ts";
import { causes, Fatal } from "../../lib/kit/failure.ts";
import { doorbell } from "../../lib/kit/flow/doorbell.ts";
import { ROUTE53_BATCH } from "../../lib/route53/batches.ts";
import { type WriterReport, zoneWriter } from "../../lib/route53/flow/zone-writer.ts";
import type { Group } from "../../lib/route53/group.ts";
import {
  type HostedZone,
  hostedZone,
  type OwnedZone,
  type ZoneCursor,
} from "../../lib/route53/io/zone.ts";
import type { ForeignRecord } from "../../lib/route53/own-record.ts";
import type { Change } from "../../lib/route53/plan.ts";
import { keyOf, type RecordKey, type RecordSet, sameRecord } from "../../lib/route53/record-set.ts";
import { everyPage } from "../host/every-page.ts";
import { insistOn } from "../host/insist.ts";
import type { Surroundings } from "../process/surroundings.ts";
import type { SweepConfig } from "./config.ts";
import { reportOf, type SweepReport } from "./report.ts";

/** All that lies outside of the process. Tests put others in their place. */
export interface SweepEdges {
  readonly zone: HostedZone;
  readonly ecs: EcsControl;
}

/** Throws `Fatal` where the environment names no region. */
function systemEdges(config: SweepConfig, env: Surroundings["env"]): SweepEdges {
  const region = env["AWS_REGION"];
  if (!region) throw new Fatal("no region: set AWS_REGION to the one of the clusters");
  return { zone: hostedZone({ zoneId: config.hostedZoneId, region }), ecs: ecsControl({ region }) };
}

const closing = ({ zone, ecs }: SweepEdges): Disposable => ({
  [Symbol.dispose]() {
    zone.close();
    ecs.close();
  },
});

/**
 * Reads every agent's records and the fleet, twice, and deletes what is dead. Comes back with what it found and did;
 * `problems` are what an operator has to see to. Rejects when nothing could be known, and with the stop's reason.
 */
export async function sweep(
  config: SweepConfig,
  { stop, clock, random, log, env }: Surroundings,
  edges: SweepEdges = systemEdges(config, env),
): Promise<{ readonly report: SweepReport; readonly problems: readonly string[] }> {
  using _ = closing(edges);
  const patienceMs = config.patience * 1000;
  const insist = insistOn(config, { stop, clock, random, log });

  const { name: zoneName } = await insist(() => edges.zone.facts());
  const zone = edges.zone.as("any host", zoneName);
  const fleetReader = { ecs: edges.ecs, insist };
  const clusters = config.clusters ?? (await everyCluster(fleetReader));

  let strange: readonly ForeignRecord[] = [];
  const { judged, fleets, refusal } = await lookTwice({
    async readZone() {
      const pages = await everyPage(zone.page, insist, { clock, stop: stop.signal });
      strange = pages.flatMap((page) => page.strange);
      // While others write, a record can be on two pages.
      const own = pages.flatMap((page) =>
        page.own.map((record) => [keyOf(record), record] as const),
      );
      return [...new Map(own).values()];
    },
    readFleet: (owners) => readFleet(clusters, owners, fleetReader),
    rules: {
      emptyClusters: new Set(config.emptyClusters?.map(clusterName)),
      unknownInstances: config.unknownInstances,
    },
    limit: config.maxDeletes,
    confirmAfterMs: config.confirmAfter * 1000,
    clock,
    stop: stop.signal,
  });
  const deletes = refusal === undefined && !config.dryRun;
  const { outcome, failure } = deletes ? await remove(judged) : { outcome: judged };

  const report = reportOf({
    zone: { id: config.hostedZoneId, name: zoneName },
    dryRun: config.dryRun,
    judged: outcome,
    strange,
    fleets,
    refused: refusal,
  });
  return {
    report,
    problems: [...(failure === undefined ? [] : [causes(failure)]), ...problemsOf(report)],
  };

  /** Deletes the dead, and nothing else: exactly as they were read. Comes back with what became of all, whatever failed. */
  async function remove(
    all: readonly Judged[],
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
    const writer = zoneWriter<ZoneCursor>({
      published: new Map([...dead].map(([key, record]) => [key, { record, certain: true }])),
      desired: () => new Map(),
      kept: () => new Set(),
      bell: doorbell(),
      zone: { ...deadOnly(zone, dead), remember: async () => {} },
      limits: ROUTE53_BATCH,
      clock,
      random,
      patienceMs,
      refusedRetryMs: Number.POSITIVE_INFINITY,
      auditMs: 0,
      hosts: new Set(all.map(({ record }) => authorOf(record)?.instance)).size,
      report,
    });
    const ended = await writer.flush(stop.signal).then(
      () => ({}),
      (failure: unknown) => ({ failure }),
    );
    const isWhole = !("failure" in ended) && !stop.signal.aborted;
    const outcome = all.map((one): Judged => {
      const key = keyOf(one.record);
      if (one.fate.kind !== "dead" || landed.has(key)) return one;
      const detail = refused.get(key);
      if (detail !== undefined) return doubt(one, "refused", detail);
      return isWhole
        ? changedMeanwhile(one)
        : doubt(
            one,
            "unfinished",
            "dead, and the sweep ended before Route 53 had confirmed its delete",
          );
    });
    return { outcome, ...ended };
  }
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

/** Each as one sentence that says what to do. */
function problemsOf({ clusters, unsure, refused }: SweepReport): readonly string[] {
  const refusedByRoute53 = unsure.filter(({ reason }) => reason === "refused");
  const left = unsure.filter(({ reason }) => reason === "unfinished");
  return [
    ...(refused === undefined ? [] : [refused]),
    ...(left.length === 0 ? [] : [`ended before ${left.length} dead records were deleted`]),
    ...clusters.flatMap(({ name, problem }) =>
      problem === undefined ? [] : [`cluster ${name} could not be read: ${problem}`],
    ),
    ...(refusedByRoute53[0] === undefined
      ? []
      : [
          `Route 53 would not delete ${refusedByRoute53.length} records: ${refusedByRoute53[0].detail}`,
        ]),
  ];
}
