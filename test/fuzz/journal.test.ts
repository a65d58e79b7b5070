import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { journalKeeper } from "../../lib/route53/flow/journal.ts";
import {
  formatJournal,
  type JournalScope,
  parseJournal,
  sealed,
} from "../../lib/route53/journal.ts";
import { type Published, plan } from "../../lib/route53/plan.ts";
import { keyOf, type RecordKey, recordTypes } from "../../lib/route53/record-set.ts";
import { formatSetIdentifier, parseSetIdentifier } from "../../lib/route53/set-identifier.ts";
import { instance, noSign, owner, record, task, ZONE } from "../support/build.ts";
import { fakeClock } from "../support/fake-clock.ts";
import { cases, FUZZ_LIMIT_MS } from "./cases.ts";
import { damage, damaged, hostileJson, hostileText, mutatedJson } from "./hostile.ts";

const scope: JournalScope = {
  zoneId: "Z1",
  zoneName: ZONE,
  instance: owner.instance,
  boot: "boot-1",
};
const by = { generation: 1, writer: "0123456789abcdef" };
const published = fc
  .array(
    fc.record({
      record: fc.record({
        name: fc.constantFrom(`web.${ZONE}`, `v2.api.${ZONE}`),
        type: fc.constantFrom(...recordTypes),
        setIdentifier: fc
          .nat(20)
          .map((n) => formatSetIdentifier({ instance: owner.instance, task: task(n) })),
        ttlSeconds: fc.nat(2_147_483_647),
        weight: fc.nat(255),
        values: fc.array(fc.ipV4(), { minLength: 1, maxLength: 2 }),
      }),
      certain: fc.boolean(),
    }),
    { maxLength: 5 },
  )
  .map((all) => new Map<RecordKey, Published>(all.map((one) => [keyOf(one.record), one])));
const text = fc
  .tuple(published, fc.nat(1_000))
  .map(([table, hosts]) => formatJournal(scope, { published: table, hosts }, by));

const json = text.map((whole) => whole.slice(0, whole.lastIndexOf(" ")));

/** Most have their sum made right again, or that alone would give them away. */
const strange = fc.oneof(
  fc.tuple(text, fc.nat(5_000)).map(([whole, at]) => whole.slice(0, at % whole.length)),
  fc.tuple(text, damage(3)).map(([whole, where]) => damaged(whole, where).toString()),
  fc.tuple(text, text).map(([one, other]) => `${one}${other}`),
  json.map(sealed),
  fc.tuple(json, damage(2)).map(([whole, where]) => sealed(damaged(whole, where).toString())),
  mutatedJson(json.map((whole) => JSON.parse(whole) as unknown)).map(sealed),
  fc
    .tuple(json, hostileText)
    .map(([whole, key]) => sealed(whole.replace("{", `{${JSON.stringify(key)}:1,`))),
  // Somebody else's record among ours.
  json.map((whole) => sealed(whole.replace(/(?<=ecs-discovery-1.)[0-9a-f]{32}/, instance(2)))),
  json.map((whole) => sealed(whole.replace(/(?<="name":"web.)example.internal/, "other.internal"))),
  hostileJson.map(sealed),
  hostileText.map(sealed),
);

test("a journal reads back whole", () => {
  fc.assert(
    fc.property(published, fc.nat(1_000), (table, hosts) => {
      expect(parseJournal(formatJournal(scope, { published: table, hosts }, by), scope)).toEqual({
        published: table,
        hosts,
        by,
      });
    }),
    cases(0.2),
  );
});

test(
  "any other bytes never end the process, and lead to no change of anything but this owner's records",
  async () => {
    let believed = 0;
    await fc.assert(
      fc.asyncProperty(strange, async (bytes) => {
        const keeper = journalKeeper({
          scope,
          store: {
            read: async () => bytes,
            isOurs: async () => false,
            write: async () => {},
            remove: async () => {},
            sign: noSign,
          },
          clock: fakeClock(),
          random: () => 0.5,
          stop: new AbortController().signal,
          onTrouble: (error) => {
            throw error;
          },
        });
        const journal = await keeper.load();
        if (journal === undefined) return;
        believed += 1;
        expect(Number.isSafeInteger(journal.hosts) && journal.hosts >= 0).toBe(true);
        // All of its records are gone from the host: each is a DELETE now, of what the owner can have written.
        for (const { record: one } of plan(journal.published, new Map(), new Set())) {
          expect(one.name).toMatch(/^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+example\.internal$/);
          expect(parseSetIdentifier(one.setIdentifier)?.instance).toBe(owner.instance);
          expect(recordTypes).toContain(one.type);
          expect(one.ttlSeconds).toBeLessThanOrEqual(2_147_483_647);
          expect(one.weight ?? 0).toBeLessThanOrEqual(255);
          expect(one.values.length).toBeGreaterThan(0);
        }
        // And it is exactly what this agent would have written itself.
        expect(parseJournal(bytes, scope)).toMatchObject(journal);
      }),
      cases(0.4),
    );
    expect(believed).toBeGreaterThan(cases(0.4).numRuns / 20);
  },
  FUZZ_LIMIT_MS,
);

test(
  "with one character of it changed it is not believed",
  () => {
    fc.assert(
      fc.property(text, fc.nat(10_000), fc.nat(127), (whole, place, code) => {
        const at = place % whole.length;
        const other = String.fromCharCode(code);
        fc.pre(whole[at] !== other);
        const flipped = whole.slice(0, at) + other + whole.slice(at + 1);
        expect(parseJournal(flipped, scope)).toBeUndefined();
      }),
      cases(0.4),
    );
  },
  FUZZ_LIMIT_MS,
);

test(
  "torn anywhere it is not believed",
  () => {
    fc.assert(
      fc.property(text, fc.nat(10_000), (whole, at) => {
        expect(parseJournal(whole.slice(0, at % whole.length), scope)).toBeUndefined();
      }),
      cases(0.4),
    );
  },
  FUZZ_LIMIT_MS,
);

test("one of 10,000 records is read, and torn is not believed", () => {
  const table = new Map<RecordKey, Published>();
  for (let n = 0; n < 10_000; n += 1) {
    table.set(keyOf(record(n)), { record: record(n), certain: true });
  }
  const huge = formatJournal(scope, { published: table, hosts: 1 }, by);
  expect(parseJournal(huge, scope)?.published.size).toBe(10_000);
  expect(parseJournal(`${huge.slice(0, -100)}}\n`, scope)).toBeUndefined();
});
