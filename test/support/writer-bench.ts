import { expect } from "@jest/globals";
import { doorbell } from "../../lib/kit/flow/doorbell.ts";
import { type BatchLimits, ROUTE53_BATCH } from "../../lib/route53/batches.ts";
import { type WriterReport, zoneWriter } from "../../lib/route53/flow/zone-writer.ts";
import type { Published } from "../../lib/route53/plan.ts";
import { keyOf, type RecordKey, type RecordSet } from "../../lib/route53/record-set.ts";
import { fakeClock } from "./fake-clock.ts";
import { type RulesZone, rulesZone } from "./rules-zone.ts";

/** How long a refused change waits. */
export const RETRY_MS = 300_000;

export interface BenchOptions {
  readonly limits?: BatchLimits;
  readonly zone?: RulesZone;
  readonly auditMs?: number;
  readonly leftoverPages?: number;
  readonly hosts?: number;
  readonly doubtful?: readonly string[];
  readonly random?: () => number;
}

/** The record as the zone holds it. */
export const absolute = <T extends { readonly name: string }>(one: T) => ({
  ...one,
  name: `${one.name}.`,
});

/** A writer over a zone in memory; `hold` keeps requests back until the test lets them through. */
export function bench(known: readonly RecordSet[] = [], options: BenchOptions = {}) {
  const { zone = rulesZone() } = options;
  const clock = fakeClock();
  const stop = new AbortController();
  const bell = doorbell();
  const wanted = new Map<RecordKey, RecordSet>();
  const kept = new Set<RecordKey>();
  const reports: WriterReport[] = [];
  const remembered: (readonly Published[])[] = [];
  const requestsAtMs: number[] = [];
  const caughtUpAtMs: number[] = [];
  let inFlight = 0;
  let isReplaced = false;
  let gate = Promise.resolve();
  if (known.length > 0) {
    zone.edit(...known.map((one) => ({ action: "UPSERT" as const, record: absolute(one) })));
  }
  const alone = async <T>(request: () => Promise<T>): Promise<T> => {
    requestsAtMs.push(clock.now());
    inFlight += 1;
    expect(inFlight).toBe(1);
    await gate;
    return request().finally(() => {
      inFlight -= 1;
    });
  };
  const writer = zoneWriter<string>({
    published: new Map(known.map((one) => [keyOf(one), { record: one, certain: true }])),
    desired: () => wanted,
    kept: () => kept,
    bell,
    zone: {
      submit: (batch) => alone(() => zone.submit(batch)),
      group: (name) => alone(() => zone.group(name)),
      page: (cursor) => alone(() => zone.page(cursor)),
      remember: async (published) => void remembered.push([...published.values()]),
      isReplaced: () => isReplaced,
    },
    limits: options.limits ?? ROUTE53_BATCH,
    clock,
    random: options.random ?? (() => 0.5),
    patienceMs: 60_000,
    refusedRetryMs: RETRY_MS,
    auditMs: options.auditMs ?? 0,
    leftoverPages: options.leftoverPages ?? 0,
    hosts: options.hosts ?? 1,
    doubtful: options.doubtful ?? [],
    report: (report) => reports.push(report),
  });
  return {
    clock,
    stop,
    zone,
    writer,
    bell,
    reports,
    remembered,
    kept,
    requestsAtMs,
    caughtUpAtMs,
    replace() {
      isReplaced = true;
    },
    want(...records: RecordSet[]) {
      for (const one of records) wanted.set(keyOf(one), one);
      bell.ring();
    },
    drop(...records: RecordSet[]) {
      for (const one of records) wanted.delete(keyOf(one));
      bell.ring();
    },
    /** Holds every request until the returned function is called. */
    hold() {
      const { promise, resolve } = Promise.withResolvers<void>();
      gate = promise;
      return resolve;
    },
    told: <K extends WriterReport["kind"]>(kind: K) =>
      reports.filter(
        (report): report is Extract<WriterReport, { kind: K }> => report.kind === kind,
      ),
    refusals: () => reports.filter((report) => report.kind === "refused"),
  };
}
