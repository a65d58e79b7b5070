import { describe, expect, it } from "@jest/globals";
import { type JournalStore, journalKeeper } from "../../../../lib/route53/flow/journal.ts";
import { type Journal, type JournalScope, parseJournal } from "../../../../lib/route53/journal.ts";
import { keyOf, type RecordSet } from "../../../../lib/route53/record-set.ts";
import { noSign, owner, record, ZONE } from "../../../support/build.ts";
import { fakeClock } from "../../../support/fake-clock.ts";

const scope: JournalScope = { zoneId: "Z1", zoneName: ZONE, instance: owner.instance, boot: "1" };
const holding = (...records: RecordSet[]): Journal => ({
  hosts: 1,
  published: new Map(records.map((one) => [keyOf(one), { record: one, certain: true }])),
});

/** A disk of one file that can be made to refuse. */
function disk() {
  const state = {
    text: undefined as string | undefined,
    canWrite: true,
    canRemove: true,
    /** Room for one text: a new one fits only once the old one is gone. */
    isFull: false,
    writes: 0,
  };
  const refuse = (code: string) => Promise.reject(new Error(code));
  const troubles: string[] = [];
  const clock = fakeClock();
  const stop = new AbortController();
  let opened = 0;
  const open = (over: Partial<JournalStore> = {}) => {
    opened += 1;
    const chance = opened / 16;
    return journalKeeper({
      clock,
      stop: stop.signal,
      random: () => chance,
      store: {
        read: async () => state.text,
        isOurs: async () => false,
        async write(text) {
          if (!state.canWrite || (state.isFull && state.text !== undefined))
            return refuse("ENOSPC");
          state.writes += 1;
          state.text = text;
        },
        async remove() {
          if (!state.canRemove) return refuse("EROFS");
          state.text = undefined;
        },
        sign: noSign,
        ...over,
      },
      scope,
      onTrouble: (error) => troubles.push(String(error)),
    });
  };
  /** What the file holds, without taking it over. */
  const held = () => {
    const { by: _, ...journal } = parseJournal(state.text ?? "", scope) ?? { by: undefined };
    return journal;
  };
  return { state, troubles, clock, stop, open, held };
}

describe("the journal of one process", () => {
  it("is what the next process loads", async () => {
    const { open } = disk();
    await open().remember(holding(record(1)));
    expect(await open().load()).toEqual(holding(record(1)));
  });

  it("is undefined where there is none, or one that is torn", async () => {
    const { open, state } = disk();
    expect(await open().load()).toBeUndefined();
    state.text = '{"format":1';
    expect(await open().load()).toBeUndefined();
  });

  it("is not written again while nothing changes", async () => {
    const { open, state } = disk();
    const keeper = open();
    await keeper.remember(holding(record(1)));
    await keeper.remember(holding(record(1)));
    expect(state.writes).toBe(1);
  });

  it("that can't be written any more is removed, so that no next start believes an old one; one warning", async () => {
    const { open, state, troubles } = disk();
    const keeper = open();
    await keeper.remember(holding(record(1)));
    state.canWrite = false;
    await keeper.remember(holding(record(2)));
    await keeper.remember(holding(record(3)));
    expect(state.text).toBeUndefined();
    expect(troubles).toEqual(["Error: ENOSPC"]);
  });

  it("is kept without a word on a full disk, in the room that it has already", async () => {
    const { open, state, troubles, held } = disk();
    const keeper = open();
    await keeper.remember(holding(record(1)));
    state.isFull = true;
    for (const nth of [2, 3, 4]) {
      await keeper.remember(holding(record(nth)));
      expect(held()).toEqual(holding(record(nth)));
    }
    expect(troubles).toEqual([]);
  });

  it("on a disk that has become read-only is not believed: it would stay as it is", async () => {
    const { open, state } = disk();
    await open().remember(holding(record(1)));
    state.canWrite = false;
    state.canRemove = false;
    expect(await open().load()).toBeUndefined();
  });

  it("is kept again, and warned of again, once the disk has come back and gone again", async () => {
    const { open, state, troubles, held } = disk();
    const keeper = open();
    state.canWrite = false;
    await keeper.remember(holding(record(1)));
    state.canWrite = true;
    await keeper.remember(holding(record(1)));
    expect(held()).toEqual(holding(record(1)));
    state.canWrite = false;
    await keeper.remember(holding(record(2)));
    expect(troubles).toHaveLength(2);
  });

  it("that could be neither written nor removed does not outlive the trouble: it is written as soon as it can be", async () => {
    const { open, state, troubles, clock, stop, held } = disk();
    const keeper = open();
    await keeper.remember(holding(record(1)));
    state.canWrite = false;
    state.canRemove = false;
    await keeper.remember(holding(record(2)));
    await clock.advance(300_000);
    expect(state.text).toContain("10.0.0.1");
    state.canWrite = true;
    state.canRemove = true;
    await clock.advance(300_000);
    expect(held()).toEqual(holding(record(2)));
    expect(troubles).toHaveLength(1);
    expect(clock.sleepers).toBe(0);

    state.canWrite = false;
    await keeper.remember(holding(record(3)));
    expect(clock.sleepers).toBe(1);
    stop.abort();
    expect(clock.sleepers).toBe(0);
  });
});

