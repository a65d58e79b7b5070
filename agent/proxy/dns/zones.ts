import { causes, Unavailable } from "../../../lib/kit/failure.ts";
import { doorbell } from "../../../lib/kit/flow/doorbell.ts";
import type { WriterReport } from "../../../lib/route53/flow/zone-writer.ts";
import type { JournalFile } from "../../../lib/route53/io/journal-file.ts";
import type { OpenZone } from "../../../lib/route53/io/zone.ts";
import type { ZoneFacts } from "../../../lib/route53/io/zones.ts";
import type { ProxyHost } from "../../../lib/route53/proxy-identifier.ts";
import { keyOf, type RecordKey, type RecordSet } from "../../../lib/route53/record-set.ts";
import {
  addressRecord,
  byKey,
  challengeRecord,
  isPrivateAddress,
  type Zone,
  zoneOf,
} from "../../../lib/web/dns-records.ts";
import { parseRecords } from "../../../lib/web/records-journal.ts";
import type { Surroundings } from "../../process/surroundings.ts";
import type { ProxyConfig } from "../config.ts";
import { type ZoneWork, zoneWork } from "./zone-work.ts";

/** A name without a zone may have one by then. */
const ZONES_AGAIN_MS = 300_000;
/** After Route 53 has been away for the writer's patience, or refused us, it is asked again. */
const AWAY_MS = 30_000;
const CHALLENGE_LIMIT_MS = 120_000;
const CHALLENGE_LOOK_MS = 100;
/** All hosts of an account share five requests a second; a change takes seconds to reach every name server. */
const IN_SYNC_LOOK_MS = 2_000;
/** Within 60 s (Route 53 FAQ), where its answer was lost and with it the change's id. */
const USUALLY_IN_SYNC_MS = 60_000;

export interface DnsEdges {
  readonly zones: () => Promise<readonly ZoneFacts[]>;
  readonly zone: (id: string) => OpenZone;
  readonly journal: (name: string) => JournalFile;
  /** The names of all files beside the journals. */
  readonly journals: () => Promise<readonly string[]>;
  readonly bootId: () => Promise<string | undefined>;
}

export interface DnsStanding {
  /** Names without a record, and why. */
  readonly problems: ReadonlyMap<string, string>;
  readonly zones: readonly {
    readonly name: string;
    readonly published: number;
    readonly waiting: number;
  }[];
  /** Why Route 53 is not followed now; undefined while it is. */
  readonly away: string | undefined;
}

export interface Dns {
  /** The names that this host is to have a record of. */
  want(names: ReadonlySet<string>): void;
  /** A challenge's value in DNS, or its end; resolves once all name servers have it. Rejects where the name has no zone. */
  challenge(name: string, value: string, isThere: boolean): Promise<void>;
  run(stop: AbortSignal): Promise<void>;
  standing(): DnsStanding;
}

interface Options {
  readonly host: ProxyHost;
  readonly address: string;
  readonly edges: DnsEdges;
  readonly surroundings: Pick<Surroundings, "clock" | "random" | "log">;
  readonly onChange: (text: string) => void;
}

/**
 * Keeps one record set for each wanted name, in the zone that the name belongs to. Nothing is asked while nothing changes.
 * Never rejects for what Route 53 does: what is served does not depend on it.
 */
