import type { RecordKey } from "../route53/record-set.ts";
import type { OwnerSet } from "./wire.ts";

/** A set that removes no more than this is never held: a host's last tasks may well be gone. */
const SHRINK_ALLOWED = 2;
const SHARE_ALLOWED = 0.5;
/** A host that means it says it again, no sooner than this. */
export const CONFIRM_MS = 10_000;

/** Records whose removal waits for its owner to say it again. */
export interface Hold {
  readonly keys: ReadonlySet<RecordKey>;
  /** When the first set without them was sent, in SQS's Unix ms. */
  readonly sinceMs: number;
}

/** True when going from so many records to what is left looks like a mistake. */
export const shrinks = (before: number, gone: number): boolean =>
  gone > SHRINK_ALLOWED && gone > before * SHARE_ALLOWED;

/**
 * What of the owner's published records stays for the time being, though its newest set does not hold them.
 *
 * | the set                                                   | held                 |
 * |-----------------------------------------------------------|----------------------|
 * | removes at most two, or at most half                      | nothing              |
 * | removes more, and says that it is meant (drain)           | nothing              |
 * | removes more, for the first time                          | all that would go    |
 * | still, sent less than 10 s after the first such set       | all that would go    |
 * | still, sent 10 s after it or later                        | nothing              |
 */
export function holdOf({
  published,
  set,
  sentMs,
  before,
}: {
  readonly published: Iterable<RecordKey>;
  readonly set: Pick<OwnerSet, "records" | "keeps" | "drain">;
  readonly sentMs: number;
  readonly before: Hold | undefined;
}): Hold | undefined {
  const all = [...published];
  const gone = all.filter((key) => !set.records.has(key) && !set.keeps.has(key));
  if (set.drain || !shrinks(all.length, gone.length)) return undefined;
  const sinceMs = before?.sinceMs ?? sentMs;
  return sentMs >= sinceMs + CONFIRM_MS ? undefined : { keys: new Set(gone), sinceMs };
}
