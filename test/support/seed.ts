import { randomInt } from "node:crypto";

/** The seed of this run: from the environment variable of this name, to replay a run, or a new one. */
export function seedFrom(variable: string): number {
  const given = process.env[variable];
  if (given === undefined) return randomInt(1_000_000_000);
  const seed = Number(given);
  if (Number.isSafeInteger(seed) && seed >= 0) return seed;
  throw new Error(`${variable}: expected a whole number, got "${given}"`);
}