export function dns(config: Pick<ProxyConfig, "ttl" | "weight">, options: Options): Dns {
  const { host, address, edges, surroundings } = options;
  const { clock } = surroundings;
  const bell = doorbell();
  const rules = { host, address, ttlSeconds: config.ttl, weight: config.weight };
  const isPrivate = isPrivateAddress(address);
  const challenges = new Map<string, RecordSet>();
  let wanted: ReadonlySet<string> | undefined;
  let zones: readonly Zone[] = [];

  const records = (): readonly RecordSet[] => [
    ...[...(wanted ?? [])].map((name) => addressRecord(name, rules)),
    ...challenges.values(),
  ];
  const zoneFor = (name: string): Zone | undefined => zoneOf(name, zones, isPrivate);
  const works = zoneWorks(options, (zone) =>
    byKey(records().filter(({ name }) => zoneFor(name)?.id === zone.id)),
  );

  const listZones = lastingList(clock, edges.zones);
  /** Opens the zones of all names that are wanted. */
  const follow = async (stop: AbortSignal): Promise<void> => {
    const names = records().map(({ name }) => name);
    if (names.some((name) => zoneFor(name) === undefined)) zones = await listZones();
    works.lacking(names.filter((name) => zoneFor(name) === undefined));
    for (const name of names) {
      const zone = zoneFor(name);
      if (zone !== undefined) await works.open(zone, stop);
    }
    works.ring();
    if (works.standing().problems.size > 0) {
      clock.sleep(ZONES_AGAIN_MS, stop).then(bell.ring, () => {});
    }
  };

  return {
    want(names) {
      // The first time, though it is nothing: what is left from before is to go.
      const isSame =
        wanted !== undefined && [...names].toSorted().join() === [...wanted].toSorted().join();
      if (isSame) return;
      wanted = names;
      bell.ring();
    },
    async challenge(name, value, isThere) {
      const record = challengeRecord(name, value, host);
      if (isThere) challenges.set(name, record);
      else challenges.delete(name);
      bell.ring();
      if (isThere) await untilAnswered(record, works, clock);
    },
    async run(stop) {
      let isFirst = true;
      while (!stop.aborted) {
        await bell.rung(stop);
        if (stop.aborted || wanted === undefined) continue;
        try {
          if (isFirst) {
            // Known first, so that what is wanted and was there before is not taken for a leftover.
            if (wanted.size > 0) zones = await listZones();
            await works.openRemembered(stop);
          }
          isFirst = false;
          await follow(stop);
        } catch (error) {
          works.away(error);
          clock.sleep(AWAY_MS, stop).then(bell.ring, () => {});
        }
      }
      await works.ended();
    },
    standing: works.standing,
  };
}

/** Until all of Route 53's name servers answer with the record. Rejects where they won't, or have not in time. */
async function untilAnswered(
  record: RecordSet,
  works: ReturnType<typeof zoneWorks>,
  clock: Surroundings["clock"],
): Promise<void> {
  const untilMs = clock.now() + CHALLENGE_LIMIT_MS;
  for (let work = works.holding(record); ; work = works.holding(record)) {
    if (work !== undefined) return untilInSync(work, record, untilMs, clock);
    const problem = works.standing().problems.get(record.name);
    if (problem !== undefined) throw new Error(`${record.name}: ${problem}`);
    if (clock.now() > untilMs) throw new Error(`Route 53 has not taken ${record.name}`);
    await clock.sleep(CHALLENGE_LOOK_MS);
  }
}

/** An authority that asks too early finds the record before, and the order has failed. */
async function untilInSync(
  { open, changeOf }: Pick<ZoneWork, "open" | "changeOf">,
  record: RecordSet,
  untilMs: number,
  clock: Surroundings["clock"],
): Promise<void> {
  const change = changeOf(keyOf(record));
  if (change === undefined) return clock.sleep(USUALLY_IN_SYNC_MS);
  for (;;) {
    const isInSync = await open.isInSync(change).catch((error: unknown) => {
      if (!(error instanceof Unavailable)) throw error;
      return false;
    });
    if (isInSync) return;
    if (clock.now() > untilMs) {
      throw new Error(`not all of Route 53's name servers have ${record.name} after two minutes`);
    }
    await clock.sleep(IN_SYNC_LOOK_MS);
  }
}

/** The account's zones, asked for anew only when the list is old. */
function lastingList(clock: Surroundings["clock"], ask: DnsEdges["zones"]) {
  let known: { readonly zones: readonly Zone[]; readonly atMs: number } | undefined;
  return async (): Promise<readonly Zone[]> => {
    if (known === undefined || clock.now() - known.atMs >= ZONES_AGAIN_MS) {
      known = { zones: await ask(), atMs: clock.now() };
    }
    return known.zones;
  };
}

