import { Fatal } from "../../lib/kit/failure.ts";
import { ROUTE53_BATCH } from "../../lib/route53/batches.ts";
import type { JournalKeeper } from "../../lib/route53/flow/journal.ts";
import {
  type WriterPorts,
  type WriterReport,
  type ZoneWriter,
  zoneWriter,
} from "../../lib/route53/flow/zone-writer.ts";
import type { ZoneCursor } from "../../lib/route53/io/zone.ts";
import { type Found, findPublished, openJournal } from "../host/find-published.ts";
import { removeFormerSelves } from "../host/former-self.ts";
import { doubtfulDeletes } from "../host/start-guard.ts";
import type { Host } from "./connect.ts";
import type { Looks } from "./looks.ts";
import type { Run } from "./run.ts";

/** A refused record may be refused because of somebody else's, which may be gone by then. */
const REFUSED_RETRY_MS = 300_000;

/**
 * Moves the zone to what the containers ask for, once each of them was looked at: finds out what is published, guards the
 * start, writes until the end, and removes everything where the stop is to do that. `allDone` is called when nothing is
 * left to do (`--once`).
 */
export async function publish(
  run: Run,
  host: Host,
  looks: Looks,
  allDone: () => void,
): Promise<void> {
  const { config, log, end, observed } = run;
  await looks.first;
  if (end.aborted && !isToRemove(run)) return;
  const scope = { zoneName: host.zoneName, instance: host.owner.instance };
  const journal = await openJournal(config, scope, run.edges, run);
  const found = await findOwnRecords(run, host, looks, journal);
  const writer = writerOf(run, host, looks, found, journal);
  observed.found({ kind: "writer", ...writer });
  if (!config.force && !end.aborted) await guardStart(run, host, looks, writer, found);
  looks.forgetShown();
  if (!end.aborted) log.info("every container is looked at once, the zone follows from now on");
  await Promise.all([
    writer.run(end),
    looks.held.run(end),
    afterFirstSync(run, host, looks, writer, found).then(() => {
      if (config.once) allDone();
    }),
  ]);
  if (isToRemove(run)) await removeAll(run, looks, writer, journal);
}

/** A stop that is to remove the records must know them, too; the drain's deadline bounds it. */
const isToRemove = ({ config, stop }: Run): boolean =>
  config.onStop === "remove" && stop.wasAsked();

async function findOwnRecords(
  { config, end, log, retry }: Run,
  { zone, owner, zoneName, zoneSize }: Host,
  { desired }: Looks,
  journal: JournalKeeper | undefined,
): Promise<Found> {
  const never = new AbortController().signal;
  const found = await findPublished({
    journal,
    zone: zone.as(owner.instance, zoneName),
    zoneSize,
    names: new Set([...desired.records().values()].map(({ name }) => name)),
    whole: config.once || end.aborted,
    retry: config.onStop === "remove" ? (act) => retry(act, never) : retry,
  });
  log.info(`knows this host's records from ${found.from}`, { ownRecords: found.published.size });
  return found;
}

function writerOf(
  { config, clock, random, observed }: Run,
  { zone, owner, zoneName }: Host,
  { desired, held, changed, changedAtMs, causes, log }: Looks,
  { published, unreadPages, doubtful, hosts }: Found,
  journal: JournalKeeper | undefined,
): ZoneWriter {
  const pretend: WriterPorts<ZoneCursor>["submit"] = async () => ({ kind: "accepted" });
  const report = (report: WriterReport): void => {
    if (report.kind === "drift") causes.drifted(report.name);
    log.wrote(report, causes.of);
    observed.wrote(report, causes.of);
    if (report.kind === "landed") causes.done(report.changes);
  };
  return zoneWriter<ZoneCursor>({
    published,
    desired: desired.records,
    kept: () => new Set([...desired.kept(), ...held.keys()]),
    bell: changed,
    changedAtMs,
    zone: {
      ...zone.as(owner.instance, zoneName),
      ...(config.dryRun && { submit: pretend }),
      remember: async (table, count) => journal?.remember({ published: table, hosts: count }),
      isReplaced: () => journal?.isReplaced() === true,
    },
    limits: ROUTE53_BATCH,
    clock,
    random,
    patienceMs: config.patience * 1000,
    refusedRetryMs: REFUSED_RETRY_MS,
    auditMs: config.dryRun ? 0 : config.resync * 1000,
    leftoverPages: unreadPages,
    doubtful,
    hosts,
    report,
  });
}

/** Holds back the deletes of a start that are in doubt. Throws `Fatal` where nobody would see the doubt end. */
async function guardStart(
  { config, log, retry }: Run,
  { agent }: Host,
  { held, shown }: Looks,
  writer: ZoneWriter,
  { published }: Found,
): Promise<void> {
  const doubtful = await retry(() =>
    doubtfulDeletes(writer.difference(), published.size, { agent, shown }),
  );
  if (doubtful === undefined) return;
  if (config.once) throw new Fatal(doubtful.refusal);
  held.hold(doubtful.deletes, published.size);
  log.warn(held.problem() ?? "", { records: doubtful.deletes.length });
}

/** Once the zone is right for the first time, what is left of this host under another name goes. */
async function afterFirstSync(
  { config, clock, random, log, edges, end }: Run,
  { owner, zone, zoneName }: Host,
  { queue, causes }: Looks,
  writer: ZoneWriter,
  { hosts }: Found,
): Promise<void> {
  if (config.once) await queue.idle();
  await writer.settled(end);
  // What was right at the start has no cause that a later repair could be told with.
  causes.done("all");
  const surroundings = { clock, random, log };
  await removeFormerSelves({
    ...{ config, owner, zoneName, zone, hosts, edges, surroundings, end },
  });
}

async function removeAll(
  { log }: Run,
  { desired, held }: Looks,
  writer: ZoneWriter,
  journal: JournalKeeper | undefined,
): Promise<void> {
  log.info("removes this host's records (--onStop=remove)");
  desired.close();
  held.letGo();
  await writer.flush().catch((error: unknown) => {
    if (journal?.isReplaced() !== true) throw error;
    log.info("leaves them: another agent of this host has taken them over");
  });
}
