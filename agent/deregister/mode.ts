import { ROUTE53_BATCH } from "../../lib/core/batches.ts";
import { Fatal } from "../../lib/core/failure.ts";
import { doorbell } from "../../lib/flow/doorbell.ts";
import { persist } from "../../lib/flow/persist.ts";
import { type WriterReport, zoneWriter } from "../../lib/flow/zone-writer.ts";
import type { ZoneCursor } from "../../lib/io/route53.ts";
import { systemEdges } from "../edges.ts";
import type { Surroundings } from "../modes.ts";
import { findPublished, openJournal } from "../published.ts";
import type { DeregisterConfig } from "./config.ts";

/** Removes every record of this host: what is desired is nothing, and the writer sends the difference. */
export async function deregister(
  config: DeregisterConfig,
  { stop, clock, random, log, env }: Surroundings,
  edges = systemEdges(config, env),
): Promise<void> {
  const patienceMs = config.patience * 1000;
  const insist = <T>(act: () => Promise<T>): Promise<T> =>
    persist(act, {
      clock,
      random,
      limitMs: patienceMs,
      stop: stop.signal,
      onMiss: (problem) => log.warn(`${problem}; tries again`),
    });
  const { owner } = await insist(edges.findEcsAgent);
  const zone = edges.hostedZone(owner);
  const { name: zoneName, size: zoneSize } = await insist(() => zone.facts());
  const owned = zone.as(owner.instance, zoneName);
  const found = await findPublished({
    // Read from the zone itself: this is the last time that somebody looks.
    journal: undefined,
    zone: owned,
    zoneSize,
    names: new Set(),
    whole: true,
    insist,
  });
  const journal = await openJournal(config, { zoneName, instance: owner.instance }, edges, log);

  const refusals: string[] = [];
  const report = (said: WriterReport): void => {
    if (said.kind === "landed") {
      for (const { record } of said.changes) {
        log.info(config.dryRun ? "would be removed" : "removed", {
          record: record.name,
          address: record.values.join(","),
        });
      }
    } else if (said.kind === "refused") refusals.push(said.message);
    else if (said.kind === "waits") log.warn(said.problem);
  };
  const writer = zoneWriter<ZoneCursor>({
    published: found.published,
    desired: () => new Map(),
    kept: () => new Set(),
    bell: doorbell(),
    zone: {
      ...owned,
      ...(config.dryRun && { submit: async () => ({ kind: "accepted" }) }),
      // An agent that starts again must not believe that they are still there.
      remember: async (published, hosts) => journal?.remember({ published, hosts }),
    },
    limits: ROUTE53_BATCH,
    clock,
    random,
    patienceMs,
    refusedRetryMs: Number.POSITIVE_INFINITY,
    auditMs: 0,
    hosts: found.hosts,
    report,
  });
  await writer.flush(stop.signal);
  zone.close();
  if (stop.signal.aborted) return;
  if (refusals.length > 0) {
    throw new Fatal(`${refusals.length} records could not be removed: ${refusals[0]}`);
  }
  const records = found.published.size;
  if (config.dryRun) log.info("would leave no record of this host", { zone: zoneName, records });
  else log.info("no record of this host is left", { zone: zoneName, records });
}
