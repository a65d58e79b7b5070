import type { Seen } from "../../lib/fleet/flow/host/seen.ts";
import type { Sender } from "../../lib/fleet/flow/host/sender.ts";
import { doorbell } from "../../lib/kit/flow/doorbell.ts";
import { ROUTE53_BATCH } from "../../lib/route53/batches.ts";
import { zoneWriter } from "../../lib/route53/flow/zone-writer.ts";
import type { ZoneCursor } from "../../lib/route53/io/zone.ts";
import { findPublished } from "../host/find-published.ts";
import type { Host } from "./connect.ts";
import type { Looks } from "./looks.ts";
import type { Run } from "./run.ts";

const LOOK_MS = 1_000;
/** A thousand hosts whose writer is away must not all write at once. */
const SPREAD_MS = 600_000;
const REFUSED_RETRY_MS = 300_000;

export interface Fallback {
  /** Waits until the end; writes the zone while it must. */
  run(end: AbortSignal): Promise<void>;
  isWriting(): boolean;
}

interface Way {
  readonly sending: Sender;
  readonly seen: Seen | undefined;
  /** From now on the writer's picture of this host's records may be wrong. */
  readonly wrote: () => void;
}

/**
 * With --fallback=direct: once the queue has not taken the newest set, or the writer has not shown itself, for the
 * patience and a moment of this host's own within ten minutes, the host writes its records itself; until both are back.
 */
export function fallback(run: Run, host: Host, looks: Looks, way: Way): Fallback {
  const { config, clock, random, log, stop } = run;
  const { sending, seen } = way;
  let isWriting = false;
  const isAway = (): boolean =>
    sending.sent().missingSinceMs !== undefined || seen?.isWriterAway() === true;

  /** True once they have been away for so long; false at the end. */
  const awayForLong = async (end: AbortSignal): Promise<boolean> => {
    let untilMs: number | undefined;
    while (!end.aborted) {
      await clock.sleep(LOOK_MS, end).catch(() => {});
      if (!isAway()) untilMs = undefined;
      else if (untilMs === undefined) {
        const waitMs = config.patience * 1000 + random() * SPREAD_MS;
        untilMs = clock.now() + waitMs;
        log.warn("the writer can't be reached: writes the zone itself if that lasts", {
          retryInSeconds: Math.round(waitMs / 1000),
        });
      } else if (clock.now() >= untilMs) return true;
    }
    return false;
  };

  return {
    isWriting: () => isWriting,
    async run(end) {
      if (config.fallback !== "direct" || config.dryRun) return;
      while (await awayForLong(end)) {
        log.warn("writes the zone itself from now on (--fallback=direct)");
        const back = new AbortController();
        const until = async (): Promise<void> => {
          while (isAway() && !end.aborted) await clock.sleep(LOOK_MS, end).catch(() => {});
          back.abort();
        };
        isWriting = true;
        await Promise.all([
          writeDirect(run, host, looks, way.wrote, AbortSignal.any([end, back.signal])),
          until(),
        ]);
        isWriting = false;
        if (!stop.signal.aborted) log.info("the writer answers again: leaves the zone to it");
        sending.again();
      }
    },
  };
}

/** Writes this host's records until the end, as an agent without a writer does, but keeps no journal. */
async function writeDirect(
  { config, clock, random, log, retry }: Run,
  { zone, owner, zoneName }: Host,
  { desired, changed }: Looks,
  wrote: () => void,
  end: AbortSignal,
): Promise<void> {
  const owned = zone.as(owner.instance, zoneName);
  const { size } = await retry(() => zone.facts());
  const found = await findPublished({
    journal: undefined,
    zone: owned,
    zoneSize: size,
    names: new Set([...desired.records().values()].map(({ name }) => name)),
    whole: true,
    retry,
  });
  wrote();
  const bell = doorbell();
  const work = zoneWriter<ZoneCursor>({
    published: found.published,
    desired: desired.records,
    kept: desired.kept,
    bell,
    zone: { ...owned, remember: async () => {} },
    limits: ROUTE53_BATCH,
    clock,
    random,
    patienceMs: config.patience * 1000,
    refusedRetryMs: REFUSED_RETRY_MS,
    auditMs: 0,
    hosts: found.hosts,
    report(report) {
      if (report.kind !== "landed") return;
      for (const { action, record } of report.changes) {
        log.info(action === "DELETE" ? "removed" : "registered", {
          record: record.name,
          type: record.type,
          address: record.values.join(","),
        });
      }
    },
  });
  // The one bell that rings for changes wakes the sender: both look at the same moment.
  const listen = async (): Promise<void> => {
    while (!end.aborted) {
      await clock.sleep(LOOK_MS, end).catch(() => {});
      bell.ring();
    }
  };
  changed.ring();
  await Promise.all([work.run(end), listen()]);
}
