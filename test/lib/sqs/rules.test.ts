import { describe, expect, it, test } from "@jest/globals";
import fc from "fast-check";
import {
  formatMessage,
  type Message,
  parseMessage,
  type WireSet,
} from "../../../lib/sqs/message.ts";
import { isCovered, isNewer, type Stamp } from "../../../lib/sqs/order.ts";
import { ownerTable } from "../../../lib/sqs/owner-table.ts";
import { queueUrlOf } from "../../../lib/sqs/queue-url.ts";
import { senderOf } from "../../../lib/sqs/sender-id.ts";

const stamp = (over: Partial<Stamp> = {}): Stamp => ({
  epoch: 1_000,
  seq: 1,
  sentMs: 100_000,
  startedMs: 50_000,
  ...over,
});

describe("which message is newer", () => {
  test.each([
    ["the same start, more sets", { seq: 2 }, true],
    ["the same start, fewer sets", { seq: 0 }, false],
    ["the same message", {}, false],
    [
      "a later start by SQS's clock, though its host's clock was set back",
      { epoch: 1, startedMs: 90_000 },
      true,
    ],
    [
      "an earlier start by SQS's clock, though its host's clock is ahead",
      { epoch: 9_999, startedMs: 10_000 },
      false,
    ],
    ["nearly the same start, a greater epoch", { epoch: 1_001, startedMs: 51_000 }, true],
    ["nearly the same start, a lesser epoch", { epoch: 999, startedMs: 51_000 }, false],
    [
      "nearly the same start, a lesser epoch, but it still sends",
      { epoch: 999, startedMs: 51_000, sentMs: 170_000 },
      true,
    ],
  ])("%s", (_, over, newer) => {
    expect(isNewer(stamp(over), stamp())).toBe(newer);
  });

  it("is never both", () => {
    const stamps = fc.record({
      epoch: fc.integer({ min: 0, max: 5 }),
      seq: fc.integer({ min: 0, max: 5 }),
      sentMs: fc.nat({ max: 200_000 }),
      startedMs: fc.nat({ max: 60_000 }),
    });
    fc.assert(
      fc.property(stamps, stamps, (one, other) => {
        expect(isNewer(one, other) && isNewer(other, one)).toBe(false);
        expect(isCovered(one, one)).toBe(true);
      }),
    );
  });
});

describe("the table of owners", () => {
  const set = (records: number): WireSet => ({
    zone: "Z1",
    owner: "a",
    cluster: "prod",
    epoch: 1,
    seq: 1,
    upMs: 0,
    drain: false,
    leaves: false,
    direct: false,
    records: Array.from({ length: records }, (_, n) => ({
      n: `s${n}`,
      t: "A",
      // Nothing that compresses well.
      h: Math.imul(n + 1, 2_654_435_761)
        .toString(36)
        .repeat(2),
      ttl: 1,
      v: ["10.0.0.1"],
    })),
    keeps: [],
  });
  const messagesOf = (one: WireSet, body?: number): readonly Message[] =>
    formatMessage(one, body === undefined ? undefined : { plain: body, body }).map((text) => {
      const read = parseMessage(text);
      if (!read.ok) throw new Error(read.problem);
      return read.message;
    });

  it("takes the newest, whatever comes late, doubled or out of order", () => {
    const table = ownerTable<string>();
    const [message] = messagesOf(set(1));
    if (message === undefined) throw new Error("expected a message");
    const kinds = [2, 1, 2, 3].map((seq) => table.read("a", message, stamp({ seq })).kind);
    expect(kinds).toEqual(["newest", "older", "double", "newest"]);
  });

  it("takes a set in parts once it is whole, in any order, and not before", () => {
    const parts = messagesOf(set(40), 550);
    expect(parts.length).toBeGreaterThan(1);
    const table = ownerTable<string>();
    const readings = parts.toReversed().map((part) => table.read("a", part, stamp()));
    expect(readings.slice(0, -1).every(({ kind }) => kind === "part")).toBe(true);
    expect(readings.at(-1)).toMatchObject({ kind: "newest" });
    const last = readings.at(-1);
    expect(last?.kind === "newest" && last.set.records.length).toBe(40);
  });

  it("refuses parts that together are not what their manifest says", () => {
    const parts = messagesOf(set(40), 550);
    const table = ownerTable<string>();
    const kinds = parts.map(
      (part, at) =>
        table.read("a", at === 0 ? { ...part, records: part.records.slice(1) } : part, stamp())
          .kind,
    );
    expect(kinds.at(-1)).toBe("torn");
  });
});

describe("a queue's URL", () => {
  test.each([
    ["https://sqs.eu-west-1.amazonaws.com/123456789012/discovery", "eu-west-1"],
    ["https://sqs.cn-north-1.amazonaws.com.cn/123456789012/discovery", "cn-north-1"],
    ["https://eu-west-1.queue.amazonaws.com/123456789012/discovery", "eu-west-1"],
    ["https://vpce-1.sqs.eu-west-1.vpce.amazonaws.com/123456789012/discovery", "eu-west-1"],
    ["http://127.0.0.1:9324/000000000000/discovery", undefined],
  ])("%s", (url, region) => {
    expect(queueUrlOf(url)).toEqual({ url, name: "discovery", ...(region && { region }) });
  });

  test.each([
    "discovery",
    "http://sqs.eu-west-1.amazonaws.com/123456789012/discovery",
    "https://user:secret@sqs.eu-west-1.amazonaws.com/123456789012/discovery",
    "https://sqs.eu-west-1.amazonaws.com/discovery?a=b",
    "https://sqs.eu-west-1.amazonaws.com/123456789012/discovery.fifo",
  ])("is not %s", (url) => {
    expect(queueUrlOf(url)).toBeUndefined();
  });
});

test.each([
  ["AROAEXAMPLE:i-0123456789abcdef0", { role: "AROAEXAMPLE", session: "i-0123456789abcdef0" }],
  ["AIDAEXAMPLE", undefined],
  ["AIDAEXAMPLE:i-0123456789abcdef0", undefined],
  ["AROAEXAMPLE:i-0:i-1", undefined],
  ["", undefined],
])("the sender %s", (senderId, sender) => {
  expect(senderOf(senderId)).toEqual(sender);
});
