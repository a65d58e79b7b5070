import type { InstanceId } from "../../lib/ecs/arn.ts";
import { causes, Fatal, Unavailable } from "../../lib/kit/failure.ts";
import { doorbell } from "../../lib/kit/flow/doorbell.ts";
import { ROUTE53_BATCH } from "../../lib/route53/batches.ts";
import {
  type WriterPorts,
  type ZoneWriter,
  zoneWriter,
} from "../../lib/route53/flow/zone-writer.ts";
import type { JournalFile } from "../../lib/route53/io/journal-file.ts";
import { type OpenZone, PAGE_SIZE, type ZoneCursor } from "../../lib/route53/io/zone.ts";
import type { ZoneFacts } from "../../lib/route53/io/zones.ts";
import type { Published } from "../../lib/route53/plan.ts";
import type { ProxyHost } from "../../lib/route53/proxy-identifier.ts";
import {
  type RecordKey,
  type RecordSet,
  type RecordType,
  recordTypes,
} from "../../lib/route53/record-set.ts";
import {
  addressRecord,
  byKey,
  challengeRecord,
  isPrivateAddress,
  ownProxyRecord,
  plainName,
  proxyHostsAmong,
  type Zone,
  zoneOf,
} from "../../lib/web/dns-records.ts";
import { formatRecords, parseRecords } from "../../lib/web/records-journal.ts";
import type { Surroundings } from "../process/surroundings.ts";
import type { ProxyConfig } from "./config.ts";

/** A refused record may be refused because of somebody else's, which may be gone by then. */
const REFUSED_RETRY_MS = 300_000;
/** Each name of ours is compared with the zone once in this time. */
const AUDIT_MS = 3_600_000;
/** A name without a zone may have one by then. */
const ZONES_AGAIN_MS = 300_000;
/** After Route 53 has been away for the writer's patience, or refused us, it is asked again. */
const AWAY_MS = 30_000;
const REQUEST_PATIENCE_MS = 60_000;

export interface DnsEdges {
  readonly zones: () => Promise<readonly ZoneFacts[]>;
  readonly zone: (id: string) => OpenZone;
  readonly journal: (name: string) => JournalFile;
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
  /** A challenge's value in DNS, or its end; resolves once Route 53 has taken it. Rejects where the name has no zone. */
  challenge(name: string, value: string, isThere: boolean): Promise<void>;
  run(stop: AbortSignal): Promise<void>;
  standing(): DnsStanding;
}

interface ZoneWork {
  readonly zone: Zone;
  readonly open: OpenZone;
  readonly writer: ZoneWriter;
  readonly bell: ReturnType<typeof doorbell>;
}

/**
 * Keeps one record set for each wanted name, in the zone that the name belongs to. Nothing is asked while nothing changes.
 * Never rejects for what Route 53 does: what is served does not depend on it.
 */
