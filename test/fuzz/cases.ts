/**
 * How many cases each target gets: FUZZ_RUNS, or 5,000. A target whose cases go over a socket takes a share of them.
 * A failure prints its seed and path; FUZZ_SEED=<seed> runs every target with that seed again.
 */
export function cases(share = 1): { readonly numRuns: number; readonly seed?: number } {
  const runs = Number(process.env["FUZZ_RUNS"] || 5_000);
  const seed = process.env["FUZZ_SEED"];
  if (!Number.isSafeInteger(runs) || runs < 1) throw new Error(`FUZZ_RUNS: got ${runs}`);
  return { numRuns: Math.ceil(runs * share), ...(seed && { seed: Number(seed) }) };
}

/** A nightly run takes minutes. */
export const FUZZ_LIMIT_MS = 1_800_000;