describe("two agents of one host, while one replaces the other", () => {
  it("the one that has been replaced leaves the journal to its successor, and knows it", async () => {
    const { open, state, troubles } = disk();
    const old = open();
    await old.remember(holding(record(1)));
    const successor = open();
    await successor.load();
    await successor.remember(holding(record(1), record(2)));
    const kept = state.text;
    await old.remember(holding(record(1)));
    expect(state.text).toBe(kept);
    expect([old.isReplaced(), successor.isReplaced()]).toEqual([true, false]);
    expect(troubles).toEqual([]);
    expect(await open().load()).toEqual(holding(record(1), record(2)));
  });

  it("neither removes it when it can't be written", async () => {
    const { open, state } = disk();
    const old = open();
    await old.remember(holding(record(1)));
    await open().load();
    const kept = state.text;
    state.canWrite = false;
    await old.remember(holding(record(2)));
    expect(state.text).toBe(kept);
  });

  it("of two that start in the same moment one has it in the end", async () => {
    const { open } = disk();
    const both = [open(), open()];
    await Promise.all(both.map((one) => one.load()));
    await Promise.all(both.map((one, n) => one.remember(holding(record(n)))));
    for (const [n, one] of both.entries()) await one.remember(holding(record(n), record(9)));
    expect(both.filter((one) => one.isReplaced())).toHaveLength(1);
  });

  it("a journal that its own agent can't read any more belongs to nobody", async () => {
    const { open, state } = disk();
    const keeper = open();
    await keeper.remember(holding(record(1)));
    state.text = "{}";
    await keeper.remember(holding(record(2)));
    expect(await open().load()).toEqual(holding(record(2)));
  });
});

describe("a disk that hangs", () => {
  const never = <T>() => new Promise<T>(() => {});

  it("is waited for 2 s, then the agent works without, and asks it nothing more meanwhile", async () => {
    const { open, clock, troubles } = disk();
    let asked = 0;
    const keeper = open({
      write() {
        asked += 1;
        return never();
      },
    });
    const first = keeper.remember(holding(record(1)));
    await clock.advance(2_000);
    await first;
    await keeper.remember(holding(record(2)));
    await keeper.remember(holding(record(3)));
    expect(asked).toBe(1);
    expect(troubles).toEqual(["Error: the file system did not answer within 2 s"]);
  });

  it("holds up no start either", async () => {
    const { open, clock } = disk();
    const loaded = open({ read: never }).load();
    await clock.advance(2_000);
    expect(await loaded).toBeUndefined();
  });

  it("and answers too late is told that the text must not take effect, and is given the latest", async () => {
    const { open, clock, state } = disk();
    const { promise, resolve } = Promise.withResolvers<void>();
    const signals: (AbortSignal | undefined)[] = [];
    const keeper = open({
      async write(text, signal) {
        signals.push(signal);
        if (signals.length === 1) await promise;
        signal?.throwIfAborted();
        state.text = text;
      },
    });
    const first = keeper.remember(holding(record(1)));
    await clock.advance(2_000);
    await first;
    await keeper.remember(holding(record(2)));
    resolve();
    await clock.advance(1);
    expect(signals[0]?.aborted).toBe(true);
    expect(state.text).toBeUndefined();
    await clock.advance(30_000);
    expect(await open().load()).toEqual(holding(record(2)));
  });
});
