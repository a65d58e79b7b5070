import type { InstanceId } from "../../../lib/ecs/arn.ts";
import { causes } from "../../../lib/kit/failure.ts";
import { type Doorbell, doorbell } from "../../../lib/kit/flow/doorbell.ts";
import { PAGE_SIZE, ROUTE53_BATCH } from "../../../lib/route53/batches.ts";
import {
  type WriterPorts,
  type WriterReport,
  type ZoneWriter,
  zoneWriter,
} from "../../../lib/route53/flow/zone-writer.ts";
import { observed } from "../../../lib/route53/group.ts";
import type { JournalFile } from "../../../lib/route53/io/journal-file.ts";
import type { OpenZone, ZoneCursor } from "../../../lib/route53/io/zone.ts";
import type { Published } from "../../../lib/route53/plan.ts";
import type { ProxyHost } from "../../../lib/route53/proxy-identifier.ts";
import { ownProxyRecord, plainName, proxyHostsAmong } from "../../../lib/route53/proxy-record.ts";
import {
  keyOf,
  type RecordKey,
  type RecordSet,
  type RecordType,
  recordTypes,
} from "../../../lib/route53/record-set.ts";
import type { Zone } from "../../../lib/web/dns-records.ts";
import { formatRecords, parseRecords } from "../../../lib/web/records-journal.ts";
import type { Surroundings } from "../../process/surroundings.ts";

/** A refused record may be refused because of somebody else's, which may be gone by then. */
const REFUSED_RETRY_MS = 300_000;
/** Each name of ours is compared with the zone once in this time. */
const AUDIT_MS = 3_600_000;
const REQUEST_PATIENCE_MS = 60_000;

/** One zone and what moves it. */
export interface ZoneWork {
  readonly zone: Zone;
  readonly open: OpenZone;
  readonly writer: ZoneWriter;
  readonly bell: Doorbell;
  /** The change with which Route 53 took the record; undefined where its answer was lost. */
  readonly changeOf: (key: RecordKey) => string | undefined;
}

/** So many more requests are worth it to know the whole zone at once, leftovers included. */
const WORTH_IT = 2;

/**
 * Begins with what this host has in the zone: as its journal says; without one, as the zone says, whole where that takes
 * few requests, else under the names that are desired, and the rest is read over a while for what may have been left.
 * Rejects with `Unavailable` where Route 53 does not answer.
 */
export async function zoneWork({
  zone,
  open,
  journal,
  bootId,
  host,
  desired,
  report,
  surroundings,
}: {
  readonly zone: Zone;
  readonly open: OpenZone;
  readonly journal: JournalFile;
  readonly bootId: string;
  readonly host: ProxyHost;
  readonly desired: () => ReadonlyMap<RecordKey, RecordSet>;
  readonly report: (report: WriterReport) => void;
  readonly surroundings: Pick<Surroundings, "clock" | "random" | "log">;
}): Promise<ZoneWork> {
  const scope = { zoneId: zone.id, zoneName: zone.name, host, boot: bootId };
  const text = await journal.read().catch(() => undefined);
  const remembered = text === undefined ? undefined : parseRecords(text, scope);
  const changes = new Map<RecordKey, string>();
  const ports = rememberingChanges(portsOf(open, zone.name, host, remember), changes);
  const names = new Set([...desired().values()].map(({ name }) => name));
  const pages = Math.ceil(zone.size / PAGE_SIZE);
  const isSmall = pages <= names.size + WORTH_IT;
  const published =
    remembered?.published ?? (await (isSmall ? wholeZone(ports) : underNames(ports, names)));
  const bell = doorbell();
  const { clock, random, log } = surroundings;
  async function remember(published: ReadonlyMap<RecordKey, Published>): Promise<void> {
    await journal.write(formatRecords(scope, published)).catch((error: unknown) => {
      log.warn("can't write the journal of records, works without", {
        zone: zone.name,
        cause: causes(error),
      });
    });
  }
  const writer = zoneWriter<ZoneCursor>({
    published,
    desired,
    kept: () => new Set(),
    bell,
    zone: ports,
    limits: ROUTE53_BATCH,
    clock,
    random,
    patienceMs: REQUEST_PATIENCE_MS,
    refusedRetryMs: REFUSED_RETRY_MS,
    auditMs: AUDIT_MS,
    leftoverPages: remembered === undefined && !isSmall ? pages : 0,
    hosts: 1,
    report,
  });
  return { zone, open, writer, bell, changeOf: (key) => changes.get(key) };
}

