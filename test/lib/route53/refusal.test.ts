import { describe, expect, it, test } from "@jest/globals";
import { keyOf } from "../../../lib/route53/record-set.ts";
import { readRefusal } from "../../../lib/route53/refusal.ts";
import { del, record, upsert } from "../../support/build.ts";

const one = record(1);
const two = record(2);
const api = record(3, { name: "api.example.internal" });
const set = (of: typeof one) =>
  `name='${of.name}.', type='A', set-identifier='${of.setIdentifier}'`;

describe("what an InvalidChangeBatch says of a change", () => {
  test.each([
    [
      "already gone",
      `[Tried to delete resource record set [${set(one)}] but it was not found]`,
      del(one),
      "already-gone",
    ],
    [
      "differs",
      `[Tried to delete resource record set [${set(one)}] but the values provided do not match the current values]`,
      del(one),
      "differs",
    ],
    [
      "a simple record stands there",
      `[RRSet with DNS name ${one.name}., type A, SetIdentifier ${one.setIdentifier} cannot be created as a non-weighted set exists with the same name and type.]`,
      upsert(one),
      "refused",
    ],
    [
      "another TTL",
      `[RRSet with DNS name ${one.name}. and type A, SetIdentifier ${one.setIdentifier} cannot be created as weighted sets must contain the same TTL.]`,
      upsert(one),
      "other-ttl",
    ],
    [
      "a CNAME stands there",
      `[RRSet of type A with DNS name ${one.name}. is not permitted because a conflicting RRSet of type CNAME with the same DNS name already exists in zone example.internal.]`,
      upsert(one),
      "refused",
    ],
    [
      "an older text for it",
      `[RRSet of type A with DNS name ${one.name}. is not permitted as it conflicts with other records with the same DNS name in zone example.internal.]`,
      upsert(one),
      "refused",
    ],
    [
      "the group is full",
      `[Exceeded limit on number of weighted RRSets for ${one.name}., type A in this zone.]`,
      upsert(one),
      "full",
    ],
    [
      "not in the zone",
      `[RRSet with DNS name ${one.name}. is not permitted in zone other.internal.]`,
      upsert(one),
      "refused",
    ],
    [
      "a bad address",
      `[Invalid Resource Record: FATAL problem: ARRDATAIllegalIPv4Address (Value is not a valid IPv4 address) encountered with '${one.values[0]}']`,
      upsert(one),
      "refused",
    ],
  ])("%s", (_, message, change, kind) => {
    expect(readRefusal(message, [change, upsert(api)])).toEqual([
      {
        key: expect.stringContaining(change.record.setIdentifier),
        kind,
        message: message.slice(1, -1),
      },
    ]);
  });

  it("several texts decide several changes, whatever commas and brackets they hold", () => {
    const message =
      `[Tried to delete resource record set [${set(one)}] but it was not found, ` +
      `RRSet with DNS name ${two.name}., type A, SetIdentifier ${two.setIdentifier} cannot be created as a non-weighted set exists with the same name and type.]`;
    expect(
      readRefusal(message, [del(one), upsert(two), upsert(api)]).map(({ kind }) => kind),
    ).toEqual(["already-gone", "refused"]);
  });

  it("a text about one type decides nothing about the same set identifier's record of another", () => {
    const six = record(1, { type: "AAAA", values: ["2001:db8::1"] });
    const gone = `[Tried to delete resource record set [${set(one)}] but it was not found]`;
    expect(readRefusal(gone, [del(six), del(one)])).toEqual([
      expect.objectContaining({ key: keyOf(one), kind: "already-gone" }),
    ]);
    const simple = `[RRSet with DNS name ${one.name}., type A, SetIdentifier ${one.setIdentifier} cannot be created as a non-weighted set exists with the same name and type.]`;
    expect(readRefusal(simple, [upsert(six), upsert(one)]).map(({ key }) => key)).toEqual([
      keyOf(one),
    ]);
  });

  it("a text that names only name and type decides every UPSERT to them, no DELETE, and no other name", () => {
    const message = `[Exceeded limit on number of weighted RRSets for ${one.name}., type A in this zone.]`;
    const verdicts = readRefusal(message, [del(record(9)), upsert(one), upsert(two), upsert(api)]);
    expect(verdicts.map(({ key }) => key)).toEqual([
      expect.stringContaining(one.setIdentifier),
      expect.stringContaining(two.setIdentifier),
    ]);
  });

  it("does not take one name for the end of another", () => {
    const longer = record(5, { name: `old-${one.name}` });
    const sub = record(6, { name: `v2.${one.name}` });
    const message = `[RRSet of type A with DNS name ${sub.name}. is not permitted because a conflicting RRSet of type CNAME with the same DNS name already exists in zone example.internal.]`;
    expect(readRefusal(message, [upsert(one), upsert(longer), upsert(sub)])).toHaveLength(1);
  });

  test.each([[""], ["[]"], ["UnknownError"], ["[Something new and unheard of]"]])(
    "%j names nothing",
    (message) => {
      expect(readRefusal(message, [upsert(one), del(two)])).toEqual([]);
    },
  );
});
