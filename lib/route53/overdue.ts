/** A change may always take this long: the SDK repeats broken connections by itself before it says anything. */
const LEAST_MS = 5_000;
/** And nobody wants to hear of it later than this, however patient the agent is. */
const MOST_MS = 60_000;
/** A throttled host is one of many, and nothing that a restart of it could mend. */
const THROTTLED_TIMES = 5;

/**
 * From when on a change is overdue: half of the patience, at least 5 s and at most 60 s.
 * `turnedAwayMs` is the same for a host whose every request is turned away, by throttling or because the zone is busy.
 */
export const overdueAfter = (
  patienceMs: number,
): { readonly overdueMs: number; readonly turnedAwayMs: number } => ({
  overdueMs: Math.min(MOST_MS, Math.max(LEAST_MS, patienceMs / 2)),
  turnedAwayMs: Math.max(MOST_MS, THROTTLED_TIMES * patienceMs),
});
