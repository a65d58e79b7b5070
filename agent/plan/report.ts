import type { Desired } from "../../lib/discovery/desired.ts";
import type { Seen } from "../../lib/discovery/flow/look.ts";
import { type ContainerId, shortId } from "../../lib/docker/container.ts";
import type { InstanceId, TaskId } from "../../lib/ecs/arn.ts";
import type { Neighbours } from "../../lib/route53/neighbours.ts";
import { type Published, plan } from "../../lib/route53/plan.ts";
import { keyOf, type RecordKey, type RecordSet, sameRecord } from "../../lib/route53/record-set.ts";
import { parseSetIdentifier } from "../../lib/route53/set-identifier.ts";

/** A container, as people know it. */
export interface Named {
  readonly id: string;
  readonly name: string;
}

/** What a record set says; the rest of it is its identity. */
export type Content = Pick<RecordSet, "ttlSeconds" | "weight" | "values">;

/** One record set that would change. */
export interface Difference extends RecordSet {
  readonly action: "add" | "remove" | "change";
  /** Of a change: what the zone holds now. */
  readonly before?: Content;
  readonly task?: TaskId;
  /** Those that ask for it; none for one that goes. */
  readonly containers: readonly Named[];
  /** Why Route 53 would refuse it. */
  readonly obstacle?: string;
}

/** A running container that the plan adds nothing for, and why. */
export interface Left extends Named {
  /** `waits` has it looked at again by itself; `skipped` is for somebody to act on; `none` is everyday life. */
  readonly state: "waits" | "skipped" | "none";
  readonly reason: string;
  readonly detail: string;
}

/** What discover would do if it started now; the form of `--json`. */
export interface PlanReport {
  readonly schemaVersion: 1;
  readonly zone: { readonly id: string; readonly name: string };
  readonly instance: InstanceId;
  readonly running: number;
  readonly differences: readonly Difference[];
  /** How many of this host's records stay as they are. */
  readonly right: number;
  readonly left: readonly Left[];
  /** How many record sets this host's proxy has in the zone: discover leaves them alone. */
  readonly proxied: number;
  /** Which deletes discover would hold back at first, and why. */
  readonly refusal?: string;
}

/** The differences between the zone and what its containers ask for, in the order of their names. */
export function differencesOf({
  published,
  desired,
  kept,
  seen,
  beside,
}: {
  readonly published: ReadonlyMap<RecordKey, Published>;
  readonly desired: ReadonlyMap<RecordKey, RecordSet>;
  readonly kept: ReadonlySet<RecordKey>;
  readonly seen: ReadonlyMap<ContainerId, Seen>;
  readonly beside: Neighbours;
}): readonly Difference[] {
  const askers = askersOf(seen);
  return plan(published, desired, kept)
    .map(({ action, record }): Difference => {
      const before = published.get(keyOf(record))?.record;
      const task = parseSetIdentifier(record.setIdentifier)?.task;
      const obstacle = action === "DELETE" ? undefined : beside.obstacle(record);
      return {
        action: action === "DELETE" ? "remove" : before === undefined ? "add" : "change",
        ...record,
        ...(action !== "DELETE" && before !== undefined && { before: contentOf(before) }),
        ...(task !== undefined && { task }),
        containers: action === "DELETE" ? [] : (askers.get(keyOf(record)) ?? []),
        ...(obstacle !== undefined && { obstacle }),
      };
    })
    .toSorted((a, b) => compare(keyOf(a), keyOf(b)));
}

/** How many published records a plan leaves as they are. */
export const rightOnes = (
  published: ReadonlyMap<RecordKey, Published>,
  desired: ReadonlyMap<RecordKey, RecordSet>,
  kept: ReadonlySet<RecordKey>,
): number =>
  [...published].filter(([key, { record }]) => {
    const wanted = desired.get(key);
    return wanted === undefined ? kept.has(key) : sameRecord(wanted, record);
  }).length;

/** The running containers that ask for no record now. */
export const leftOf = (seen: ReadonlyMap<ContainerId, Seen>): readonly Left[] =>
  [...seen]
    .flatMap(([id, { container, desired }]) => {
      const named = { id, name: container?.name ?? shortId(id) };
      return desired === undefined ? [] : reasonsOf(desired).map((why) => ({ ...named, ...why }));
    })
    .toSorted((a, b) => compare(a.name, b.name));

/** Everyday life of a container: nobody needs to act on it, and discover hears of its end by itself. */
const EVERYDAY: ReadonlySet<string> = new Set(["gone", "not-running", "paused", "internal"]);

function reasonsOf(desired: Desired): readonly Omit<Left, keyof Named>[] {
  switch (desired.kind) {
    case "serve":
      return [
        ...(desired.well
          ? []
          : [{ state: "waits" as const, reason: "unhealthy", detail: "its health check fails" }]),
        ...desired.problems.map((detail) => ({
          state: "skipped" as const,
          reason: "bad-name",
          detail,
        })),
      ];
    case "unsure":
      return [{ state: "waits", reason: desired.reason, detail: desired.detail }];
    case "absent": {
      const { reason, detail } = desired;
      const state =
        reason === "starting" ? "waits" : EVERYDAY.has(reason) ? "none" : ("skipped" as const);
      return [{ state, reason, detail }];
    }
  }
}

function askersOf(seen: ReadonlyMap<ContainerId, Seen>): ReadonlyMap<RecordKey, readonly Named[]> {
  const askers = new Map<RecordKey, Named[]>();
  for (const [id, { container, desired }] of seen) {
    if (desired?.kind !== "serve") continue;
    for (const record of desired.records) {
      const named = { id, name: container?.name ?? shortId(id) };
      askers.set(keyOf(record), [...(askers.get(keyOf(record)) ?? []), named]);
    }
  }
  return askers;
}

const contentOf = ({ ttlSeconds, weight, values }: RecordSet): Content => ({
  ttlSeconds,
  ...(weight !== undefined && { weight }),
  values,
});

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
