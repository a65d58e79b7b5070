import type { Seen } from "../../lib/discovery/flow/look.ts";
import { SERVICE_NAME_LABEL } from "../../lib/discovery/labels.ts";
import type { ContainerId } from "../../lib/docker/container.ts";
import { workQueue } from "../../lib/kit/flow/work-queue.ts";
import { neighbours } from "../../lib/route53/neighbours.ts";
import { ownRecord } from "../../lib/route53/own-record.ts";
import { plan as changesOf, type Published } from "../../lib/route53/plan.ts";
import { instanceOf } from "../../lib/route53/proxy-identifier.ts";
import { proxyRecordsAmong } from "../../lib/route53/proxy-record.ts";
import { keyOf, type RecordKey } from "../../lib/route53/record-set.ts";
import { print, printJson } from "../cli/terminal.ts";
import { containersOf } from "../host/container-looks.ts";
import { systemEdges } from "../host/edges.ts";
import { everyPage } from "../host/every-page.ts";
import { retrying } from "../host/retrying.ts";
import { doubtfulDeletes } from "../host/start-guard.ts";
import { type Answer, together } from "../process/supervise.ts";
import type { Surroundings } from "../process/surroundings.ts";
import type { PlanConfig } from "./config.ts";
import { differencesOf, leftOf, type PlanReport, rightOnes } from "./report.ts";
import { textOf } from "./text.ts";

/**
 * Says what discover would do if it started now: looks at every running container once, as discover does first, and at
 * the whole zone, never at the journal, so that drift shows. Writes nothing anywhere.
 */
export async function plan(
  config: PlanConfig,
  { stop, clock, random, log, env }: Surroundings,
): Promise<Answer> {
  const edges = systemEdges({ ...config, stateDir: "" }, env);
  const retry = retrying(config, { stop, clock, random, log });

  const docker = edges.docker();
  const { agent, owner } = await retry(edges.findEcsAgent);
  const zone = await edges.hostedZone(owner);
  const { name: zoneName } = await retry(() => zone.facts());
  const running = await retry(() => docker.running(SERVICE_NAME_LABEL));

  const { desired, shown, lookAt } = containersOf(config, {
    docker,
    agent,
    owner,
    zoneName,
    edges,
    clock,
    random,
  });
  const seen = new Map<ContainerId, Seen>();
  const done = new AbortController();
  const queue = workQueue<ContainerId>({
    concurrency: config.workers,
    clock,
    stop: AbortSignal.any([stop.signal, done.signal]),
    async work(id) {
      const look = await lookAt(id);
      seen.set(id, look);
      if (look.desired === undefined) return look.againInMs;
      desired.put(id, look.desired);
      return undefined;
    },
  });
  for (const id of running) queue.mark(id);
  await together(stop, [queue.run(), queue.idle().then(() => done.abort())]);
  stop.signal.throwIfAborted();

  const pages = await everyPage(zone.list, retry);
  const all = pages.flatMap(({ records }) => records);
  zone.close();
  const published = new Map<RecordKey, Published>(
    all.flatMap((one) => {
      const record = ownRecord(one, zoneName, owner.instance);
      return record === undefined ? [] : [[keyOf(record), { record, certain: true }] as const];
    }),
  );
  const beside = neighbours(all, new Set(published.keys()));
  const wanted = beside.adopted(desired.records());
  const kept = desired.kept();
  const changes = changesOf(published, wanted, kept);
  const doubtful = config.force
    ? undefined
    : await retry(() => doubtfulDeletes(changes, published.size, { agent, shown }));
  const report: PlanReport = {
    schemaVersion: 1,
    zone: { id: config.hostedZoneId, name: zoneName },
    instance: owner.instance,
    running: running.length,
    differences: differencesOf({ published, desired: wanted, kept, seen, beside }),
    right: rightOnes(published, wanted, kept),
    left: leftOf(seen),
    proxied: proxyRecordsAmong(all, zoneName).filter(
      ({ host }) => instanceOf(host) === owner.instance,
    ).length,
    ...(doubtful !== undefined && { refusal: doubtful.holding }),
  };
  await (config.json ? printJson(report) : print(textOf(report)));
  return report.differences.length === 0
    ? { code: 0, why: "the zone is right" }
    : { code: 3, why: "the zone differs" };
}
