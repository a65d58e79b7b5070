import { describe, expect, it } from "@jest/globals";
import { findPublished } from "../../../agent/host/find-published.ts";
import type { Journal } from "../../../lib/route53/journal.ts";
import { keyOf, type RecordSet } from "../../../lib/route53/record-set.ts";
import { record, ZONE } from "../../support/build.ts";
import { rulesZone } from "../../support/rules-zone.ts";

const at = (name: string, n: number) => record(n, { name: `${name}.${ZONE}` });
const absolute = (one: RecordSet) => ({ ...one, name: `${one.name}.` });

/** A zone with our records and others', and how it looks to a start. */
function bench(known: readonly RecordSet[], zoneSize = 10) {
  const zone = rulesZone();
  for (const one of known) zone.edit({ action: "UPSERT", record: absolute(one) });
  const owned = { ...zone, page: (cursor: unknown) => zone.page(cursor as string | undefined) };
  const find = (options: { journal?: Journal; names?: string[]; whole?: boolean } = {}) => {
    const { journal, names = [], whole = false } = options;
    return findPublished({
      journal: journal && {
        load: async () => journal,
      },
      // biome-ignore lint/suspicious/noExplicitAny: the cursor is the zone's own affair.
      zone: owned as any,
      zoneSize,
      names: new Set(names.map((name) => `${name}.${ZONE}`)),
      whole,
      retry: (act) => act(),
    });
  };
  const values = async (found: ReturnType<typeof find>) =>
    [...(await found).published.values()].map((entry) => entry.record);
  return { zone, find, values };
}

const remembering = (...entries: [RecordSet, boolean][]): Journal => ({
  hosts: 5,
  published: new Map(entries.map(([one, certain]) => [keyOf(one), { record: one, certain }])),
});

describe("what a start knows of its records", () => {
  it("from a journal, without a request", async () => {
    const { zone, find } = bench([at("web", 1)]);
    const journal = remembering([at("web", 1), true]);
    expect(await find({ journal })).toEqual({
      published: journal.published,
      hosts: 5,
      from: "the journal",
      doubtful: new Set(),
      unreadPages: 0,
    });
    expect(zone.reads).toEqual([]);
  });

  it("from a journal, reading only the names that were in doubt when it was written", async () => {
    const { zone, find } = bench([at("web", 1), at("api", 2)]);
    // The answers for api were lost: one record had landed, one had not, one was deleted.
    const journal = remembering([at("web", 1), true], [at("api", 2), false], [at("api", 3), false]);
    const { published } = await find({ journal });
    expect([...published.values()]).toEqual([
      { record: at("web", 1), certain: true },
      { record: at("api", 2), certain: true },
    ]);
    expect(zone.reads).toEqual([`api.${ZONE}`]);
  });

  it("from the whole zone, where that takes no more requests than the names would", async () => {
    const known = [at("web", 1), at("old", 2), at("api", 3)];
    const { zone, find, values } = bench(known);
    zone.pageSize = 2;
    const found = find({ names: ["web", "api"] });
    expect((await values(found)).map(keyOf).toSorted()).toEqual(known.map(keyOf).toSorted());
    expect(await found).toMatchObject({ from: "the zone", unreadPages: 0, hosts: 1 });
  });

  it("from its own names in a big zone, with the pages left to look through for leftovers", async () => {
    const { zone, find, values } = bench([at("web", 1), at("old", 2)], 10_000);
    const found = find({ names: ["web"] });
    expect(await values(found)).toEqual([at("web", 1)]);
    expect(await found).toMatchObject({ from: "its own names", unreadPages: 34 });
    expect(zone.reads).toEqual([`web.${ZONE}`]);
  });

  it("from the whole zone, however big, when there is no later (--once)", async () => {
    const { find, values } = bench([at("web", 1), at("old", 2)], 10_000);
    expect(await values(find({ names: ["web"], whole: true }))).toHaveLength(2);
  });

  it("counts the hosts that share the zone", async () => {
    const { zone, find } = bench([at("web", 1)]);
    const other =
      "ecs-discovery-1/0000000000000000000000000000b002/00000000000000000000000000000009";
    zone.edit({ action: "UPSERT", record: { ...absolute(at("web", 9)), setIdentifier: other } });
    expect((await find()).hosts).toBe(2);
  });
});
