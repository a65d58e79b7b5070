import { ECS_ID, type InstanceId } from "../ecs/arn.ts";
import { isOwn } from "./own-record.ts";
import type { Published } from "./plan.ts";
import { keyOf, type RecordKey, type RecordSet, recordTypes } from "./record-set.ts";

/** Whose journal it is, and until when it can be true. */
export interface JournalScope {
  readonly zoneId: string;
  readonly zoneName: string;
  readonly instance: InstanceId;
  /** Changes with each boot of the host: what was written last before a power loss may not be on the disk. */
  readonly boot: string;
}

export interface Journal {
  readonly published: ReadonlyMap<RecordKey, Published>;
  /** How many hosts were seen to share the zone; at most 10,000 are remembered. */
  readonly hosts: number;
}

/** Which agent keeps it. A host's agents follow on one another, and each has the next generation. */
export interface JournalKeeperId {
  readonly generation: number;
  /** 16 hexadecimal digits, by chance: two agents that start in one moment have the same generation. */
  readonly writer: string;
}

/** Format 1 had no checksum, format 2 no keeper. */
const FORMAT = 3;
/** A zone has at most 10,000 record sets by default (Developer Guide, DNSLimitations), so no more hosts either. */
const MAX_HOSTS = 10_000;
/** Far from where adding one fails. */
const MAX_GENERATION = 2 ** 50;
/** A space, the sum, and the line end. */
const SEAL_LENGTH = 10;
/** API reference, ResourceRecordSet. */
const MAX_TTL_SECONDS = 2_147_483_647;
const MAX_WEIGHT = 255;

/** The file's name: each zone and container instance has its own. */
export const journalName = ({
  zoneId,
  instance,
}: Pick<JournalScope, "zoneId" | "instance">): string => `${zoneId}-${instance}.json`;

/** Whose journal of the zone a file of this name is; undefined for any other file. */
export function journalOwner(name: string, zoneId: string): InstanceId | undefined {
  const [, zone, instance] = JOURNAL_NAME.exec(name) ?? [];
  return zone === zoneId ? (instance as InstanceId | undefined) : undefined;
}
const JOURNAL_NAME = new RegExp(`^(Z[A-Z0-9]+)-(${ECS_ID})\\.json$`);

/** The journal as text: one line, JSON and a sum of it. */
export const formatJournal = (
  { zoneId, zoneName, instance, boot }: JournalScope,
  { published, hosts }: Journal,
  { generation, writer }: JournalKeeperId,
): string => {
  const entries = [...published.values()].map(({ record, certain }) => {
    const { name, type, setIdentifier, ttlSeconds, weight, values } = record;
    return { record: { name, type, setIdentifier, ttlSeconds, weight, values }, certain };
  });
  return sealed(
    JSON.stringify({
      format: FORMAT,
      generation,
      writer,
      zoneId,
      zoneName,
      instance,
      boot,
      hosts: Math.min(MAX_HOSTS, hosts),
      published: entries,
    }),
  );
};

/** The JSON of a journal as its file holds it. */
export const sealed = (json: string): string => `${json} ${sumOf(json)}\n`;

/**
 * FNV-1a, 32 bits. Each step can be undone, so texts that differ in one character never have the same sum; it guards
 * against a bad disk and a hand-made edit, not against somebody who means it.
 */
function sumOf(text: string): string {
  let sum = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) {
    sum = Math.imul(sum ^ text.charCodeAt(at), 0x01000193);
  }
  return (sum >>> 0).toString(16).padStart(8, "0");
}

/**
 * The exact inverse of `formatJournal`. Undefined for text that is torn, of another format, or not of this zone, owner
 * and boot, and for one that holds anything but records this owner could have written: a journal is believed whole or
 * not at all.
 */
export function parseJournal(
  text: string,
  scope: JournalScope,
): (Journal & { readonly by: JournalKeeperId }) | undefined {
  let json: unknown;
  try {
    json = JSON.parse(text.slice(0, -SEAL_LENGTH));
  } catch {
    return undefined;
  }
  const fields = fieldsOf(json);
  if (fields["format"] !== FORMAT) return undefined;
  for (const [name, value] of Object.entries(scope)) if (fields[name] !== value) return undefined;
  const { hosts, published, generation, writer } = fields;
  if (!isCount(hosts, MAX_HOSTS) || !Array.isArray(published)) return undefined;
  if (!isCount(generation, MAX_GENERATION)) return undefined;
  if (typeof writer !== "string" || !/^[0-9a-f]{16}$/.test(writer)) return undefined;
  const entries = new Map<RecordKey, Published>();
  for (const entry of published) {
    const read = readEntry(entry, scope);
    if (read === undefined) return undefined;
    entries.set(keyOf(read.record), read);
  }
  const by = { generation, writer };
  // A wrong sum, a record twice, a field more: no agent of this format has written it.
  return formatJournal(scope, { published: entries, hosts }, by) === text
    ? { published: entries, hosts, by }
    : undefined;
}

function readEntry(entry: unknown, scope: JournalScope): Published | undefined {
  const { record, certain } = fieldsOf(entry);
  const { name, type, setIdentifier, ttlSeconds, weight, values } = fieldsOf(record);
  const known = recordTypes.find((one) => one === type);
  if (known === undefined || typeof certain !== "boolean") return undefined;
  if (typeof name !== "string" || typeof setIdentifier !== "string") return undefined;
  if (!isCount(ttlSeconds, MAX_TTL_SECONDS) || !isTexts(values)) return undefined;
  if (weight !== undefined && !isCount(weight, MAX_WEIGHT)) return undefined;
  const read: RecordSet = {
    name,
    type: known,
    setIdentifier,
    ttlSeconds,
    values,
    ...(weight !== undefined && { weight }),
  };
  return isOwn(read, scope.zoneName, scope.instance) ? { record: read, certain } : undefined;
}

const fieldsOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
const isCount = (value: unknown, max = Number.MAX_SAFE_INTEGER): value is number =>
  Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) <= max;
const isTexts = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.length > 0 && value.every((one) => typeof one === "string");
