import type { Fleet } from "../../ecs/fleet.ts";
import type { Clock } from "../../kit/flow/clock.ts";
import { keyOf, type RecordSet, sameRecord } from "../../route53/record-set.ts";
import {
  type Author,
  authorOf,
  type DeleteLimit,
  type Judged,
  judgeRecords,
  type SweepRules,
  sweepRefusal,
} from "../sweep.ts";

export interface Looks {
  /** Every record of every agent, and of every proxy, in the zone. */
  readonly readZone: () => Promise<readonly RecordSet[]>;
  readonly readFleet: (authors: readonly Author[]) => Promise<Fleet>;
  readonly rules: SweepRules;
  readonly limit: DeleteLimit;
  /** How long after the first look what it found dead is looked at again. */
  readonly confirmAfterMs: number;
  readonly clock: Clock;
  readonly stop: AbortSignal;
}

export interface Looked {
  /** One for each record of the first look, in its order. */
  readonly judged: readonly Judged[];
  readonly fleets: readonly Fleet[];
  /** Why none of the dead may be deleted. */
  readonly refusal?: string;
}

/**
 * Judges every record, and those that look dead a second time, after a while, by a zone and a fleet that are read anew:
 * ECS is eventually consistent, and says for a moment after its start that a task is MISSING. Dead is what was dead both
 * times and has not changed in between. With more of them than the limit allows it is over after the first look.
 * Rejects with the stop's reason, and when the zone can't be read.
 */
export async function lookTwice(looks: Looks): Promise<Looked> {
  const records = await looks.readZone();
  const fleet = await looks.readFleet(authorsOf(records));
  const judged = judgeRecords(records, fleet, looks.rules);
  const dead = judged.filter(({ fate }) => fate.kind === "dead");
  const refusal = sweepRefusal({ seen: records.length, dead: dead.length }, looks.limit);
  if (refusal !== undefined) return { judged, fleets: [fleet], refusal };
  if (dead.length === 0) return { judged, fleets: [fleet] };

  await looks.clock.sleep(looks.confirmAfterMs, looks.stop);
  const now = new Map((await looks.readZone()).map((record) => [keyOf(record), record]));
  const unchanged = dead.flatMap(({ record }) => {
    const there = now.get(keyOf(record));
    return there !== undefined && sameRecord(there, record) ? [record] : [];
  });
  const fleetNow = await looks.readFleet(authorsOf(unchanged));
  const again = new Map(
    judgeRecords(unchanged, fleetNow, looks.rules).map((one) => [keyOf(one.record), one]),
  );
  return {
    judged: judged.map((one) =>
      one.fate.kind === "dead" ? (again.get(keyOf(one.record)) ?? changedMeanwhile(one)) : one,
    ),
    fleets: [fleet, fleetNow],
  };
}

/** Of a record that is not there any more as it was judged. */
export const changedMeanwhile = ({ record }: Pick<Judged, "record">): Judged => ({
  record,
  fate: {
    kind: "kept",
    reason: "changed-meanwhile",
    detail: "looked dead, and was removed or changed by somebody else before it was deleted",
  },
});

const authorsOf = (records: readonly RecordSet[]): readonly Author[] =>
  records.flatMap((record) => authorOf(record) ?? []);
