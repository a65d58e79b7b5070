import { describe, expect, it } from "@jest/globals";
import { type SenderReport, sender } from "../../../../../lib/fleet/flow/host/sender.ts";
import { Unavailable } from "../../../../../lib/kit/failure.ts";
import { doorbell } from "../../../../../lib/kit/flow/doorbell.ts";
import { keyOf, type RecordKey, type RecordSet } from "../../../../../lib/route53/record-set.ts";
import { type Message, parseMessage } from "../../../../../lib/sqs/message.ts";
import { owner, record, ZONE } from "../../../../support/build.ts";
import { fakeClock, settle } from "../../../../support/fake-clock.ts";

/** A host's sender before a queue that takes a message when the test says so, at once while nobody holds it. */
function host() {
  const clock = fakeClock();
  const wants = new Map<RecordKey, RecordSet>();
  const keeps = new Set<RecordKey>();
  const bell = doorbell();
  const stop = new AbortController();
  const sent: (Message & { readonly atMs: number })[] = [];
  const reports: SenderReport[] = [];
  let hold: Promise<void> | undefined;
  let isAway = false;
  const sending = sender({
    desired: () => new Map(wants),
    kept: () => new Set(keeps),
    bell,
    async send(body) {
      await hold;
      if (isAway) throw new Unavailable("SQS", "is away");
      const read = parseMessage(body);
      if (!read.ok) throw new Error(read.problem);
      sent.push({ ...read.message, atMs: clock.now() });
    },
    zone: { id: "Z1", name: ZONE, isNamed: true },
    owner: owner.instance,
    cluster: "prod",
    epoch: 1_790_000_000_000,
    direct: () => false,
    clock,
    random: () => 0.5,
    report: (one) => reports.push(one),
  });
  const ended = sending.run(stop.signal);
  return {
    ...{ clock, sending, sent, reports, keeps, bell },
    want(...records: readonly RecordSet[]) {
      for (const one of records) wants.set(keyOf(one), one);
      bell.ring();
    },
    drop(...records: readonly RecordSet[]) {
      for (const one of records) wants.delete(keyOf(one));
      bell.ring();
    },
    /** The next messages are taken only once the returned function is called. */
    holdBack(): () => Promise<void> {
      const { promise, resolve } = Promise.withResolvers<void>();
      hold = promise;
      return async () => {
        hold = undefined;
        resolve();
        await settle();
      };
    },
    setAway(away: boolean) {
      isAway = away;
    },
    async end() {
      stop.abort();
      await clock.advance(10_000);
      await ended;
    },
    last: () => sent.at(-1),
    addresses: () => sent.at(-1)?.records.flatMap(({ v }) => v),
  };
}

const [one, two, three, four, five] = [record(1), record(2), record(3), record(4), record(5)];

describe("what is sent", () => {
  it("is the whole set, once for all that changes within 100 ms", async () => {
    const { clock, want, sent, addresses, end } = host();
    want(one);
    await clock.advance(50);
    want(two);
    await clock.advance(49);
    expect(sent).toEqual([]);
    await clock.advance(1);
    expect(addresses()).toEqual(["10.0.0.1", "10.0.0.2"]);
    expect(sent).toHaveLength(1);
    expect(sent[0]).toMatchObject({ seq: 1, zone: "Z1", zoneName: ZONE, owner: owner.instance });
    await end();
  });

  it("goes even when a host has nothing to ask for: its writer knows then that it is there", async () => {
    const { clock, sent, end } = host();
    await clock.advance(200);
    expect(sent).toMatchObject([{ seq: 1, records: [] }]);
    await end();
  });

  it("goes again within 15 minutes, though nothing has changed", async () => {
    const { clock, want, sent, end } = host();
    want(one);
    await clock.advance(20_000);
    const before = sent.length;
    await clock.advance(900_000);
    expect(sent).toHaveLength(before + 1);
    await end();
  });

  it("is the newest set alone once a queue that was away takes messages again", async () => {
    const { clock, want, sent, sending, setAway, addresses, reports, end } = host();
    await clock.advance(20_000);
    setAway(true);
    const before = sent.length;
    for (const each of [one, two, three]) {
      want(each);
      await clock.advance(20_000);
    }
    expect(sending.sent().missingSinceMs).toBeDefined();
    expect(sent).toHaveLength(before);
    setAway(false);
    await clock.advance(6_000);
    expect(addresses()).toHaveLength(3);
    expect(sent).toHaveLength(before + 1);
    expect(sending.sent().missingSinceMs).toBeUndefined();
    // Between two tries it waits, longer each time, and never longer than 5 s.
    const waits = reports.flatMap((told) => (told.kind === "waits" ? told.delayMs : []));
    expect(Math.max(...waits)).toBeLessThanOrEqual(5_000);
    await end();
  });
});

