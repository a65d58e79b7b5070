import type { InstanceId } from "./arn.ts";
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

const FORMAT = 1;

/** The journal as text: one line of JSON. */
export const formatJournal = (scope: JournalScope, { published, hosts }: Journal): string =>
  `${JSON.stringify({ format: FORMAT, ...scope, hosts, published: [...published.values()] })}\n`;

/**
 * The exact inverse of `formatJournal`. Undefined for text that is torn, of another format, or not of this zone, owner
 * and boot, and for one that holds anything but records this owner could have written: a journal is believed whole or
 * not at all.
 */
export function parseJournal(text: string, scope: JournalScope): Journal | undefined {
  // Without its line end the text is torn.
  if (!text.endsWith("}\n")) return undefined;
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  const journal = fieldsOf(json);
  if (journal["format"] !== FORMAT) return undefined;
  for (const [name, value] of Object.entries(scope)) if (journal[name] !== value) return undefined;
  const { hosts, published } = journal;
  if (!isCount(hosts) || !Array.isArray(published)) return undefined;
  const entries = new Map<RecordKey, Published>();
  for (const entry of published) {
    const read = readEntry(entry, scope);
    if (read === undefined) return undefined;
    entries.set(keyOf(read.record), read);
  }
  return { published: entries, hosts };
}

function readEntry(entry: unknown, scope: JournalScope): Published | undefined {
  const { record, certain } = fieldsOf(entry);
  const { name, type, setIdentifier, ttlSeconds, weight, values } = fieldsOf(record);
  const known = recordTypes.find((one) => one === type);
  if (known === undefined || typeof certain !== "boolean") return undefined;
  if (typeof name !== "string" || typeof setIdentifier !== "string") return undefined;
  if (!isCount(ttlSeconds) || !isTexts(values)) return undefined;
  if (weight !== undefined && !isCount(weight)) return undefined;
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
const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && Number(value) >= 0;
const isTexts = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((one) => typeof one === "string");
