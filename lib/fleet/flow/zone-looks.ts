import type { InstanceId } from "../../ecs/arn.ts";
import { causes, Unavailable } from "../../kit/failure.ts";
import type { Clock, Random } from "../../kit/flow/clock.ts";
import type { ZonePage } from "../../route53/flow/zone-writer.ts";
import type { Group } from "../../route53/group.ts";
import type { Whose } from "../../route53/own-record.ts";
import { keyOf, type RecordKey, type RecordSet } from "../../route53/record-set.ts";
import { parseSetIdentifier } from "../../route53/set-identifier.ts";
import type { Records } from "./owners.ts";
import type { ZoneFleet } from "./zone-fleet.ts";

/** What is read of a zone; each function throws `Unavailable` when trying again may help. */
export interface ReadableZone<Cursor> {
  /** What the zone holds under one name, as this owner sees it, or all agents together. */
  readonly group: (whose: Whose, name: string) => Promise<Group>;
  /** All owners' records from the cursor on. */
  readonly page: (cursor: Cursor | undefined) => Promise<ZonePage<Cursor>>;
}

interface Looking {
  readonly clock: Clock;
  readonly random: Random;
  readonly waits: (problem: string) => void;
}

type FoundByOwner = ReadonlyMap<InstanceId, Records>;

/** Records on a page of a list; a zone also holds others' records, so that it may take more pages. */
const PAGE_RECORDS = 300;
const RETRY_MS = 2_000;
/** Looks for what single owners may have leave room for everything else. */
const LOOK_GAP_MS = 250;
/** How often it is asked whether there are such owners. */
const LOOK_MS = 1_000;

/**
 * Reads the whole zone, a page at a time with a pause after each, trying again for as long as it takes; undefined at the
 * stop.
 */
export async function readZone<Cursor>(
  { page }: Pick<ReadableZone<Cursor>, "page">,
  pauseMs: () => number,
  looking: Looking,
  stop: AbortSignal,
): Promise<FoundByOwner | undefined> {
  const found = new Map<InstanceId, Map<RecordKey, RecordSet>>();
  let cursor: Cursor | undefined;
  for (;;) {
    const from = cursor;
    const answer = await insist(() => page(from), looking, stop);
    if (answer === undefined) return undefined;
    sort(answer.own, found);
    if (answer.next === undefined) return found;
    cursor = answer.next;
    await looking.clock.sleep(pauseMs(), stop).catch(() => {});
  }
}

/** Compares the whole zone again and again, each time spread over the interval, until the stop. */
export async function comparePasses<Cursor>(
  zone: ReadableZone<Cursor>,
  fleet: ZoneFleet,
  intervalMs: number,
  looking: Looking,
  stop: AbortSignal,
): Promise<void> {
  const { clock, random } = looking;
  while (intervalMs > 0 && !stop.aborted) {
    const gapMs = intervalMs / (Math.ceil(fleet.size() / PAGE_RECORDS) + 2);
    await clock.sleep(gapMs * (0.5 + random()), stop).catch(() => {});
    const sinceMs = clock.now();
    const found = await readZone(zone, () => gapMs * (0.5 + random() / 2), looking, stop);
    if (found !== undefined) await fleet.compare(found, sinceMs);
  }
}

/**
 * Looks what the zone holds of owners of which more may be there than is known: under their names, or, where that takes
 * fewer requests, in the whole zone, for all of them at once.
 */
export async function lookForUnsure<Cursor>(
  zone: ReadableZone<Cursor>,
  fleet: ZoneFleet,
  looking: Looking,
  stop: AbortSignal,
): Promise<void> {
  const { clock } = looking;
  while (!stop.aborted) {
    await clock.sleep(LOOK_MS, stop).catch(() => {});
    const { owners, names } = fleet.unsure();
    if (owners.size === 0) continue;
    const sinceMs = clock.now();
    const isShort = names.size <= Math.ceil(fleet.size() / PAGE_RECORDS) + 1;
    const found = isShort
      ? await readNames(zone, names, looking, stop)
      : await readZone(zone, () => LOOK_GAP_MS, looking, stop);
    if (found !== undefined) await fleet.settle(owners, found, isShort ? names : "all", sinceMs);
  }
}

async function readNames<Cursor>(
  { group }: Pick<ReadableZone<Cursor>, "group">,
  names: Iterable<string>,
  looking: Looking,
  stop: AbortSignal,
): Promise<FoundByOwner | undefined> {
  const found = new Map<InstanceId, Map<RecordKey, RecordSet>>();
  for (const name of names) {
    const answer = await insist(() => group("any instance", name), looking, stop);
    if (answer === undefined) return undefined;
    sort(answer.own, found);
    await looking.clock.sleep(LOOK_GAP_MS, stop).catch(() => {});
  }
  return found;
}

async function insist<T>(
  act: () => Promise<T>,
  { clock, random, waits }: Looking,
  stop: AbortSignal,
): Promise<T | undefined> {
  while (!stop.aborted) {
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      waits(causes(error));
      await clock.sleep(RETRY_MS * (0.5 + random()), stop).catch(() => {});
    }
  }
  return undefined;
}

function sort(
  records: readonly RecordSet[],
  found: Map<InstanceId, Map<RecordKey, RecordSet>>,
): void {
  for (const record of records) {
    const owner = parseSetIdentifier(record.setIdentifier)?.instance;
    if (owner === undefined) continue;
    const its = found.get(owner) ?? new Map<RecordKey, RecordSet>();
    found.set(owner, its.set(keyOf(record), record));
  }
}