/** The zones that are followed. */
function zoneWorks(
  { host, edges, surroundings, onChange }: Options,
  desiredIn: (zone: Zone) => ReadonlyMap<RecordKey, RecordSet>,
) {
  const { clock, log } = surroundings;
  const works = new Map<string, ZoneWork>();
  const running: Promise<void>[] = [];
  const refusals = new Map<string, string>();
  const tell = zoneTeller(log, onChange);
  const report = (report: WriterReport): void => {
    tell(report);
    if (report.kind === "landed") {
      trouble = undefined;
      for (const { record } of report.changes) refusals.delete(record.name);
    } else if (report.kind === "refused") {
      refusals.set(report.change.record.name, report.message);
    } else if (report.kind === "waits") trouble = report.problem;
  };
  let lacking: readonly string[] = [];
  let trouble: string | undefined;

  const away = (error: unknown): void => {
    trouble = causes(error);
    log.warn(`${trouble}; tries again`, { retryInMs: AWAY_MS });
  };
  const open = async (zone: Zone, stop: AbortSignal): Promise<void> => {
    if (works.has(zone.id)) return;
    const work = await zoneWork({
      zone,
      open: edges.zone(zone.id),
      journal: edges.journal(journalName(zone.id)),
      bootId: (await edges.bootId()) ?? "",
      host,
      desired: () => desiredIn(zone),
      report,
      surroundings,
    });
    works.set(zone.id, work);
    running.push(keep(work, away, clock, stop));
  };

  return {
    open,
    away,
    /** Zones in which this host left records, though none of their names may be wanted any more. */
    async openRemembered(stop: AbortSignal): Promise<void> {
      for (const zone of await rememberedZones(edges, host)) await open(zone, stop);
    },
    lacking: (names: readonly string[]) => {
      for (const name of names) {
        if (!lacking.includes(name))
          log.warn(`${name} has no hosted zone in this account`, { record: name });
      }
      lacking = names;
    },
    ring(): void {
      for (const { bell } of works.values()) bell.ring();
    },
    holding: (record: RecordSet): ZoneWork | undefined =>
      [...works.values()].find(({ writer }) => {
        const held = writer.standing().published.get(keyOf(record));
        return held?.certain === true && held.record.values.join() === record.values.join();
      }),
    standing: (): DnsStanding => ({
      problems: new Map([
        ...lacking.map((name) => [name, "no hosted zone of this account is for it"] as const),
        ...refusals,
      ]),
      zones: [...works.values()].map(({ zone, writer }) => {
        const { published, waiting } = writer.standing();
        return { name: zone.name, published: published.size, waiting: waiting.length };
      }),
      away: trouble,
    }),
    async ended(): Promise<void> {
      await Promise.all(running);
      for (const { open } of works.values()) open.close();
    },
  };
}

/** Moves the zone until the stop, whatever happens to Route 53. */
async function keep(
  { writer }: ZoneWork,
  away: (error: unknown) => void,
  clock: Surroundings["clock"],
  stop: AbortSignal,
): Promise<void> {
  while (!stop.aborted) {
    try {
      await writer.run(stop);
    } catch (error) {
      away(error);
      await clock.sleep(AWAY_MS, stop).catch(() => {});
    }
  }
}

async function rememberedZones(
  edges: Pick<DnsEdges, "journals" | "journal">,
  host: ProxyHost,
): Promise<readonly Zone[]> {
  const zones: Zone[] = [];
  for (const name of await edges.journals()) {
    const id = zoneOfJournal(name);
    const text = id === undefined ? undefined : await edges.journal(name).read();
    if (id === undefined || text === undefined) continue;
    const remembered = parseRecords(text, { zoneId: id, host, boot: "" });
    if (remembered === undefined || remembered.published.size === 0) continue;
    zones.push({ id, name: remembered.zoneName, isPrivate: false, size: 0 });
  }
  return zones;
}

const journalName = (zoneId: string): string => `records-${zoneId}.json`;
const zoneOfJournal = (name: string): string | undefined =>
  /^records-(Z[A-Z0-9]{1,31})\.json$/.exec(name)?.[1];

/** The writer's reports as lines of the log, and what has changed for the page. */
const zoneTeller =
  (log: Surroundings["log"], onChange: (text: string) => void) =>
  (report: WriterReport): void => {
    if (report.kind === "landed") {
      for (const { action, record } of report.changes) {
        const what = `${action === "DELETE" ? "removed" : "wrote"} ${record.type} ${record.name}`;
        log.info(`${what} in Route 53`, { record: record.name, address: record.values.join(" ") });
        onChange(what);
      }
    } else if (report.kind === "refused") {
      const { name } = report.change.record;
      log.warn(`Route 53 refused ${name}: ${report.message}`, { record: name });
    } else if (report.kind === "waits") {
      log.warn(`${report.problem}; tries again`, { retryInMs: Math.round(report.delayMs) });
    }
  };
