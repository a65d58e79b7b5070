import type { ContainerId } from "../../docker/container.ts";
import type { Clock } from "../../kit/flow/clock.ts";
import type { Change } from "../../route53/plan.ts";
import { keyOf, type RecordKey } from "../../route53/record-set.ts";
import type { Seen } from "./look.ts";

/** Which container led to a change of the zone, and why. */
export interface Cause {
  readonly container: ContainerId;
  readonly name: string | undefined;
  /** What it was seen as: a life, or the reason for having no record. */
  readonly reason: string;
  /** From the event that it was looked at for, or from the look where there was none, until now. */
  readonly seconds: number;
}

export interface Causes {
  /** An event of the container. */
  heard(id: ContainerId): void;
  /** A look at it: what it asks for now and did not before, or the other way round, has its cause here. */
  seen(id: ContainerId, seen: Seen): void;
  of(change: Pick<Change, "record">): Cause | undefined;
  /** They landed, or nothing is left to send: their changeCauses are told. */
  done(changes: readonly Pick<Change, "record">[] | "all"): void;
  /** Somebody else changed what the zone holds under the name: what is repaired there has no cause here. */
  drifted(name: string): void;
}

/** Ends as the table of containers does; what is never asked for again must not stay either. */
const MOST_CAUSES = 10_000;

/**
 * Remembers what led to the changes that are under way. It only tells: nothing follows from it, so that a change whose
 * cause is not known is sent like any other.
 */
export function changeCauses({ clock }: { readonly clock: Clock }): Causes {
  const heardMs = new Map<ContainerId, number>();
  const asked = new Map<
    ContainerId,
    {
      readonly why: string;
      readonly keys: readonly RecordKey[];
      /** An end is told without it. */
      readonly name: string | undefined;
    }
  >();
  const known = new Map<RecordKey, Omit<Cause, "seconds"> & { readonly sinceMs: number }>();
  return {
    heard(id) {
      if (!heardMs.has(id)) heardMs.set(id, clock.now());
    },
    seen(id, { container, desired, life }) {
      // Not settled yet: the event it was looked at for still counts.
      if (desired === undefined || desired.kind === "unsure") return;
      const sinceMs = heardMs.get(id) ?? clock.now();
      heardMs.delete(id);
      const before = asked.get(id);
      const serves = desired.kind === "serve";
      const reason = serves ? (life ?? "healthy") : desired.reason;
      const keys = serves ? desired.records.map(keyOf) : [];
      const why = serves ? JSON.stringify([reason, desired.records]) : reason;
      const name = container?.name ?? before?.name;
      if (serves) asked.set(id, { why, keys, name });
      else asked.delete(id);
      if (before?.why === why) return;
      for (const key of [...(before?.keys ?? []), ...keys]) {
        if (known.size >= MOST_CAUSES) known.clear();
        known.set(key, { container: id, name, reason, sinceMs });
      }
    },
    of({ record }) {
      const cause = known.get(keyOf(record));
      if (cause === undefined) return undefined;
      const { sinceMs, ...rest } = cause;
      return { ...rest, seconds: (clock.now() - sinceMs) / 1000 };
    },
    drifted(name) {
      for (const key of known.keys()) if (key.startsWith(`${name} `)) known.delete(key);
    },
    done(changes) {
      if (changes === "all") known.clear();
      else for (const { record } of changes) known.delete(keyOf(record));
    },
  };
}
