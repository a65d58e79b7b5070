import { doorbell } from "../../lib/kit/flow/doorbell.ts";
import { ROUTE53_BATCH } from "../../lib/route53/batches.ts";
import {
  type ZoneWriter,
  type ZoneWriterOptions,
  zoneWriter,
} from "../../lib/route53/flow/zone-writer.ts";

/** A zone writer for which nothing is desired and nothing is kept: its `flush` deletes all that is published. */
export const removal = <Cursor>(
  options: Omit<
    ZoneWriterOptions<Cursor>,
    "desired" | "kept" | "bell" | "changedAtMs" | "limits" | "auditMs" | "leftoverPages"
  >,
): ZoneWriter =>
  zoneWriter<Cursor>({
    ...options,
    desired: () => new Map(),
    kept: () => new Set(),
    bell: doorbell(),
    limits: ROUTE53_BATCH,
    auditMs: 0,
  });
