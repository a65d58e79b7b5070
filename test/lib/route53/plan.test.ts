import { describe, expect, it, test } from "@jest/globals";
import fc from "fast-check";
import { accepted, type Published, plan, uncertain } from "../../../lib/route53/plan.ts";
import {
  keyOf,
  type RecordKey,
  type RecordSet,
  sameRecord,
} from "../../../lib/route53/record-set.ts";
import { del, record, upsert } from "../../support/build.ts";

const published = (...all: Published[]) => new Map(all.map((one) => [keyOf(one.record), one]));
const desired = (...all: RecordSet[]) => new Map(all.map((one) => [keyOf(one), one]));
const sure = (one: RecordSet): Published => ({ record: one, certain: true });
const perhaps = (one: RecordSet): Published => ({ record: one, certain: false });

const R = record(1);
const P = record(1, { values: ["10.9.9.9"] });
const { weight: _, ...M } = R;
const none = new Set<RecordKey>();
const kept = new Set([keyOf(R)]);

describe("the plan's truth table", () => {
  test.each([
    ["nothing, nothing", published(), desired(), none, []],
    ["nothing, R", published(), desired(R), none, [upsert(R)]],
    ["R, R", published(sure(R)), desired(R), none, []],
    ["P, R", published(sure(P)), desired(R), none, [upsert(R)]],
    ["P, nothing", published(sure(P)), desired(), none, [del(P)]],
    ["P, nothing but kept", published(sure(P)), desired(), kept, []],
    ["P, R and kept", published(sure(P)), desired(R), kept, [upsert(R)]],
    [
      "weighted P, multivalue R",
      published(sure(P)),
      desired(M),
      none,
      [{ action: "REPLACE" as const, record: M, before: P }],
    ],
    ["perhaps R, R", published(perhaps(R)), desired(R), none, [upsert(R)]],
    ["perhaps P, R", published(perhaps(P)), desired(R), none, [upsert(R)]],
    ["perhaps P, nothing", published(perhaps(P)), desired(), none, [del(P)]],
    ["perhaps P, nothing but kept", published(perhaps(P)), desired(), kept, []],
  ])("%s", (_, before, wanted, keep, changes) => {
    expect(plan(before, wanted, keep)).toEqual(changes);
  });

  test.each([
    ["ttl", { ttlSeconds: 11 }],
    ["weight", { weight: 2 }],
    ["values", { values: ["10.0.0.9"] }],
  ])("a different %s is a difference", (_, over) => {
    expect(plan(published(sure(record(1, over))), desired(R), none)).toEqual([upsert(R)]);
  });

  it("the order of values is none", () => {
    const one = record(1, { values: ["10.0.0.1", "10.0.0.2"] });
    const other = record(1, { values: ["10.0.0.2", "10.0.0.1"] });
    expect(plan(published(sure(one)), desired(other), none)).toEqual([]);
  });

  it("deletes come first", () => {
    const changes = plan(published(sure(record(2)), sure(record(3))), desired(record(1)), none);
    expect(changes).toEqual([del(record(2)), del(record(3)), upsert(record(1))]);
  });
});

const records = fc.uniqueArray(
  fc
    .tuple(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 0, max: 3 }))
    .map(([n, weight]) => record(n, { weight })),
  { selector: keyOf, maxLength: 12 },
);

describe("plan and accepted", () => {
  it("what is planned and accepted leaves exactly the desired records, and nothing to plan", () => {
    fc.assert(
      fc.property(
        records,
        fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }),
        records,
        (before, certain, wanted) => {
          const start = published(
            ...before.map((one, n) => ({ record: one, certain: certain[n] ?? true })),
          );
          const after = accepted(start, plan(start, desired(...wanted), none));
          expect([...after.keys()].toSorted()).toEqual(wanted.map(keyOf).toSorted());
          for (const one of wanted)
            expect(sameRecord(after.get(keyOf(one))?.record ?? P, one)).toBe(true);
          expect(plan(after, desired(...wanted), none)).toEqual([]);
        },
      ),
    );
  });

  it("promise 6: a record that is right and certain is never part of a plan", () => {
    fc.assert(
      fc.property(records, records, (before, wanted) => {
        const changed = new Set(
          plan(published(...before.map(sure)), desired(...wanted), none).map((c) =>
            keyOf(c.record),
          ),
        );
        for (const one of before) {
          if (wanted.some((other) => sameRecord(one, other)))
            expect(changed.has(keyOf(one))).toBe(false);
        }
      }),
    );
  });

  it("what is in doubt is planned until it is not: a lost answer leaks no record", () => {
    const doubtful = uncertain(published(), [upsert(R)]);
    expect(plan(doubtful, desired(), none)).toEqual([del(R)]);
    expect(plan(doubtful, desired(R), none)).toEqual([upsert(R)]);
    expect(plan(uncertain(published(sure(R)), [del(R)]), desired(R), none)).toEqual([upsert(R)]);
  });
});
