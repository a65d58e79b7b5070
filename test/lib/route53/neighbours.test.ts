import { describe, expect, it, test } from "@jest/globals";
import { groupSizes, neighbours } from "../../../lib/route53/neighbours.ts";
import { ownRecord } from "../../../lib/route53/own-record.ts";
import { type AnyRecord, keyOf, type RecordSet } from "../../../lib/route53/record-set.ts";
import { instance, owner, record, ZONE } from "../../support/build.ts";

const NAME = `web.${ZONE}`;

/** Somebody else's record of the name, weighted unless said otherwise. */
const other = (n: number, over: Partial<AnyRecord> = {}): AnyRecord => ({
  name: NAME,
  type: "A",
  setIdentifier: `other-${n}`,
  ttlSeconds: 10,
  weight: 1,
  multivalue: false,
  values: [`192.0.2.${n}`],
  ...over,
});
const simple: Partial<AnyRecord> = { setIdentifier: undefined, weight: undefined } as never;
const multivalue: Partial<AnyRecord> = { weight: undefined, multivalue: true } as never;
const asAny = (one: RecordSet): AnyRecord => ({ ...one, multivalue: one.weight === undefined });
const many = (count: number) => Array.from({ length: count }, (_, n) => other(n));
const table = (...records: readonly RecordSet[]) =>
  new Map(records.map((one) => [keyOf(one), one]));
const ttls = (records: ReadonlyMap<unknown, RecordSet>) =>
  [...records.values()].map(({ ttlSeconds }) => ttlSeconds);

describe("the TTL of a group", () => {
  test.each([
    ["is ours when nobody else has the name", [], 10],
    ["is that of other weighted record sets", [other(1, { ttlSeconds: 60 })], 60],
    ["does not depend on another type", [other(1, { ttlSeconds: 60, type: "AAAA" })], 10],
    ["does not depend on another name", [other(1, { ttlSeconds: 60, name: `api.${ZONE}` })], 10],
    ["does not depend on a simple record", [other(1, { ...simple, ttlSeconds: 60 })], 10],
  ])("%s", (_, all, expected) => {
    const mine = record(1);
    expect(ttls(neighbours(all, new Set()).adopted(table(mine)))).toEqual([expected]);
  });

  it("is not taken from a record of ours that has an old one", () => {
    const old = record(1, { ttlSeconds: 60 });
    const beside = neighbours([asAny(old)], new Set([keyOf(old)]));
    expect(ttls(beside.adopted(table(record(1))))).toEqual([10]);
  });
});

describe("what Route 53 would refuse", () => {
  const mine = record(1);
  test.each([
    ["nothing in an empty zone", [], undefined],
    ["nothing beside other weighted record sets", many(99), undefined],
    ["the 101st of a name", many(100), "the name has 100 A record sets, and Route 53 takes 100"],
    ["any beside a CNAME", [other(1, { ...simple, type: "CNAME" })], "a CNAME"],
    ["a weighted one beside a simple one", [other(1, simple)], "another routing policy"],
    ["a weighted one beside a multivalue answer", [other(1, multivalue)], "another routing policy"],
    [
      "nothing beside a simple one of another type",
      [other(1, { ...simple, type: "TXT" })],
      undefined,
    ],
  ])("%s", (_, all, expected) => {
    const said = neighbours(all, new Set()).obstacle(mine);
    if (expected === undefined) expect(said).toBeUndefined();
    else expect(said).toContain(expected);
  });

  it("a multivalue answer beside weighted ones, and not beside others of its kind", () => {
    const { weight: _, ...answer } = mine;
    expect(neighbours([other(1)], new Set()).obstacle(answer)).toContain("routing policy");
    expect(neighbours([other(1, multivalue)], new Set()).obstacle(answer)).toBeUndefined();
  });

  it("never a change of a record that is among the hundred already", () => {
    const all = [...many(99), asAny(mine)];
    expect(neighbours(all, new Set([keyOf(mine)])).obstacle(mine)).toBeUndefined();
  });
});

test("sizes are counted by name and type", () => {
  const sizes = groupSizes([other(1), other(2), other(3, { type: "AAAA" })]);
  expect([...sizes]).toEqual([
    [`${NAME} A`, 2],
    [`${NAME} AAAA`, 1],
  ]);
});

describe("a record of the zone is our own", () => {
  const mine = record(1);
  it("with everything that it says", () => {
    expect(ownRecord(asAny(mine), ZONE, owner.instance)).toEqual(mine);
  });

  test.each([
    ["another host's", mine, instance(2)],
    ["one of a type that no agent writes", { ...asAny(mine), type: "MX" }, owner.instance],
    ["one without a TTL", { ...asAny(mine), ttlSeconds: undefined }, owner.instance],
    ["a simple one", { ...asAny(mine), weight: undefined, multivalue: false }, owner.instance],
    ["one at the apex", { ...asAny(mine), name: ZONE }, owner.instance],
  ])("but not %s", (_, one, whose) => {
    expect(ownRecord({ multivalue: false, ...one } as AnyRecord, ZONE, whose)).toBeUndefined();
  });
});
