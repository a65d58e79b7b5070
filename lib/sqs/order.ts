/** Which of an owner's messages is the newer one follows from these. */
export interface Stamp {
  /** When its agent started, in Unix ms by the host's clock. */
  readonly epoch: number;
  /** How many sets that agent had sent. */
  readonly seq: number;
  /** When SQS took the message, in Unix ms by its own clock: nobody else can set it. */
  readonly sentMs: number;
}

/** An agent that is asked to stop is gone by then, so nothing of an earlier start is sent any more. */
const OVERLAP_MS = 300_000;

/**
 * True when `one` says more of its owner than `other` does.
 *
 * | one                                               | newer |
 * |---------------------------------------------------|-------|
 * | of a later start                                  | yes   |
 * | of the same start, and more sets sent             | yes   |
 * | of an earlier start, sent 5 min after the other   | yes: the host's clock was set back in between |
 * | anything else, the very same included             | no    |
 */
export function isNewer(one: Stamp, other: Stamp): boolean {
  if (one.epoch === other.epoch) return one.seq > other.seq;
  return one.epoch > other.epoch || one.sentMs > other.sentMs + OVERLAP_MS;
}

/** True for the same set sent once: SQS gave it out twice, or these are parts of it. */
export const isSame = (one: Stamp, other: Stamp): boolean =>
  one.epoch === other.epoch && one.seq === other.seq;

/** True when a message of this stamp says nothing beyond the one that is known. */
export const isCovered = (one: Stamp, known: Stamp): boolean =>
  isSame(one, known) || isNewer(known, one);
