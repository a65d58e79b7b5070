import type { InstanceId } from "../ecs/arn.ts";
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
  /** How many hosts were seen to share the zone. */
  readonly hosts: number;
}

/** 1 had no sum. */
const FORMAT = 2;
/** A space, the sum, and the line end. */
const SEAL_LENGTH = 10;
/** API reference, ResourceRecordSet. */
const MAX_TTL_SECONDS = 2_147_483_647;
const MAX_WEIGHT = 255;

/** The journal as text: one line, JSON and a sum of it. */
export const formatJournal = (
  { zoneId, zoneName, instance, boot }: JournalScope,
  { published, hosts }: Journal,
): string => {
  const entries = [...published.values()].map(({ record, certain }) => {
    const { name, type, setIdentifier, ttlSeconds, weight, values } = record;
    return { record: { name, type, setIdentifier, ttlSeconds, weight, values }, certain };
  });
  const fields = { format: FORMAT, zoneId, zoneName, instance, boot, hosts, published: entries };
  return sealed(JSON.stringify(fields));
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
export function parseJournal(text: string, scope: JournalScope): Journal | undefined {
  let json: unknown;
  try {
    json = JSON.parse(text.slice(0, -SEAL_LENGTH));
  } catch {
    return undefined;
  }
  const fields = fieldsOf(json);
  if (fields["format"] !== FORMAT) return undefined;
  for (const [name, value] of Object.entries(scope)) if (fields[name] !== value) return undefined;
  const { hosts, published } = fields;
  if (!isCount(hosts) || !Array.isArray(published)) return undefined;
  const entries = new Map<RecordKey, Published>();
  for (const entry of published) {
    const read = readEntry(entry, scope);
    if (read === undefined) return undefined;
    entries.set(keyOf(read.record), read);
  }
  const journal = { published: entries, hosts };
  // A wrong sum, a record twice, a field more: no agent of this format has written it.
  return formatJournal(scope, journal) === text ? journal : undefined;
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
