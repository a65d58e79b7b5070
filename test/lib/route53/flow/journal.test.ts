import { describe, expect, it } from "@jest/globals";
import { journalKeeper } from "../../../../lib/route53/flow/journal.ts";
import type { Journal, JournalScope } from "../../../../lib/route53/journal.ts";
import { keyOf, type RecordSet } from "../../../../lib/route53/record-set.ts";
import { owner, record, ZONE } from "../../../support/build.ts";
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
  const open = () =>
    journalKeeper({
      clock,
      stop: stop.signal,
      store: {
        read: async () => state.text,
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
      },
      scope,
      onTrouble: (error) => troubles.push(String(error)),
    });
  return { state, troubles, clock, stop, open };
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
    const { open, state, troubles } = disk();
    const keeper = open();
    await keeper.remember(holding(record(1)));
    state.isFull = true;
    for (const nth of [2, 3, 4]) {
      await keeper.remember(holding(record(nth)));
      expect(await open().load()).toEqual(holding(record(nth)));
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
    const { open, state, troubles } = disk();
    const keeper = open();
    state.canWrite = false;
    await keeper.remember(holding(record(1)));
    state.canWrite = true;
    await keeper.remember(holding(record(1)));
    expect(await open().load()).toEqual(holding(record(1)));
    state.canWrite = false;
    await keeper.remember(holding(record(2)));
    expect(troubles).toHaveLength(2);
  });

  it("that could be neither written nor removed does not outlive the trouble: it is written as soon as it can be", async () => {
    const { open, state, troubles, clock, stop } = disk();
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
    expect(await open().load()).toEqual(holding(record(2)));
    expect(troubles).toHaveLength(1);
    expect(clock.sleepers).toBe(0);

    state.canWrite = false;
    await keeper.remember(holding(record(3)));
    expect(clock.sleepers).toBe(1);
    stop.abort();
    expect(clock.sleepers).toBe(0);
  });
});