export function dns(
  config: Pick<ProxyConfig, "ttl" | "weight">,
  {
    host,
    address,
    edges,
    surroundings,
    onChange,
  }: {
    readonly host: ProxyHost;
    readonly address: string;
    readonly edges: DnsEdges;
    readonly surroundings: Pick<Surroundings, "clock" | "random" | "log">;
    readonly onChange: (text: string) => void;
  },
): Dns {
  const { clock, random, log } = surroundings;
  const bell = doorbell();
  const rules = { host, address, ttlSeconds: config.ttl, weight: config.weight };
  const isPrivate = isPrivateAddress(address);
  const works = new Map<string, ZoneWork>();
  const challenges = new Map<string, RecordSet>();
  const problems = new Map<string, string>();
  const refusals = new Map<string, string>();
  let wanted: ReadonlySet<string> = new Set();
  let isWantedKnown = false;
  let zones: readonly Zone[] | undefined;
  let listedAtMs = 0;
  let away: string | undefined;

  const desiredIn = (zone: Zone) => (): ReadonlyMap<RecordKey, RecordSet> => {
    const here = [...wanted].filter((name) => zoneFor(name)?.id === zone.id);
    const answers = [...challenges.values()].filter(({ name }) => zoneFor(name)?.id === zone.id);
    return byKey([...here.map((name) => addressRecord(name, rules)), ...answers]);
  };
  const zoneFor = (name: string): Zone | undefined => zoneOf(name, zones ?? [], isPrivate);

  const openWork = async (zone: Zone): Promise<ZoneWork> => {
    const open = edges.zone(zone.id);
    const file = edges.journal(journalName(zone.id));
    const boot = (await edges.bootId()) ?? "";
    const scope = { zoneId: zone.id, zoneName: zone.name, host, boot };
    const text = await file.read().catch(() => undefined);
    const remembered = text === undefined ? undefined : parseRecords(text, scope);
    const bell = doorbell();
    const writer = zoneWriter<ZoneCursor>({
      published: remembered?.published ?? new Map(),
      desired: desiredIn(zone),
      kept: () => new Set(),
      bell,
      zone: portsOf(open, zone.name, host, async (published) => {
        await file.write(formatRecords(scope, published)).catch((error: unknown) => {
          log.warn("can't write the journal of records, works without", {
            zone: zone.name,
            cause: causes(error),
          });
        });
      }),
      limits: ROUTE53_BATCH,
      clock,
      random,
      patienceMs: REQUEST_PATIENCE_MS,
      refusedRetryMs: REFUSED_RETRY_MS,
      auditMs: AUDIT_MS,
      leftoverPages: remembered === undefined ? Math.ceil(zone.size / PAGE_SIZE) : 0,
      hosts: 1,
      report(report) {
        if (report.kind === "landed") {
          away = undefined;
          for (const { action, record } of report.changes) {
            refusals.delete(record.name);
            const what = `${action === "DELETE" ? "removed" : "wrote"} ${record.type} ${record.name}`;
            log.info(`${what} in Route 53`, {
              record: record.name,
              type: record.type,
              address: record.values.join(" "),
              zone: zone.name,
            });
            onChange(what);
          }
        } else if (report.kind === "refused") {
          refusals.set(report.change.record.name, report.message);
          log.warn(`Route 53 refused ${report.change.record.name}: ${report.message}`, {
            record: report.change.record.name,
          });
        } else if (report.kind === "waits") {
          away = report.problem;
          log.warn(`${report.problem}; tries again`, { retryInMs: Math.round(report.delayMs) });
        }
      },
    });
    return { zone, open, writer, bell };
  };

  const keep = async ({ zone, writer }: ZoneWork, stop: AbortSignal): Promise<void> => {
    while (!stop.aborted) {
      try {
        await writer.run(stop);
      } catch (error) {
        away = causes(error);
        log.error(`the zone ${zone.name} is not followed: ${away}; tries again`, {
          retryInMs: AWAY_MS,
        });
        await clock.sleep(AWAY_MS, stop).catch(() => {});
      }
    }
  };

  /** The zones as they are now, where a name has none yet, or none is known. */
  const listZones = async (): Promise<void> => {
    const isLacking = [...wanted, ...[...challenges.values()].map(({ name }) => name)].some(
      (name) => zoneFor(name) === undefined,
    );
    const isOld = zones === undefined || clock.now() - listedAtMs >= ZONES_AGAIN_MS;
    if (!isLacking || !isOld) return;
    zones = await edges.zones();
    listedAtMs = clock.now();
  };

  const openAll = async (): Promise<readonly ZoneWork[]> => {
    const names = [...wanted, ...[...challenges.values()].map(({ name }) => name)];
    problems.clear();
    const needed = new Map<string, Zone>();
    for (const name of names) {
      const zone = zoneFor(name);
      if (zone === undefined) problems.set(name, "no hosted zone of this account is for it");
      else needed.set(zone.id, zone);
    }
    const fresh: ZoneWork[] = [];
    for (const zone of needed.values()) {
      if (works.has(zone.id)) continue;
      const work = await openWork(zone);
      works.set(zone.id, work);
      fresh.push(work);
    }
    return fresh;
  };

  /** Zones in which this host left records, though none of their names may be wanted any more. */
  const openRemembered = async (): Promise<readonly ZoneWork[]> => {
    const fresh: ZoneWork[] = [];
    for (const name of await edges.journals()) {
      const id = zoneOfJournal(name);
      const text = id === undefined ? undefined : await edges.journal(name).read();
      const remembered = id && text && parseRecords(text, { zoneId: id, host, boot: "" });
      if (!id || !remembered || remembered.published.size === 0) continue;
      const zone = { id, name: remembered.zoneName, isPrivate: false, size: 0 };
      const work = await openWork(zone);
      works.set(id, work);
      fresh.push(work);
    }
    return fresh;
  };

  return {
    want(names) {
      const isSame = [...names].toSorted().join() === [...wanted].toSorted().join();
      // The first time, though it is nothing: what is left from before is to go.
      if (isSame && isWantedKnown) return;
      isWantedKnown = true;
      wanted = names;
      bell.ring();
    },
    async challenge(name, value, isThere) {
      const record = challengeRecord(name, value, host);
      if (isThere) challenges.set(name, record);
      else challenges.delete(name);
      bell.ring();
      if (!isThere) return;
      await untilPublished(record);
    },
    async run(stop) {
      const running: Promise<void>[] = [];
      let isFirst = true;
      while (!stop.aborted) {
        await bell.rung(stop);
        if (stop.aborted) break;
        try {
          await listZones();
          const fresh = [...(isFirst ? await openRemembered() : []), ...(await openAll())];
          isFirst = false;
          for (const work of fresh) running.push(keep(work, stop));
          for (const { bell } of works.values()) bell.ring();
          if (problems.size > 0) clock.sleep(ZONES_AGAIN_MS, stop).then(bell.ring, () => {});
        } catch (error) {
          if (!(error instanceof Unavailable) && !(error instanceof Fatal)) throw error;
          away = causes(error);
          log.warn(`${away}; tries again`, { retryInMs: AWAY_MS });
          clock.sleep(AWAY_MS, stop).then(bell.ring, () => {});
        }
      }
      await Promise.all(running);
      for (const { open } of works.values()) open.close();
    },
    standing: () => ({
      problems: new Map([...problems, ...refusals]),
      zones: [...works.values()].map(({ zone, writer }) => {
        const { published, waiting } = writer.standing();
        return { name: zone.name, published: published.size, waiting: waiting.length };
      }),
      away,
    }),
  };

  async function untilPublished(record: RecordSet): Promise<void> {
    const key = [...byKey([record]).keys()][0] as RecordKey;
    for (let tries = 0; tries < 600; tries += 1) {
      if (problems.has(record.name))
        throw new Error(`${record.name}: ${problems.get(record.name)}`);
      const zone = zoneFor(record.name);
      const held = zone && works.get(zone.id)?.writer.standing().published.get(key);
      if (held?.certain && held.record.values.join() === record.values.join()) return;
      await clock.sleep(100);
    }
    throw new Error(`Route 53 did not take ${record.name} within 60 s`);
  }
}

