import type { WriterZone } from "../../../lib/fleet/flow/fleet-writer.ts";
import { Unavailable } from "../../../lib/kit/failure.ts";
import type { Clock, Random } from "../../../lib/kit/flow/clock.ts";
import { isOwn, type Whose } from "../../../lib/route53/own-record.ts";
import { stepsOf } from "../../../lib/route53/plan.ts";
import type { RecordSet } from "../../../lib/route53/record-set.ts";
import {
  type AppliedChange,
  applyBatch,
  type ChangeInput,
  newZone,
  recordsOf,
  type ZoneRecord,
} from "../../../lib/standins/route53/rules.ts";
import { ZONE } from "../../support/build.ts";
import type { WindowKind } from "./scenario.ts";

export interface FaultyZone {
  writer(who: string): WriterZone<string>;
  edit(changes: readonly ChangeInput[]): boolean;
  records(): readonly ZoneRecord[];
  /** Requests with changes besides the fence. */
  changing(): number;
}

const placeOf = ({ name, type, setIdentifier = "" }: ZoneRecord): string =>
  `${name} ${type} ${setIdentifier}`;

const PAGE = 4;
const BUSY_MS = 20;
const MUCH_LATER_MS = 30_000;

/** One hosted zone by Route 53's rules, whose answers get lost, or whose work is done long after. */
export function faultyZone({
  clock,
  random,
  befalls,
  landed,
}: {
  readonly clock: Clock & { at(ms: number, act: () => void): void };
  readonly random: Random;
  readonly befalls: (kind: WindowKind) => boolean;
  readonly landed: (applied: readonly AppliedChange[], who: string) => void;
}): FaultyZone {
  let state = newZone("Z1", ZONE);
  let busyUntilMs = 0;
  let changing = 0;

  const ours = (whose: Whose, records: readonly ZoneRecord[]): readonly RecordSet[] =>
    records.flatMap(({ name, type, ttlSeconds, weight, values, setIdentifier = "" }) => {
      const record = { name: name.slice(0, -1), type: "A" as const, setIdentifier, ttlSeconds };
      if (type !== "A" || weight === undefined || !isOwn(record, ZONE, whose)) return [];
      return [{ ...record, weight, values }];
    });
  const apply = (steps: readonly ChangeInput[], who: string) => {
    const result = applyBatch(state, steps);
    if (!result.ok) return { kind: "refused", message: result.error.message } as const;
    state = result.zone;
    busyUntilMs = clock.now() + BUSY_MS;
    landed(result.applied, who);
    return { kind: "accepted" } as const;
  };
  const there = async (): Promise<void> => {
    await clock.sleep(10 + random() * 30);
    const gone = { mayHaveLanded: false };
    if (befalls("route 53: throttled")) {
      throw new Unavailable("Route 53", "says throttled", { ...gone, demand: "fewer" });
    }
    if (befalls("route 53: unreachable")) throw new Unavailable("Route 53", "is away", gone);
  };
  const read = async <T>(look: () => T): Promise<T> => {
    await there();
    const answer = look();
    await clock.sleep(10 + random() * 30);
    return answer;
  };

  return {
    records: () => recordsOf(state),
    changing: () => changing,
    edit(changes) {
      const result = applyBatch(state, changes);
      if (result.ok) state = result.zone;
      return result.ok;
    },
    writer: (who) => ({
      names: { id: "Z1", name: ZONE },
      async submit(batch, { name, before, after, ttlSeconds }) {
        if (batch.length > 0) changing += 1;
        const text = (action: "DELETE" | "CREATE", value: string): ChangeInput => ({
          action,
          record: { name: `${name}.`, type: "TXT", ttlSeconds, values: [`"${value}"`] },
        });
        const steps: readonly ChangeInput[] = [
          ...(before === undefined ? [] : [text("DELETE", before)]),
          text("CREATE", after),
          ...stepsOf(batch).map(({ action, record }) => ({
            action,
            record: { ...record, name: `${record.name}.` },
          })),
        ];
        await there();
        if (clock.now() < busyUntilMs || befalls("route 53: zone busy")) {
          throw new Unavailable("Route 53", "is busy", { mayHaveLanded: false, demand: "later" });
        }
        if (befalls("route 53: answer lost, not done")) throw new Unavailable("Route 53", "hangs");
        if (befalls("route 53: answer lost, done much later")) {
          clock.at(clock.now() + random() * MUCH_LATER_MS, () => void apply(steps, who));
          throw new Unavailable("Route 53", "hangs");
        }
        if (batch.length > 0 && befalls("route 53: refused in unknown words")) {
          return { kind: "refused", message: "[Nobody has read this before]" };
        }
        const answer = apply(steps, who);
        if (befalls("route 53: answer lost, done")) throw new Unavailable("Route 53", "hangs");
        await clock.sleep(10 + random() * 30);
        return answer;
      },
      fence: (name) =>
        read(() =>
          recordsOf(state)
            .find((one) => one.type === "TXT" && one.name === `${name}.`)
            ?.values[0]?.slice(1, -1),
        ),
      group: (whose, name) =>
        read(() => {
          const here = recordsOf(state).filter((one) => one.name === `${name}.`);
          const size = here.filter(({ type }) => type === "A").length;
          return { name, own: ours(whose, here), types: new Map([["A", { size }]]), instances: [] };
        }),
      page: (from = "") =>
        read(() => {
          // From a record on, not from a number: what comes or goes before it moves nothing.
          const all = recordsOf(state)
            .toSorted((one, other) => (placeOf(one) < placeOf(other) ? -1 : 1))
            .filter((one) => placeOf(one) >= from);
          const next = all[PAGE];
          return {
            own: ours("any instance", all.slice(0, PAGE)),
            instances: [],
            ...(next !== undefined && { next: placeOf(next) }),
          };
        }),
    }),
  };
}
