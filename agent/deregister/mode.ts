import type { WriterReport } from "../../lib/route53/flow/zone-writer.ts";
import type { ZoneCursor } from "../../lib/route53/io/zone.ts";
import type { RecordSet } from "../../lib/route53/record-set.ts";
import { columns, line, print, printJson } from "../cli/terminal.ts";
import { systemEdges } from "../host/edges.ts";
import { findPublished, openJournal } from "../host/find-published.ts";
import { removal } from "../host/removal.ts";
import { retrying } from "../host/retrying.ts";
import type { Answer } from "../process/supervise.ts";
import type { Surroundings } from "../process/surroundings.ts";
import type { DeregisterConfig } from "./config.ts";

/** What became of this host's records; the form of `--json`. */
export interface DeregisterReport {
  readonly schemaVersion: 1;
  readonly zone: { readonly id: string; readonly name: string };
  readonly instance: string;
  readonly dryRun: boolean;
  readonly removed: readonly RecordSet[];
  readonly refused: readonly { readonly record: RecordSet; readonly message: string }[];
  /** Still there, because it was stopped before it had come to them. */
  readonly left: number;
}

/** Removes every record of this host: what is desired is nothing, and the writer sends the difference. */
export async function deregister(
  config: DeregisterConfig,
  { stop, clock, random, log, env }: Surroundings,
  edges = systemEdges(config, env),
): Promise<Answer> {
  const patienceMs = config.patience * 1000;
  const retry = retrying(config, { stop, clock, random, log });
  const { owner } = await retry(edges.findEcsAgent);
  const zone = await edges.hostedZone(owner);
  const { name: zoneName, size: zoneSize } = await retry(() => zone.facts());
  const owned = zone.as(owner.instance, zoneName);
  const found = await findPublished({
    // Read from the zone itself: this is the last time that somebody looks.
    journal: undefined,
    zone: owned,
    zoneSize,
    names: new Set(),
    whole: true,
    retry,
  });
  const journal = await openJournal(config, { zoneName, instance: owner.instance }, edges, {
    clock,
    random,
    log,
    stop,
  });

  const removed: RecordSet[] = [];
  const refused: { readonly record: RecordSet; readonly message: string }[] = [];
  const report = (said: WriterReport): void => {
    if (said.kind === "landed") removed.push(...said.changes.map(({ record }) => record));
    else if (said.kind === "refused") {
      refused.push({ record: said.change.record, message: said.message });
    } else if (said.kind === "waits") log.warn(said.problem);
  };
  const writer = removal<ZoneCursor>({
    published: found.published,
    zone: {
      ...owned,
      ...(config.dryRun && { submit: async () => ({ kind: "accepted" }) }),
      // An agent that starts again must not believe that they are still there.
      remember: async (published, hosts) => journal?.remember({ published, hosts }),
      isReplaced: () => journal?.isReplaced() === true,
    },
    clock,
    random,
    patienceMs,
    refusedRetryMs: Number.POSITIVE_INFINITY,
    hosts: found.hosts,
    report,
  });
  await writer.flush(stop.signal).catch(stop.fail);
  zone.close();
  const summary: DeregisterReport = {
    schemaVersion: 1,
    zone: { id: config.hostedZoneId, name: zoneName },
    instance: owner.instance,
    dryRun: config.dryRun,
    removed,
    refused,
    left: writer.difference().length - refused.length,
  };
  await (config.json ? printJson(summary) : print(textOf(summary)));
  if (refused.length > 0) return { code: 1, why: "some records could not be removed" };
  return summary.left > 0
    ? { code: 1, why: "stopped before all records were removed" }
    : { code: 0, why: "no record of this host is left" };
}

function textOf({ zone, instance, dryRun, removed, refused, left }: DeregisterReport) {
  const records = `${removed.length} record${removed.length === 1 ? "" : "s"}`;
  return [
    ...columns(
      removed.map(({ name, type, values }) => [
        { text: "-", style: "red" },
        name,
        type,
        values.join(","),
      ]),
    ),
    ...refused.map(({ record, message }) =>
      line({ text: "refused", style: "yellow" }, ` ${record.name} ${record.type}: ${message}`),
    ),
    line(
      `${dryRun ? "would remove" : "removed"} ${records} of host ${instance} from ${zone.name} (${zone.id})`,
      left > 0 ? `, ${left} left` : "",
    ),
  ];
}
