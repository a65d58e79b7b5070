import { describe, expect, it, test } from "@jest/globals";
import fc from "fast-check";
import { formatMessage, parseMessage, type WireSet } from "../../../lib/sqs/message.ts";
import { isNewer, type Stamp } from "../../../lib/sqs/order.ts";
import { ownerTable } from "../../../lib/sqs/owner-table.ts";
import { queueUrlOf } from "../../../lib/sqs/queue-url.ts";
import { senderOf } from "../../../lib/sqs/sender-id.ts";

const set = (records: number, over: Partial<WireSet> = {}): WireSet => ({
  zone: "Z1",
  zoneName: "example.internal",
  owner: "a".repeat(32),
  cluster: "prod",
  epoch: 5,
  seq: 1,
  upMs: 10,
  drain: false,
  leaves: false,
  direct: false,
  records: Array.from({ length: records }, (_, n) => ({
    n: `s${n % 50}`,
    t: "A",
    h: n.toString(16).padStart(32, "0"),
    ttl: 10,
    w: 1,
    v: [`10.0.${n >> 8}.${n & 255}`],
  })),
  keeps: [],
  ...over,
});
const read = (body: string) => {
  const parsed = parseMessage(body);
  if (!parsed.ok) throw new Error(parsed.problem);
  return parsed.message;
};
const stamp = (over: Partial<Stamp> = {}): Stamp => ({
  ...{ epoch: 5, seq: 1, sentMs: 100_000, startedMs: 0 },
  ...over,
});

it("a set of 20 records is one plain message of some 2 KiB, and comes back as it was", () => {
  const bodies = formatMessage(set(20));
  expect(bodies).toHaveLength(1);
  expect(bodies[0]?.length).toBeLessThan(3_000);
  expect(read(bodies[0] ?? "")).toEqual(set(20));
});

it("above 64 KiB it is compressed", () => {
  const bodies = formatMessage(set(2_000));
  expect(bodies).toHaveLength(1);
  expect(bodies[0]?.length).toBeLessThan(65_536);
  expect(read(bodies[0] ?? "")).toEqual(set(2_000));
});

it("what does not fit into one message is cut between names, and whole only with all parts, in any order", () => {
  const whole = set(500);
  const bodies = formatMessage(whole, { plain: 1_000, body: 4_000 });
  expect(bodies.length).toBeGreaterThan(1);
  for (const body of bodies) expect(body.length).toBeLessThanOrEqual(4_000);
  const table = ownerTable<string>();
  const readings = bodies.toReversed().map((body) => table.read("o", read(body), stamp()));
  expect(readings.slice(0, -1).every(({ kind }) => kind === "part")).toBe(true);
  const last = readings.at(-1);
  if (last?.kind !== "newest") throw new Error(`expected a whole set, got ${last?.kind}`);
  const sorted = (one: WireSet) => one.records.toSorted((a, b) => (a.h < b.h ? -1 : 1));
  expect(sorted(last.set)).toEqual(sorted(whole));
});

test.each([
  ["", "a JSON object"],
  ["[]", "a JSON object"],
  ["{}", "the format 1"],
  ['{"v":2}', "the format 1"],
  ['{"v":1,"records":[]}', "in zone"],
  [JSON.stringify({ v: 1, ...set(1), seq: -1 }), "in seq"],
  [JSON.stringify({ v: 1, ...set(0), drain: "yes" }), "in drain"],
  [JSON.stringify({ v: 1, ...set(0), records: [{ n: "a" }] }), "records"],
  [JSON.stringify({ v: 1, ...set(0), gzip: "AAAA" }), "unfold"],
])("%s is no message: %s", (body, expected) => {
  expect(parseMessage(body)).toEqual({ ok: false, problem: expect.stringContaining(expected) });
});

it("never throws, whatever the text", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      parseMessage(text);
    }),
  );
});

describe("one message is newer than another", () => {
  test.each<[string, Partial<Stamp>, Partial<Stamp>, boolean]>([
    ["the same", {}, {}, false],
    ["a later set", { seq: 2 }, {}, true],
    ["an earlier set, sent later", { seq: 0, sentMs: 900_000 }, {}, false],
    ["a later start", { epoch: 6, startedMs: 60_000 }, {}, true],
    ["a later start whose clock was set back", { epoch: 4, startedMs: 60_000 }, {}, true],
    ["an earlier start", { epoch: 6 }, { startedMs: 60_000 }, false],
    ["nearly the same start, a greater epoch", { epoch: 6, startedMs: 5_000 }, {}, true],
    ["the same, but sent long before", { epoch: 6, sentMs: 1_000 }, {}, false],
  ])("%s", (_, one, other, expected) => {
    expect(isNewer(stamp(one), stamp(other))).toBe(expected);
    if (expected) expect(isNewer(stamp(other), stamp(one))).toBe(false);
  });
});

test.each([
  ["AROAEXAMPLEID:i-0123456789abcdef0", { role: "AROAEXAMPLEID", session: "i-0123456789abcdef0" }],
  ["AIDAEXAMPLEID", undefined],
  ["127.0.0.1", undefined],
  ["AROAEXAMPLEID:", undefined],
])("the sender %s", (id, expected) => expect(senderOf(id)).toEqual(expected));

test.each([
  ["https://sqs.eu-west-1.amazonaws.com/123456789012/q", "eu-west-1"],
  ["https://vpce-1-a.sqs.eu-west-1.vpce.amazonaws.com/123456789012/q", "eu-west-1"],
  ["https://sqs.cn-north-1.amazonaws.com.cn/123456789012/q", "cn-north-1"],
])("%s is a queue of %s", (url, region) => expect(queueUrlOf(url)).toMatchObject({ region }));

test.each([
  "",
  "q",
  "http://sqs.eu-west-1.amazonaws.com/1/q",
  "https://u:p@host/1/q",
  "https://h/",
])("%s is no queue's URL", (url) => expect(queueUrlOf(url)).toBeUndefined());
