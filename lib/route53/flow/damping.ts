import type { Clock } from "../../kit/flow/clock.ts";
import type { Change, Published } from "../plan.ts";
import { keyOf, type RecordKey } from "../record-set.ts";

/** A record may be added so often in quick succession, */
const ADDS_AT_ONCE = 10;
/** and then once in this time. */
const ADD_MS = 15_000;

export interface Damping {
  /** How long the change is to wait, in ms: 0 for all but the addition of a record that has come and gone too often. */
  waitMs(change: Change, published: ReadonlyMap<RecordKey, Published>): number;
  /** The changes have landed; `before` is what was published until then. */
  landed(changes: readonly Change[], before: ReadonlyMap<RecordKey, Published>): void;
}

/**
 * Slows down a record whose container flaps: a restart loop would cost two requests a turn of the few that the account
 * has, and clients an answer that changes all the time. Only its coming waits, never its going, and no other record.
 */
export function damping({ clock }: { readonly clock: Clock }): Damping {
  const left = new Map<RecordKey, { readonly adds: number; readonly atMs: number }>();
  const leftOf = (key: RecordKey): number => {
    const known = left.get(key);
    if (known === undefined) return ADDS_AT_ONCE;
    return Math.min(ADDS_AT_ONCE, known.adds + (clock.now() - known.atMs) / ADD_MS);
  };
  return {
    waitMs({ action, record }, published) {
      const key = keyOf(record);
      if (action !== "UPSERT" || published.has(key)) return 0;
      return Math.max(0, Math.ceil((1 - leftOf(key)) * ADD_MS));
    },
    landed(changes, before) {
      for (const key of left.keys()) if (leftOf(key) >= ADDS_AT_ONCE) left.delete(key);
      for (const { action, record } of changes) {
        const key = keyOf(record);
        if (action !== "UPSERT" || before.has(key)) continue;
        left.set(key, { adds: leftOf(key) - 1, atMs: clock.now() });
      }
    },
  };
}
