export interface BackoffLimits {
  readonly baseMs: number;
  readonly capMs: number;
}

/**
 * How long to wait before try `attempt` (1 is the first one after a failure), in ms: full jitter, anywhere between 0 and
 * the doubled base, so that a thousand hosts that failed together do not come back together.
 * `chance` is in [0, 1).
 */
export const backoffMs = (
  attempt: number,
  { baseMs, capMs }: BackoffLimits,
  chance: number,
): number => chance * Math.min(capMs, baseMs * 2 ** (attempt - 1));
