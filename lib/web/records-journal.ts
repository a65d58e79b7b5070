import { nameProblem } from "../net/host-name.ts";
import type { Published } from "../route53/plan.ts";
import type { ProxyHost } from "../route53/proxy-identifier.ts";
import { ownProxyRecord } from "../route53/proxy-record.ts";
import { keyOf, type RecordKey } from "../route53/record-set.ts";

/** Whose journal it is, and until when it can be true. */
export interface RecordsScope {
  readonly zoneId: string;
  readonly zoneName: string;
  readonly host: ProxyHost;
  /** Changes with each boot: what was written last before a power loss may not be on the disk. */
  readonly boot: string;
}

const FORMAT = 1;

/** What this host has in a zone, as one line of JSON. */
export const formatRecords = (
  scope: RecordsScope,
  published: ReadonlyMap<RecordKey, Published>,
): string =>
  `${JSON.stringify({
    format: FORMAT,
    ...scope,
    published: [...published.values()].map(({ record, certain }) => ({ ...record, certain })),
  })}\n`;

export interface RememberedRecords {
  readonly zoneName: string;
  readonly published: ReadonlyMap<RecordKey, Published>;
}

/**
 * The inverse of `formatRecords`, of this zone and host. Of another boot all is in doubt. Undefined for text that is torn,
 * or holds anything but records that this host could have written: a journal is believed whole or not at all.
 */
export function parseRecords(
  text: string,
  { zoneId, host, boot }: Pick<RecordsScope, "zoneId" | "host" | "boot">,
): RememberedRecords | undefined {
  const fields = fieldsOf(json(text));
  const { zoneName, published } = fields;
  if (fields["format"] !== FORMAT || fields["zoneId"] !== zoneId || fields["host"] !== host)
    return undefined;
  if (typeof zoneName !== "string" || nameProblem(zoneName) !== undefined) return undefined;
  if (!Array.isArray(published)) return undefined;
  const found = new Map<RecordKey, Published>();
  for (const entry of published) {
    const { name, type, setIdentifier, ttlSeconds, weight, values, certain } = fieldsOf(entry);
    if (typeof name !== "string" || typeof type !== "string" || typeof setIdentifier !== "string")
      return undefined;
    if (!Number.isSafeInteger(ttlSeconds) || !isTexts(values) || typeof certain !== "boolean")
      return undefined;
    if (weight !== undefined && !Number.isSafeInteger(weight)) return undefined;
    const record = ownProxyRecord(
      {
        name,
        type,
        setIdentifier,
        ttlSeconds: ttlSeconds as number,
        values,
        multivalue: weight === undefined,
        ...(weight !== undefined && { weight: weight as number }),
      },
      zoneName,
      host,
    );
    if (record === undefined) return undefined;
    found.set(keyOf(record), { record, certain: certain && fields["boot"] === boot });
  }
  return { zoneName, published: found };
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const fieldsOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
const isTexts = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((one) => typeof one === "string");