describe("what changes while a message is under way", () => {
  it("is sent with the next one: a record more", async () => {
    const { clock, want, holdBack, addresses, end } = host();
    const letGo = holdBack();
    want(one);
    await clock.advance(100);
    want(two);
    await letGo();
    await clock.advance(100);
    expect(addresses()).toEqual(["10.0.0.1", "10.0.0.2"]);
    await end();
  });

  it("is sent with the next one: a record that need not be kept any more", async () => {
    const { clock, keeps, bell, holdBack, last, sent, end } = host();
    keeps.add(keyOf(one));
    const letGo = holdBack();
    await clock.advance(100);
    keeps.delete(keyOf(one));
    bell.ring();
    await letGo();
    await clock.advance(100);
    expect(sent[0]?.keeps).toHaveLength(1);
    expect(last()).toMatchObject({ seq: 2, keeps: [] });
    await end();
  });
});

describe("a set that removes most of what there was", () => {
  const five5 = [one, two, three, four, five];

  it("is said again 11 s later, by then as one that is meant", async () => {
    const { clock, want, drop, sent, last, end } = host();
    want(...five5);
    await clock.advance(60_000);
    drop(two, three, four, five);
    await clock.advance(100);
    expect(last()).toMatchObject({ drain: false });
    const { seq = 0, atMs = 0 } = last() ?? {};
    await clock.advance(10_900);
    expect(last()?.seq).toBe(seq);
    await clock.advance(200);
    expect(last()).toMatchObject({ seq: seq + 1, drain: true });
    expect((last()?.atMs ?? 0) - atMs).toBeGreaterThanOrEqual(10_000);
    const before = sent.length;
    await clock.advance(60_000);
    expect(sent).toHaveLength(before);
    await end();
  });

  it("is meant for good once it was said again, so that a writer that starts later takes it at once", async () => {
    const { clock, want, drop, sending, last, end } = host();
    want(...five5);
    await clock.advance(60_000);
    drop(two, three, four, five);
    await clock.advance(12_000);
    sending.again();
    await clock.advance(30_000);
    expect(last()).toMatchObject({ drain: true });
    want(two);
    await clock.advance(100);
    expect(last()).toMatchObject({ drain: true });
    // The next one that does so is a new decision.
    want(three, four);
    await clock.advance(60_000);
    drop(one, two, three);
    await clock.advance(100);
    expect(last()).toMatchObject({ drain: false });
    await end();
  });

  it("is said again by a queue's return, too, where it was away by then", async () => {
    const { clock, want, drop, setAway, last, end } = host();
    want(...five5);
    await clock.advance(60_000);
    drop(two, three, four, five);
    await clock.advance(200);
    setAway(true);
    await clock.advance(60_000);
    expect(last()).toMatchObject({ drain: false });
    setAway(false);
    await clock.advance(6_000);
    expect(last()).toMatchObject({ drain: true });
    await end();
  });

  it("counts what was kept as there, too", async () => {
    const { clock, keeps, bell, sent, last, end } = host();
    for (const each of five5) keeps.add(keyOf(each));
    await clock.advance(8_000);
    keeps.clear();
    bell.ring();
    await clock.advance(100);
    const { atMs: firstMs = 0 } = last() ?? {};
    await clock.advance(60_000);
    expect(last()).toMatchObject({ drain: true, keeps: [] });
    expect((last()?.atMs ?? 0) - firstMs).toBeGreaterThanOrEqual(10_000);
    expect(sent.filter(({ drain, atMs }) => drain && atMs < firstMs + 10_000)).toEqual([]);
    await end();
  });

  it("is one of this start until 11 s after it: what was there before nobody here knows", async () => {
    const { clock, want, sent, end } = host();
    want(one);
    await clock.advance(5_000);
    expect(sent.map(({ drain }) => drain)).toEqual([false]);
    await clock.advance(10_000);
    expect(sent.map(({ drain }) => drain)).toEqual([false, true]);
    await end();
  });
});

describe("a new writer", () => {
  it("hears every host again within 20 s", async () => {
    const { clock, want, sent, sending, reports, end } = host();
    want(one);
    await clock.advance(60_000);
    const before = sent.length;
    sending.again();
    await clock.advance(20_000);
    expect(sent).toHaveLength(before + 1);
    expect(reports.at(-1)).toMatchObject({ kind: "sent", why: "new writer" });
    await end();
  });
});

describe("the last word", () => {
  it("says that the agent leaves, and takes its records along where that is asked", async () => {
    const { clock, want, drop, sending, last, end } = host();
    want(one);
    await clock.advance(200);
    await end();
    drop(one);
    await sending.leave(true, 10_000);
    expect(last()).toMatchObject({ records: [], leaves: true, drain: true });
  });

  it("is given up when the queue does not take it in time", async () => {
    const { clock, sending, setAway, sent, end } = host();
    await clock.advance(200);
    await end();
    setAway(true);
    const before = sent.length;
    const left = sending.leave(false, 10_000);
    await clock.advance(11_000);
    await left;
    expect(sent).toHaveLength(before);
  });
});

it("what is sent counts as published, for whoever asks how the host stands", async () => {
  const { clock, want, sending, end } = host();
  want(one);
  expect(sending.standing().waiting).toHaveLength(1);
  await clock.advance(200);
  expect(sending.standing().waiting).toEqual([]);
  expect([...sending.standing().published.keys()]).toEqual([keyOf(one)]);
  await end();
});
