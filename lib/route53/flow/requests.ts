import { causes, type Unavailable } from "../../kit/failure.ts";
import type { Clock, Random } from "../../kit/flow/clock.ts";
import { outageTimer } from "../../kit/flow/outage-timer.ts";
import { outOfPatience } from "../../kit/flow/retry.ts";
import { type Pace, pace } from "./pace.ts";
import type { WriterReport } from "./writer-ports.ts";

/** A paced host waits long between two tries; so many in a row must be turned away before time ends its patience. */
const TURNED_AWAY_IN_A_ROW = 30;

/** The requests of one writer to Route 53, one at a time: when the next one may go, and how it has answered so far. */
export interface Requests {
  readonly pace: Pace;
  /** One request, of any kind: its answer ends an outage. */
  ask<T>(request: () => Promise<T>): Promise<T>;
  /** There was no answer. How long to wait, in ms; throws when the patience is over. */
  missed(error: Unavailable): number;
  /** Nobody waits for an answer any more: whatever comes next is no part of this outage. */
  nobodyWaits(): void;
  /** Since when the request that is under way is. */
  underWaySinceMs(): number | undefined;
  /** Since when every request was turned away. */
  turnedAwaySinceMs(): number | undefined;
}

export function requests({
  clock,
  random,
  patienceMs,
  hosts,
  report,
}: {
  readonly clock: Clock;
  readonly random: Random;
  readonly patienceMs: number;
  readonly hosts: () => number;
  readonly report: (report: Extract<WriterReport, { kind: "waits" }>) => void;
}): Requests {
  const tries = outageTimer<"route53">({ clock, random, limitMs: patienceMs });
  const rate = pace({ clock, random, hosts });
  let turnedAway: { readonly sinceMs: number; inARow: number } | undefined;
  let underWaySinceMs: number | undefined;

  const over = (): void => {
    tries.hit("route53");
    turnedAway = undefined;
  };

  return {
    pace: rate,
    async ask(request) {
      underWaySinceMs = clock.now();
      try {
        const answer = await request();
        rate.accepted();
        over();
        return answer;
      } finally {
        underWaySinceMs = undefined;
      }
    },
    missed(error) {
      const { demand } = error;
      const backoffMs = tries.miss("route53");
      if (demand !== undefined) {
        turnedAway ??= { sinceMs: clock.now(), inARow: 0 };
        turnedAway.inARow += 1;
      }
      if (demand === "fewer") rate.throttled();
      else if (demand === "later") rate.collided();
      const inARow = turnedAway?.inARow ?? 0;
      const isStillPaced = demand !== undefined && inARow < TURNED_AWAY_IN_A_ROW;
      if (backoffMs === undefined && !isStillPaced) throw outOfPatience(error, patienceMs);
      const delayMs = Math.max(backoffMs ?? 0, rate.waitMs());
      report({ kind: "waits", problem: causes(error), delayMs, ...(demand && { demand }) });
      return delayMs;
    },
    nobodyWaits: over,
    underWaySinceMs: () => underWaySinceMs,
    turnedAwaySinceMs: () => turnedAway?.sinceMs,
  };
}