const journalName = (zoneId: string): string => `records-${zoneId}.json`;
const zoneOfJournal = (name: string): string | undefined =>
  /^records-(Z[A-Z0-9]{1,31})\.json$/.exec(name)?.[1];

/** The zone as this host's proxy reads and writes it: its own records and nobody else's. */
function portsOf(
  open: OpenZone,
  zoneName: string,
  host: ProxyHost,
  remember: (published: ReadonlyMap<RecordKey, Published>) => Promise<void>,
): WriterPorts<ZoneCursor> {
  // Whose the records are is in their identifiers: this view is asked for nothing but to send them.
  const all = open.as("any instance", zoneName);
  const instances = (records: Parameters<typeof proxyHostsAmong>[0]) =>
    proxyHostsAmong(records) as readonly string[] as readonly InstanceId[];
  return {
    submit: (batch) => all.submit(batch),
    async group(name) {
      const { records } = await open.list({ StartRecordName: name, StartRecordType: "A" });
      const here = records.filter((record) => plainName(record.name) === name);
      const own = here.flatMap((record) => ownProxyRecord(record, zoneName, host) ?? []);
      const types = recordTypes.map(
        (type): [RecordType, { size: number; othersTtlSeconds?: number }] => {
          const of = here.filter((record) => record.type === type);
          const other = of.find(
            ({ setIdentifier = "", weight }) =>
              weight !== undefined &&
              !own.some((one) => one.type === type && one.setIdentifier === setIdentifier),
          );
          return [
            type,
            {
              size: of.length,
              ...(other?.ttlSeconds !== undefined && { othersTtlSeconds: other.ttlSeconds }),
            },
          ];
        },
      );
      return { name, own, types: new Map(types), instances: instances(here) };
    },
    async page(cursor) {
      const { records, next } = await open.list(cursor);
      return {
        own: records.flatMap((record) => ownProxyRecord(record, zoneName, host) ?? []),
        instances: instances(records),
        ...(next !== undefined && { next }),
      };
    },
    remember,
  };
}
