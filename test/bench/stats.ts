/**
 * The smallest value that at least `share` (above 0, at most 1) of the values do not exceed: the nearest rank, so always
 * one that was measured. Throws a RangeError when there are no values.
 */
export function percentile(values: readonly number[], share: number): number {
  if (!(share > 0 && share <= 1)) throw new RangeError(`expected a share in (0, 1], got ${share}`);
  const value = values.toSorted((a, b) => a - b)[Math.ceil(share * values.length) - 1];
  if (value === undefined) throw new RangeError("expected at least one value");
  return value;
}

export const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.ceil(sorted.length / 2) - 1];
  if (lower === undefined || upper === undefined) {
    throw new RangeError("expected at least one value");
  }
  return (lower + upper) / 2;
};
