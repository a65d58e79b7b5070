import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { cutBatches, ROUTE53_BATCH } from "../../../lib/route53/batches.ts";
import type { Change } from "../../../lib/route53/plan.ts";
import { del, record, upsert } from "../../support/build.ts";

const many = (count: number, change: typeof upsert, from = 0): Change[] =>
  Array.from({ length: count }, (_, n) => change(record(from + n)));

describe("cutBatches", () => {
  it("fits 500 UPSERTs into a request of 1000 records, because each counts twice", () => {
    expect(cutBatches(many(500, upsert), ROUTE53_BATCH)).toHaveLength(1);
    expect(cutBatches(many(501, upsert), ROUTE53_BATCH).map((batch) => batch.length)).toEqual([
      500, 1,
    ]);
  });

  it("fits 1000 DELETEs into a request", () => {
    expect(cutBatches(many(1000, del), ROUTE53_BATCH)).toHaveLength(1);
    expect(cutBatches(many(1001, del), ROUTE53_BATCH)).toHaveLength(2);
  });

  it("counts characters, an UPSERT's twice", () => {
    const wide = (n: number) => record(n, { values: ["x".repeat(4_000)] });
    const batches = cutBatches(
      [1, 2, 3, 4, 5].map((n) => upsert(wide(n))),
      ROUTE53_BATCH,
    );
    expect(batches.map((batch) => batch.length)).toEqual([4, 1]);
  });

  it("counts a REPLACE with what goes and what comes", () => {
    const { weight: _, ...after } = record(1);
    const replaces = Array.from({ length: 501 }, (__, n) => ({
      action: "REPLACE" as const,
      record: { ...after, setIdentifier: `s-${n}` },
      before: record(n),
    }));
    expect(cutBatches(replaces, ROUTE53_BATCH).map((batch) => batch.length)).toEqual([500, 1]);
  });

  it("makes no batch of nothing", () => {
    expect(cutBatches([], ROUTE53_BATCH)).toEqual([]);
  });

  it("throws for a change that no request can hold", () => {
    const huge = record(1, { values: ["x".repeat(16_001)] });
    expect(() => cutBatches([upsert(huge)], ROUTE53_BATCH)).toThrow(RangeError);
    expect(cutBatches([del(huge)], ROUTE53_BATCH)).toHaveLength(1);
  });

  it("throws for a record set that is changed twice", () => {
    expect(() => cutBatches([del(record(1)), upsert(record(1))], ROUTE53_BATCH)).toThrow(
      "changed twice",
    );
  });

  it("leaves nothing out, keeps the order and stays within the limits", () => {
    const changes = fc
      .array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 4 })), { maxLength: 60 })
      .map((all) =>
        all.map(([isUpsert, values], n) =>
          (isUpsert ? upsert : del)(
            record(n, { values: Array.from({ length: values }, (_, v) => `10.0.0.${v}`) }),
          ),
        ),
      );
    const limits = { records: 8, characters: 64 };
    fc.assert(
      fc.property(changes, (all) => {
        const batches = cutBatches(all, limits);
        expect(batches.flat()).toEqual(all);
        for (const batch of batches) {
          const counted = batch.flatMap((c) =>
            c.action === "UPSERT" ? [c.record, c.record] : [c.record],
          );
          const values = counted.flatMap((one) => one.values);
          expect(values.length).toBeLessThanOrEqual(limits.records);
          expect(values.join("").length).toBeLessThanOrEqual(limits.characters);
        }
      }),
    );
  });
});
