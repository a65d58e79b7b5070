import { describe, expect, it } from "@jest/globals";
import { moveOf } from "../../../../../lib/fleet/fence.ts";
import { seenInDns } from "../../../../../lib/fleet/flow/host/seen.ts";
import { keyOf, type RecordKey, type RecordSet } from "../../../../../lib/route53/record-set.ts";
import { record, ZONE } from "../../../../support/build.ts";
import { fakeClock } from "../../../../support/fake-clock.ts";

/** What a host sees of a zone that holds these addresses, and this writer's record. */
function watched() {
  const clock = fakeClock();
  const sent = new Map<RecordKey, RecordSet>();
  const answers: string[] = [];
  const asked: string[] = [];
  let fence: { readonly writer: string; readonly count: number } | undefined;
  let isSilent = false;
  let newWriters = 0;
  const stop = new AbortController();
  const seen = seenInDns({
    dns: {
      async texts(name) {
        if (isSilent) return undefined;
        if (fence === undefined) return [];
        return [moveOf(name, undefined, { ...fence, horizonMs: 1, atMs: 1 }).after];
      },
      async addresses(name) {
        asked.push(name);
        return isSilent ? undefined : answers;
      },
    },
    zoneName: ZONE,
    sent: () => sent,
    sentAtMs: clock.now,
    clock,
    random: () => 0.5,
    newWriter() {
      newWriters += 1;
    },
  });
  const ended = seen.run(stop.signal);
  return {
    ...{ clock, seen, sent, answers, asked },
    writes(writer: string, count: number) {
      fence = { writer, count };
    },
    setSilent(silent: boolean) {
      isSilent = silent;
    },
    newWriters: () => newWriters,
    async end() {
      stop.abort();
      await ended;
    },
  };
}

const [FIRST, SECOND] = ["0123456789abcdef", "fedcba9876543210"];

describe("whether a writer is there", () => {
  it("is not known before one was seen, and no after 3 minutes without one", async () => {
    const { clock, seen, end } = watched();
    await clock.advance(60_000);
    expect(seen.isWriterAway()).toBeUndefined();
    await clock.advance(180_000);
    expect(seen.isWriterAway()).toBe(true);
    await end();
  });

  it("is yes while its record moves, and no 3 minutes after it has stopped", async () => {
    const { clock, seen, writes, end } = watched();
    for (let count = 1; count <= 10; count += 1) {
      writes(FIRST, count);
      await clock.advance(60_000);
      expect(seen.isWriterAway()).toBe(false);
    }
    await clock.advance(240_000);
    expect(seen.isWriterAway()).toBe(true);
    await end();
  });

  it("stays as it was while DNS does not answer: that is no news of the writer", async () => {
    const { clock, seen, writes, setSilent, end } = watched();
    writes(FIRST, 1);
    await clock.advance(60_000);
    setSilent(true);
    await clock.advance(600_000);
    expect(seen.isWriterAway()).toBe(false);
    setSilent(false);
    writes(FIRST, 11);
    await clock.advance(60_000);
    expect(seen.isWriterAway()).toBe(false);
    await end();
  });

  it("tells of another writer once, and not of the first", async () => {
    const { clock, seen, writes, newWriters, end } = watched();
    writes(FIRST, 1);
    await clock.advance(60_000);
    expect(newWriters()).toBe(0);
    writes(SECOND, 2);
    await clock.advance(60_000);
    writes(SECOND, 3);
    await clock.advance(60_000);
    expect(newWriters()).toBe(1);
    expect(seen.writer()?.fence).toMatchObject({ writer: SECOND, count: 3 });
    await end();
  });
});

describe("how many records were seen", () => {
  it("counts each once DNS has given its address, and anew once it has changed", async () => {
    const { clock, seen, sent, answers, end } = watched();
    const [one, two] = [record(1), record(2)];
    for (const each of [one, two]) sent.set(keyOf(each), each);
    await clock.advance(2_000);
    expect(seen.counts()).toEqual({ seen: 0, of: 2 });
    answers.push("10.0.0.1");
    await clock.advance(20_000);
    expect(seen.counts()).toEqual({ seen: 1, of: 2 });
    answers[0] = "10.0.0.2";
    await clock.advance(20_000);
    expect(seen.counts()).toEqual({ seen: 2, of: 2 });
    sent.set(keyOf(one), { ...one, values: ["10.0.0.9"] });
    expect(seen.counts()).toEqual({ seen: 1, of: 2 });
    await end();
  });

  it("asks no more once all were seen, and never for SRV records", async () => {
    const { clock, seen, sent, answers, asked, end } = watched();
    const srv = record(3, { type: "SRV", values: ["1 1 80 x.example.internal"] });
    for (const each of [record(1), srv]) sent.set(keyOf(each), each);
    answers.push("10.0.0.1");
    await clock.advance(20_000);
    expect(seen.counts()).toEqual({ seen: 1, of: 1 });
    const before = asked.length;
    await clock.advance(300_000);
    expect(asked).toHaveLength(before);
    await end();
  });
});
