/** Which of an owner's messages is the newer one follows from these. */
export interface Stamp {
  /** When its agent started, in Unix ms by the host's clock. */
  readonly epoch: number;
  /** How many sets that agent had sent. */
  readonly seq: number;
  /** When SQS took the message, in Unix ms by its own clock: nobody else can set it. */
  readonly sentMs: number;
  /** When its agent started by that clock: no sooner, and at most `START_ERROR_MS` later than it really did. */
  readonly startedMs: number;
}

/** So long may a message be under way between its agent, which says how long it has been running, and SQS. */
const START_ERROR_MS = 15_000;
/** Of two agents that started at nearly the same time, the one that still sends so long after the other is there. */
const OVERLAP_MS = 60_000;

/**
 * True when `one` says more of its owner than `other` does. A host's clock may be set back between two starts of its
 * agent, so the order of starts is asked of SQS's clock first.
 *
 * | one                                                        | newer                                    |
 * |------------------------------------------------------------|------------------------------------------|
 * | of the same start                                          | if more sets were sent                   |
 * | of a start more than 15 s later or earlier, by SQS's clock | if later                                 |
 * | of nearly the same moment, but another epoch               | if that is greater, and it was not sent more than a minute before the other; or if it was sent more than a minute after it |
 */
export function isNewer(one: Stamp, other: Stamp): boolean {
  if (one.epoch === other.epoch) return one.seq > other.seq;
  const laterMs = one.startedMs - other.startedMs;
  if (Math.abs(laterMs) > START_ERROR_MS) return laterMs > 0;
  const sentLaterMs = one.sentMs - other.sentMs;
  if (Math.abs(sentLaterMs) > OVERLAP_MS) return sentLaterMs > 0;
  return one.epoch > other.epoch;
}

/** True for the same set sent once: SQS gave it out twice, or these are parts of it. */
export const isSame = (one: Stamp, other: Stamp): boolean =>
  one.epoch === other.epoch && one.seq === other.seq;

/** True when a message of this stamp says nothing beyond the one that is known. */
export const isCovered = (one: Stamp, known: Stamp): boolean =>
  isSame(one, known) || isNewer(known, one);
