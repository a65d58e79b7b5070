import { everyCluster, readFleet } from "../../lib/discovery/flow/fleet.ts";
import { lookTwice } from "../../lib/discovery/flow/look-twice.ts";
import { clusterName } from "../../lib/ecs/fleet.ts";
import { type EcsControl, ecsControl } from "../../lib/ecs/io/control.ts";
import { causes, Fatal } from "../../lib/kit/failure.ts";
import { type HostedZone, hostedZone } from "../../lib/route53/io/zone.ts";
import type { ForeignRecord } from "../../lib/route53/own-record.ts";
import { keyOf } from "../../lib/route53/record-set.ts";
import { everyPage } from "../host/every-page.ts";
import { retrying } from "../host/retrying.ts";
import type { Surroundings } from "../process/surroundings.ts";
import type { SweepConfig } from "./config.ts";
import { removeDead } from "./remove.ts";
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
  const retry = retrying(config, { stop, clock, random, log });

  const { name: zoneName } = await retry(() => edges.zone.facts());
  const zone = edges.zone.as("any host", zoneName);
  const fleetReader = { ecs: edges.ecs, retry };
  const clusters = config.clusters ?? (await everyCluster(fleetReader));

  let strange: readonly ForeignRecord[] = [];
  const { judged, fleets, refusal } = await lookTwice({
    async readZone() {
      const pages = await everyPage(zone.page, retry, { clock, stop: stop.signal });
      strange = pages.flatMap((page) => page.strange);
      // While others write, a record can be on two pages.
      const own = pages.flatMap((page) =>
        page.own.map((record) => [keyOf(record), record] as const),
      );
      return [...new Map(own).values()];
    },
    readFleet: (authors) => readFleet(clusters, authors, fleetReader),
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
  const { outcome, failure } = deletes
    ? await removeDead(judged, zone, { stop, clock, random, log, patienceMs })
    : { outcome: judged };

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
}

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
