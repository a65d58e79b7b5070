import type { ChangeInput, ZoneRecord } from "../../lib/standins/route53/rules.ts";
import { instance, ZONE } from "../support/build.ts";
import { instanceOf } from "./hosts.ts";
import type { Watch } from "./invariants.ts";
import { type Scenario, SERVICES, type StepKind } from "./scenario.ts";
import type { Tally } from "./tally.ts";
import type { Zone } from "./zone.ts";

/** All others who write into the zone: hosts of other agents, and people. */
export interface Foreign {
  /** What is in the zone before anything begins. */
  seed(scenario: Scenario): void;
  /** Does nothing for the steps of others. */
  act(kind: StepKind, who: number): void;
  /** Takes away what stands in the way of our records. */
  clear(): void;
}

const OTHER_TTL = 60;

export function byHand({
  zone,
  watching,
  tally,
  isWeighted,
}: {
  readonly zone: Zone;
  readonly watching: Watch;
  readonly tally: Tally;
  /** The routing of our records, which others must share. */
  readonly isWeighted: boolean;
}): Foreign {
  const inTheWay = new Map<string, readonly ZoneRecord[]>();
  const routed = isWeighted ? { weight: 1 } : { multiValueAnswer: true };
  const put = (records: readonly ZoneRecord[]): boolean =>
    zone.edit(records.map((record) => ({ action: "UPSERT", record })));
  const takeAway = (name: string): void => {
    const ids = new Set(inTheWay.get(name)?.map(({ type, setIdentifier }) => type + setIdentifier));
    // As they are now: their TTL may have been changed since.
    const records = zone
      .records()
      .filter((one) => one.name === name && ids.has(one.type + one.setIdentifier));
    if (records.length > 0) zone.edit(records.map((record) => ({ action: "DELETE", record })));
    inTheWay.delete(name);
  };
  const block = (name: string, records: readonly ZoneRecord[], kind: string): void => {
    takeAway(name);
    if (!put(records)) return;
    inTheWay.set(name, records);
    tally.count(`${kind}, done`);
  };
  const other = (n: number, name: string, ttlSeconds: number): ZoneRecord => ({
    name,
    type: "A",
    ttlSeconds,
    values: [`172.16.0.${n}`],
    setIdentifier: `other-${n}`,
    ...routed,
  });

  return {
    seed({ leftovers, others }) {
      zone.fill([
        ...Array.from({ length: leftovers }, (_, n) => ({
          ...other(n, `old-${n}.${ZONE}.`, 10),
          setIdentifier: `ecs-discovery-1/${instanceOf(0)}/${instance(900 + n)}`,
        })),
        ...Array.from({ length: others }, (_, n) => other(n % 200, `z${n}.${ZONE}.`, 300)),
      ]);
    },
    act(kind, who) {
      const name = `${SERVICES[who % SERVICES.length]}.${ZONE}.`;
      switch (kind) {
        case "foreign: another TTL": {
          if (!isWeighted) return;
          // The whole group at once: Route 53 takes it in no other way.
          const group = zone
            .records()
            .filter((one) => one.name === name && one.type === "A" && one.weight !== undefined);
          const record = other(1, name, OTHER_TTL);
          const changes = [
            ...group.filter((one) => one.setIdentifier !== record.setIdentifier),
            record,
          ].map(
            (one): ChangeInput => ({ action: "UPSERT", record: { ...one, ttlSeconds: OTHER_TTL } }),
          );
          if (!zone.edit(changes)) return;
          watching.otherTtl(name.slice(0, -1));
          tally.count(`${kind}, done`);
          return;
        }
        case "foreign: another host's record": {
          const setIdentifier = `ecs-discovery-1/${instance(800)}/${instance(801 + (who % 3))}`;
          const [first] = zone
            .records()
            .filter((one) => one.name === name && one.type === "A" && one.weight !== undefined);
          if (put([{ ...other(who % 200, name, first?.ttlSeconds ?? 10), setIdentifier }])) {
            tally.count(`${kind}, done`);
          }
          return;
        }
        case "foreign: simple record in the way":
          return block(name, [{ name, type: "A", ttlSeconds: 300, values: ["172.16.1.1"] }], kind);
        case "foreign: CNAME in the way":
          return block(
            name,
            [{ name, type: "CNAME", ttlSeconds: 300, values: ["elsewhere.example.com."] }],
            kind,
          );
        case "foreign: name filled up": {
          takeAway(name);
          const group = zone.records().filter((one) => one.name === name && one.type === "A");
          const ttl = group[0]?.ttlSeconds ?? 10;
          const records = Array.from({ length: 100 - group.length }, (_, n) => ({
            ...other(100 + n, name, ttl),
            setIdentifier: `fills-${n}`,
          }));
          return block(name, records, kind);
        }
        case "foreign: gone again":
          return takeAway(name);
        case "by hand: our record deleted": {
          const record = ours(who);
          if (record !== undefined && zone.edit([{ action: "DELETE", record }])) {
            tally.count(`${kind}, done`);
          }
          return;
        }
        case "by hand: our record edited": {
          const record = ours(who);
          if (record === undefined) return;
          const values = record.type === "A" ? ["172.16.9.9"] : record.values;
          const changed = { ...record, values, ...(isWeighted && { weight: 77 }) };
          if (!put([changed])) return;
          watching.edited(changed);
          tally.count(`${kind}, done`);
        }
      }
    },
    clear() {
      for (const name of [...inTheWay.keys()]) takeAway(name);
    },
  };

  function ours(who: number): ZoneRecord | undefined {
    const all = zone
      .records()
      .filter(({ setIdentifier = "" }) =>
        [0, 1, 2].some((host) => setIdentifier.startsWith(`ecs-discovery-1/${instanceOf(host)}/`)),
      );
    return all[who % all.length];
  }
}
