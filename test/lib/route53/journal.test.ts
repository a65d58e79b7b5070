import { describe, expect, it, test } from "@jest/globals";
import fc from "fast-check";
import {
  formatJournal,
  type JournalScope,
  journalName,
  journalOwner,
  parseJournal,
  sealed,
} from "../../../lib/route53/journal.ts";
import type { Published } from "../../../lib/route53/plan.ts";
import { keyOf } from "../../../lib/route53/record-set.ts";
import { formatSetIdentifier } from "../../../lib/route53/set-identifier.ts";
import { instance, owner, record, task, ZONE } from "../../support/build.ts";

const scope: JournalScope = {
  zoneId: "Z1",
  zoneName: ZONE,
  instance: owner.instance,
  boot: "boot-1",
};
const tableOf = (...all: Published[]) => new Map(all.map((one) => [keyOf(one.record), one]));
const journal = {
  hosts: 7,
  published: tableOf({ record: record(1), certain: true }, { record: record(2), certain: false }),
};
const by = { generation: 3, writer: "00000000000000aa" };
const text = formatJournal(scope, journal, by);

/** The journal with one field of its first record replaced. */
const meddled = (over: object): string => {
  const json = JSON.parse(text.slice(0, text.lastIndexOf(" "))) as {
    published: { record: object }[];
  };
  json.published[0] = { ...json.published[0], record: { ...record(1), ...over } };
  return sealed(JSON.stringify(json));
};

describe("the journal", () => {
  it("reads back what it wrote", () => {
    expect(parseJournal(text, scope)).toEqual({ ...journal, by });
    expect(parseJournal(meddled({}), scope)).toEqual({ ...journal, by });
  });

  test.each([
    ["another zone", { zoneId: "Z2" }],
    ["a zone of another name", { zoneName: "other.internal" }],
    ["another owner", { instance: instance(2) }],
    ["another boot of the host", { boot: "boot-2" }],
  ])("of %s is not believed", (_, other) => {
    expect(parseJournal(text, { ...scope, ...other })).toBeUndefined();
  });

  test.each([
    [
      "a foreign record",
      { setIdentifier: formatSetIdentifier({ instance: instance(2), task: task(1) }) },
    ],
    ["a record without our identifier", { setIdentifier: "theirs" }],
    ["a record of another zone", { name: "web.other.internal" }],
    ["the apex", { name: ZONE }],
    ["a wildcard", { name: `*.${ZONE}` }],
    ["an upper-case name", { name: `WEB.${ZONE}` }],
    ["another type", { type: "CNAME" }],
    ["a negative weight", { weight: -1 }],
    ["a weight over 255", { weight: 256 }],
    ["a ttl over 31 bits", { ttlSeconds: 2 ** 31 }],
    ["no values", { values: [] }],
    ["a field more", { region: "eu-west-1" }],
    ["a ttl that is text", { ttlSeconds: "10" }],
    ["values that are none", { values: [7] }],
  ])("that holds %s is not believed at all", (_, over) => {
    expect(parseJournal(meddled(over), scope)).toBeUndefined();
  });

  it("of another format is not believed", () => {
    const json = text.slice(0, text.lastIndexOf(" "));
    const other = sealed(json.replace(/"format":\d/, '"format":9'));
    expect(parseJournal(other, scope)).toBeUndefined();
  });

  test.each([
    ["more hosts than a zone can have", /"hosts":7/, '"hosts":10001'],
    ["a generation that can't grow", /"generation":3/, `"generation":${2 ** 53}`],
    ["no generation", /"generation":3,/, ""],
    ["a writer of another form", /00000000000000aa/, "x"],
  ])("that holds %s is not believed", (_, what, put) => {
    const json = text.slice(0, text.lastIndexOf(" "));
    expect(json).toMatch(what);
    expect(parseJournal(sealed(json.replace(what, put)), scope)).toBeUndefined();
  });

  it("holds no more hosts than are believed", () => {
    const many = formatJournal(scope, { ...journal, hosts: 1e9 }, by);
    expect(parseJournal(many, scope)?.hosts).toBe(10_000);
  });

  it("torn anywhere is not believed", () => {
    for (let length = 0; length < text.length; length += 1) {
      expect(parseJournal(text.slice(0, length), scope)).toBeUndefined();
    }
  });

  it("whatever bytes it holds, reading never throws and never gives what is not this owner's", () => {
    const mutation = fc.tuple(fc.nat(text.length - 1), fc.string({ maxLength: 4 }));
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          mutation.map(([at, put]) => text.slice(0, at) + put + text.slice(at + 1)),
        ),
        (bytes) => {
          for (const { record: read } of parseJournal(bytes, scope)?.published.values() ?? []) {
            expect(read.setIdentifier).toContain(owner.instance);
            expect(read.name.endsWith(`.${ZONE}`)).toBe(true);
          }
        },
      ),
      { numRuns: 2_000 },
    );
  });
});

describe("the journal's name", () => {
  it("tells whose it is, for this zone alone", () => {
    const name = journalName({ zoneId: "Z1", instance: owner.instance });
    expect(journalOwner(name, "Z1")).toBe(owner.instance);
    expect(journalOwner(name, "Z2")).toBeUndefined();
    expect(journalOwner(`${name}.new`, "Z1")).toBeUndefined();
    expect(journalOwner("Z1-../../etc/passwd.json", "Z1")).toBeUndefined();
  });
});