/** Notes with which change each challenge was taken, for as long as it is there. */
const rememberingChanges = (
  ports: WriterPorts<ZoneCursor>,
  changes: Map<RecordKey, string>,
): WriterPorts<ZoneCursor> => ({
  ...ports,
  async submit(batch) {
    const submission = await ports.submit(batch);
    if (submission.kind !== "accepted") return submission;
    for (const { action, record } of batch) {
      if (record.type !== "TXT") continue;
      if (action === "DELETE" || submission.changeId === undefined) changes.delete(keyOf(record));
      else changes.set(keyOf(record), submission.changeId);
    }
    return submission;
  },
});

async function wholeZone({
  page,
}: Pick<WriterPorts<ZoneCursor>, "page">): Promise<ReadonlyMap<RecordKey, Published>> {
  const published = new Map<RecordKey, Published>();
  let cursor: ZoneCursor | undefined;
  do {
    const { own, next } = await page(cursor);
    for (const record of own) published.set(keyOf(record), { record, certain: true });
    cursor = next;
  } while (cursor !== undefined);
  return published;
}

async function underNames(
  { group }: Pick<WriterPorts<ZoneCursor>, "group">,
  names: ReadonlySet<string>,
): Promise<ReadonlyMap<RecordKey, Published>> {
  let published: ReadonlyMap<RecordKey, Published> = new Map();
  for (const name of names) published = observed(published, await group(name));
  return published;
}

/** The zone as this host's proxy reads and writes it: its own records and nobody else's. */
function portsOf(
  open: OpenZone,
  zoneName: string,
  host: ProxyHost,
  remember: WriterPorts<ZoneCursor>["remember"],
): WriterPorts<ZoneCursor> {
  // Whose the records are is in their identifiers: this view is asked for nothing but to send them.
  const all = open.as("any instance", zoneName);
  // The writer only counts them, to share the account's rate.
  const hosts = (records: Parameters<typeof proxyHostsAmong>[0]) =>
    proxyHostsAmong(records) as readonly string[] as readonly InstanceId[];
  return {
    submit: (batch) => all.submit(batch),
    async group(name) {
      const { records } = await open.list({ StartRecordName: name, StartRecordType: "A" });
      const here = records.filter((record) => plainName(record.name) === name);
      const own = here.flatMap((record) => ownProxyRecord(record, zoneName, host) ?? []);
      const isOwn = (type: RecordType, setIdentifier = "") =>
        own.some((one) => one.type === type && one.setIdentifier === setIdentifier);
      const types = recordTypes.map((type) => {
        const of = here.filter((record) => record.type === type);
        const other = of.find(
          ({ setIdentifier, weight }) => weight !== undefined && !isOwn(type, setIdentifier),
        );
        const ttl = other?.ttlSeconds;
        return [
          type,
          { size: of.length, ...(ttl !== undefined && { othersTtlSeconds: ttl }) },
        ] as const;
      });
      return { name, own, types: new Map(types), instances: hosts(here) };
    },
    async page(cursor) {
      const { records, next } = await open.list(cursor);
      return {
        own: records.flatMap((record) => ownProxyRecord(record, zoneName, host) ?? []),
        instances: hosts(records),
        ...(next !== undefined && { next }),
      };
    },
    remember,
  };
}
