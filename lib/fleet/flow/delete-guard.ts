import { Unavailable } from "../../kit/failure.ts";
import type { Clock } from "../../kit/flow/clock.ts";
import type { RecordKey } from "../../route53/record-set.ts";

/** A fleet loses no more of its records than this in a minute, unless somebody has said that it is meant. */
const SHARE_ALLOWED = 0.2;
/** So many always may go: a small zone's services come and go as they like, */
const ALWAYS_ALLOWED = 10;
/** but not all of them, where there were more than these. */
const LAST_ONES = 2;
const WINDOW_MS = 60_000;

export interface DeleteGuard {
  /**
   * Takes note of deletes that are about to be sent; throws `Unavailable` when they must not be. What comes back takes
   * that note away, for deletes that have had no effect.
   */
  admit(deletes: readonly RecordKey[]): () => void;
  /** Records are there that were not before: what is replaced is no loss. */
  added(records: readonly RecordKey[]): void;
  isStopped(): boolean;
  /** Where it has stopped them: whether what would go now is few enough again. Comes back with true when it lets go. */
  review(): boolean;
}

/**
 * Stops all deletes of a zone when it would have a fifth fewer records than a minute before, or none: that looks like a
 * fleet's mistake, not like its life. It lets go by itself once the owners ask for their records again.
 */
export function deleteGuard({
  clock,
  size,
  unwanted,
  force,
  stopped,
}: {
  readonly clock: Clock;
  /** How many records of ours the zone holds. */
  readonly size: () => number;
  /** How many of them no owner that is heard asks for. */
  readonly unwanted: () => number;
  /** An operator has said that it is meant. */
  readonly force: boolean;
  /** Told when it stops them: so many in a minute, of so many. */
  readonly stopped: (deletes: number, of: number) => void;
}): DeleteGuard {
  /** What was there a minute before and is no more, or not for long, and when it went; and what is new since. */
  const lost = new Map<RecordKey, number>();
  const gained = new Map<RecordKey, number>();
  let isStopped = false;

  const inWindow = (): number => {
    const fromMs = clock.now() - WINDOW_MS;
    for (const table of [lost, gained]) {
      for (const [key, atMs] of table) if (atMs <= fromMs) table.delete(key);
    }
    return lost.size - gained.size;
  };
  const isTooMuch = (more: number): readonly [number, number] | undefined => {
    const gone = inWindow();
    const before = Math.max(size(), size() + gone);
    const deletes = gone + more;
    const isMost = deletes > Math.max(ALWAYS_ALLOWED, before * SHARE_ALLOWED);
    const isAll = before > LAST_ONES && deletes >= before;
    return isMost || isAll ? [deletes, before] : undefined;
  };

  return {
    admit(deletes) {
      // A delete whose answer was lost comes again, and is one loss.
      const more = deletes.filter((key) => !lost.has(key));
      const much = force || more.length === 0 ? undefined : isTooMuch(more.length);
      if (deletes.length === 0 || (much === undefined && !isStopped)) {
        for (const key of more) lost.set(key, clock.now());
        return () => {
          for (const key of more) lost.delete(key);
        };
      }
      if (!isStopped && much !== undefined) {
        isStopped = true;
        stopped(...much);
      }
      throw new Unavailable("Route 53", "is not asked to delete records for now", {
        mayHaveLanded: false,
      });
    },
    added(records) {
      for (const key of records) if (!lost.delete(key)) gained.set(key, clock.now());
    },
    isStopped: () => isStopped,
    review() {
      if (!isStopped || isTooMuch(unwanted()) !== undefined) return false;
      isStopped = false;
      return true;
    },
  };
}
