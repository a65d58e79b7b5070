import type { InstanceId } from "../../ecs/arn.ts";
import { causes, Unavailable } from "../../kit/failure.ts";
import type { Clock, Random } from "../../kit/flow/clock.ts";
import type { ZonePage } from "../../route53/flow/zone-writer.ts";
import { keyOf, type RecordKey, type RecordSet } from "../../route53/record-set.ts";
import { parseSetIdentifier } from "../../route53/set-identifier.ts";

/** All records of ours in a zone, by the owner that their set identifier names. */
export type FoundByOwner = ReadonlyMap<InstanceId, ReadonlyMap<RecordKey, RecordSet>>;

const RETRY_MS = 2_000;

/**
 * Reads the whole zone once, a page at a time with a pause after each, trying again for as long as it takes; undefined
 * at the stop.
 */
export async function zonePass<Cursor>({
  page,
  pauseMs,
  clock,
  random,
  stop,
  waits,
}: {
  readonly page: (cursor: Cursor | undefined) => Promise<ZonePage<Cursor>>;
  readonly pauseMs: () => number;
  readonly clock: Clock;
  readonly random: Random;
  readonly stop: AbortSignal;
  readonly waits: (problem: string) => void;
}): Promise<FoundByOwner | undefined> {
  const found = new Map<InstanceId, Map<RecordKey, RecordSet>>();
  let cursor: Cursor | undefined;
  for (;;) {
    if (stop.aborted) return undefined;
    try {
      const { own, next } = await page(cursor);
      for (const record of own) {
        const owner = parseSetIdentifier(record.setIdentifier)?.instance;
        if (owner === undefined) continue;
        const records = found.get(owner) ?? new Map<RecordKey, RecordSet>();
        found.set(owner, records.set(keyOf(record), record));
      }
      if (next === undefined) return found;
      cursor = next;
      await clock.sleep(pauseMs(), stop).catch(() => {});
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      waits(causes(error));
      await clock.sleep(RETRY_MS * (0.5 + random()), stop).catch(() => {});
    }
  }
}
