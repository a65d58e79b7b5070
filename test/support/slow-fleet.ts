import type { InstanceId } from "../../lib/ecs/arn.ts";
import type { FleetReport, Records, Word } from "../../lib/fleet/flow/owners.ts";
import { zoneFleet } from "../../lib/fleet/flow/zone-fleet.ts";
import { ROUTE53_BATCH } from "../../lib/route53/batches.ts";
import type { Submission } from "../../lib/route53/flow/zone-writer.ts";
import type { Change } from "../../lib/route53/plan.ts";
import { keyOf, type RecordSet } from "../../lib/route53/record-set.ts";
import { owner } from "./build.ts";
import { fakeClock, settle } from "./fake-clock.ts";

/** One owner's changes on their way to the zone. */
interface UnderWay {
  readonly changes: readonly Change[];
  accept(): Promise<void>;
  refuse(message: string): Promise<void>;
  /** No answer comes. */
  fail(error: unknown): Promise<void>;
}

export const tableOf = (records: readonly RecordSet[]): Records =>
  new Map(records.map((one) => [keyOf(one), one]));

/** A fleet over a zone that answers when the test says so. */
export function fleetWithSlowZone({
  found = [],
  force = false,
}: {
  /** What the zone holds of the owner when it is read. */
  readonly found?: readonly RecordSet[];
  readonly force?: boolean;
} = {}) {
  const clock = fakeClock();
  const requests: UnderWay[] = [];
  const released: InstanceId[] = [];
  const reports: FleetReport[] = [];
  let horizonMs = 0;
  const fleet = zoneFleet({
    found: new Map(found.length === 0 ? [] : [[owner.instance, tableOf(found)]]),
    readAtMs: clock.now(),
    horizonMs: 0,
    joint: {
      submit(changes, sentMs) {
        const { promise, resolve, reject } = Promise.withResolvers<Submission>();
        requests.push({
          changes,
          async accept() {
            horizonMs = Math.max(horizonMs, sentMs);
            resolve({ kind: "accepted" });
            await settle();
          },
          async refuse(message) {
            resolve({ kind: "refused", message });
            await settle();
          },
          async fail(error) {
            reject(error);
            await settle();
          },
        });
        return promise;
      },
      stood(sentMs) {
        horizonMs = Math.max(horizonMs, sentMs);
      },
      horizonMs: () => horizonMs,
    },
    group: async (_, name) => ({ name, own: [], types: new Map(), instances: [] }),
    limits: ROUTE53_BATCH,
    clock,
    random: () => 0.5,
    unixMs: clock.now,
    force,
    report: (one) => reports.push(one),
    release: (one) => released.push(one),
    fail(error) {
      throw error;
    },
  });
  let seq = 0;
  const word = (
    records: readonly RecordSet[],
    over: Partial<Pick<Word, "direct">> & {
      readonly drain?: boolean;
      readonly leaves?: boolean;
    } = {},
  ): Word => {
    seq += 1;
    const { drain = false, leaves = false, direct = false } = over;
    return {
      owner: owner.instance,
      set: { records: tableOf(records), keeps: new Set(), drain, leaves },
      stamp: { epoch: 1, seq, sentMs: clock.now() + seq, startedMs: clock.now() - 600_000 },
      direct,
    };
  };
  return {
    ...{ fleet, clock, requests, released, reports, word },
    kinds: () => reports.map(({ kind }) => kind),
    /** Has the zone take everything that comes. */
    async acceptAll(): Promise<void> {
      for (let at = 0; ; at += 1) {
        await clock.advance(10_000);
        if (requests[at] === undefined) return;
        await requests[at]?.accept();
      }
    },
  };
}
