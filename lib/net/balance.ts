/**
 * Who gets a new connection: `random` draws by weight; `p2c` (power of two choices) draws two by weight and takes the one
 * with fewer open connections for its weight.
 */
export const policies = ["random", "p2c"] as const;
export type Policy = (typeof policies)[number];

export interface Candidate {
  readonly weight: number;
  /** Connections that are open or being opened. */
  readonly open: number;
}

/** Candidates, prepared for many draws. */
export interface Pool<T extends Candidate> {
  readonly all: readonly T[];
  readonly total: number;
  /** All weights are the same, as they nearly always are: a draw is then one step. */
  readonly even: boolean;
}

export function poolOf<T extends Candidate>(all: readonly T[]): Pool<T> {
  const total = all.reduce((sum, { weight }) => sum + weight, 0);
  return { all, total, even: all.every(({ weight }) => weight === all[0]?.weight) };
}

/** One of the pool; undefined only for an empty one. The chances are numbers in [0, 1). */
export function choose<T extends Candidate>(
  pool: Pool<T>,
  policy: Policy,
  first: number,
  second: number,
): T | undefined {
  const one = draw(pool, first);
  if (policy === "random" || one === undefined || pool.all.length < 2) return one;
  const other = draw(pool, second, one) ?? one;
  return other.open / other.weight < one.open / one.weight ? other : one;
}

/** By weight, among all but one. */
function draw<T extends Candidate>(pool: Pool<T>, chance: number, without?: T): T | undefined {
  const { all, total, even } = pool;
  if (even) {
    const drawn = all[Math.floor(chance * (without === undefined ? all.length : all.length - 1))];
    // The last one stands in for the one that is left out: each of the others has the same chance.
    return without !== undefined && drawn === without ? all.at(-1) : drawn;
  }
  let left = chance * (total - (without?.weight ?? 0));
  let last: T | undefined;
  for (const candidate of all) {
    if (candidate === without) continue;
    last = candidate;
    left -= candidate.weight;
    if (left < 0) return candidate;
  }
  return last;
}
