import { describe, expect, it } from "@jest/globals";
import { removeFormerSelves, sameInstance } from "../../../agent/host/former-self.ts";
import { Unavailable } from "../../../lib/kit/failure.ts";
import type { SignOfLife } from "../../../lib/kit/io/life-sign.ts";
import { formatJournal, journalName, sealed } from "../../../lib/route53/journal.ts";
import { keyOf, type RecordSet } from "../../../lib/route53/record-set.ts";
import { formatSetIdentifier } from "../../../lib/route53/set-identifier.ts";
import { instance, owner, record, task, ZONE } from "../../support/build.ts";
import { fakeClock, settle } from "../../support/fake-clock.ts";
import { rulesZone } from "../../support/rules-zone.ts";

const FORMER = instance(7);
const BOOT = "boot-1";
const NEWER = '"generation":9,"writer":"00000000000000cc"';
const of = (n: number, whose = FORMER) =>
  record(n, { setIdentifier: formatSetIdentifier({ instance: whose, task: task(n) }) });
const absolute = (one: RecordSet) => ({ ...one, name: `${one.name}.` });

/** A host that is registered as `owner` now, and whose folder and zone hold what is left of others. */
async function start(
  zoneHolds: readonly RecordSet[],
  journals: readonly (readonly [RecordSet[], { instance?: typeof FORMER; boot?: string }])[],
  /** What is seen of the life of whoever keeps them, the last for good; each look may do something besides. */
  signs: readonly (SignOfLife | ((files: Map<string, string>) => SignOfLife))[] = ["dead"],
) {
  const clock = fakeClock();
  let looks = 0;
  const files = new Map(
    journals.map(([records, { instance: whose = FORMER, boot = BOOT }]) => [
      journalName({ zoneId: "Z1", instance: whose }),
      formatJournal(
        { zoneId: "Z1", zoneName: ZONE, instance: whose, boot },
        {
          published: new Map(records.map((one) => [keyOf(one), { record: one, certain: true }])),
          hosts: 1,
        },
        { generation: 1, writer: "00000000000000aa" },
      ),
    ]),
  );
  const shown = new Set(files.keys());
  const zone = rulesZone(FORMER);
  for (const one of zoneHolds) zone.edit({ action: "UPSERT", record: absolute(one) });
  const told: string[] = [];
  const log = Object.fromEntries(
    ["error", "warn", "info", "debug"].map((level) => [
      level,
      (message: string) => void told.push(`${level}: ${message}`),
    ]),
  ) as never;
  const stop = new AbortController();
  const removed = removeFormerSelves({
    config: { hostedZoneId: "Z1", patience: 60, dryRun: false },
    owner,
    zoneName: ZONE,
    // The cursor of its pages is nobody's affair here.
    zone: { as: () => zone as never },
    hosts: 1,
    edges: {
      bootId: async () => BOOT,
      journalNames: async () => [...files.keys()],
      journal: (name) => ({
        read: async () => files.get(name),
        isOurs: async () => false,
        write: async (text) => void files.set(name, text),
        remove: async () => void files.delete(name),
        sign: {
          show: async () => void shown.add(name),
          async see() {
            const sign = signs[Math.min(looks, signs.length - 1)] ?? "unknown";
            looks += 1;
            return typeof sign === "function" ? sign(files) : sign;
          },
          remove: async () => void shown.delete(name),
        },
      }),
    },
    surroundings: { clock, random: () => 0.5, log },
    end: stop.signal,
  });
  const ends = removed.then(() => true);
  while (!(await Promise.race([ends, settle().then(() => false)]))) await clock.next();
  return { zone, files, told, shown };
}

describe("a host that is registered under another container instance than before", () => {
  it("removes exactly the records that it had as the former one, and forgets it", async () => {
    const others = [of(5, instance(9)), of(6, owner.instance)];
    const { zone, files, told, shown } = await start(
      [of(1), of(2), of(3), ...others],
      [[[of(1), of(2)], {}]],
    );
    expect(zone.weighted()).toHaveLength(3);
    expect(zone.weighted()).toEqual(expect.arrayContaining([of(3), ...others]));
    expect(zone.batches).toHaveLength(1);
    expect([...files.keys()]).toEqual([]);
    expect([...shown]).toEqual([]);
    expect(told).toEqual([expect.stringContaining("was another container instance before")]);
  });

  it("removes what somebody has changed meanwhile as it is now", async () => {
    const { zone } = await start([{ ...of(1), weight: 9 }], [[[of(1)], {}]]);
    expect(zone.weighted()).toEqual([]);
  });

  it.each<[string, { instance?: typeof FORMER; boot?: string }]>([
    ["written before this boot: perhaps on another machine", { boot: "boot-0" }],
    ["its own", { instance: owner.instance }],
  ])("leaves alone what a journal holds that was %s", async (_, over) => {
    const mine = over.instance === undefined ? of(1) : of(1, owner.instance);
    const { zone, files } = await start([mine], [[[mine], over]]);
    expect(zone.batches).toEqual([]);
    expect(files.size).toBe(1);
  });
});

describe("another container instance of this machine, which keeps its journal in the same folder", () => {
  const byAnother = (files: Map<string, string>): SignOfLife => {
    for (const [name, text] of files) {
      const json = text.slice(0, -10).replace("00000000000000aa", "00000000000000bb");
      files.set(name, sealed(json));
    }
    return "dead";
  };

  it.each<[string, Parameters<typeof start>[2], string]>([
    ["while its agent lives", ["lives"], "info: another agent shares --stateDir"],
    ["while nobody can tell", ["unknown"], "warn: can't tell whether"],
    ["whose agent has only started again", ["dead", "lives"], "info: another agent"],
    ["whose next agent has died, too", [byAnother, "dead"], "info: another agent"],
  ])("loses nothing %s", async (_, signs, words) => {
    const { zone, files, told } = await start([of(1)], [[[of(1)], {}]], signs);
    expect(zone.batches).toEqual([]);
    expect(zone.weighted()).toEqual([of(1)]);
    expect(files.size).toBe(1);
    expect(told).toEqual([expect.stringContaining(words)]);
  });

  it("keeps what is left of its records when its agent comes back meanwhile", async () => {
    const takenOver = (files: Map<string, string>): SignOfLife => {
      // What this start writes into the journal is not the last word in it.
      const set = files.set.bind(files);
      files.set = (name, text) => {
        const json = text.slice(0, -10).replace(/"generation":\d+,"writer":"\w+"/, NEWER);
        return set(name, sealed(json));
      };
      return "dead";
    };
    const { zone, told } = await start([of(1)], [[[of(1)], {}]], ["dead", takenOver]);
    expect(zone.batches).toEqual([]);
    expect(told.at(-1)).toContain("its agent lives again");
  });
});

describe("the running agent", () => {
  const agent = (ask: () => Promise<typeof owner>) => ({
    metadata: async () => ({ owner: await ask(), cluster: "prod", version: "1" }),
  });

  it("ends when the ECS agent has another container instance", async () => {
    await expect(
      sameInstance(
        agent(async () => ({ ...owner, instance: FORMER })),
        owner,
      ),
    ).rejects.toThrow(`registered as container instance ${FORMER}`);
  });

  it("goes on when it is the same, and when the ECS agent does not answer", async () => {
    await sameInstance(
      agent(async () => owner),
      owner,
    );
    await sameInstance(
      agent(async () => {
        throw new Unavailable("the ECS agent", "did not answer");
      }),
      owner,
    );
  });
});
