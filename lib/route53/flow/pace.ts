import type { Clock, Random } from "../../kit/flow/clock.ts";

/**
 * An account has 10 requests a second at Route 53 (Developer Guide, API throttling). Of these the hosts of a fleet take so
 * many for their changes, once they have to share; the rest is for others.
 */
const CHANGES_PER_SECOND = 8;
/** And all of them together for looking at what the zone holds. */
const LOOKS_PER_SECOND = 1;
/** A throttled host keeps to its share for so many gaps; without another throttling it forgets. */
const REMEMBERED_GAPS = 8;
/** From so many throttled requests in a row on there are more hosts than it knows of, and it slows down further. */
const TOO_MANY_IN_A_ROW = 7;
const SLOWER = 2;
const FASTER = 0.9;
const LONGEST_GAP_MS = 300_000;

export interface Pace {
  /** How long to wait now before the next change, in ms; 0 while nothing has throttled this host. */
  waitMs(): number;
  /** How long to wait now before the next look at the zone, in ms. */
  lookWaitMs(): number;
  /** A change is sent. */
  sent(): void;
  /** A look is sent: it has a gap of its own, and takes no change's turn. */
  looked(): void;
  /** The request was answered. */
  accepted(): void;
  /** It met another host's change in the zone: that says nothing of how many requests there are. */
  collided(): void;
  /** It was answered with the demand for fewer. */
  throttled(): void;
}

/**
 * How often one host may ask, learnt from the answers. Without limit until it is throttled; then it takes its turn among
 * the hosts it knows of, at a moment of its own within the gap that each of them has, so that hosts which were throttled
 * together come back apart. A host that was silent for long enough sends at once.
 */
export function pace({
  clock,
  random,
  hosts,
}: {
  readonly clock: Clock;
  readonly random: Random;
  /** How many hosts are known to share the account. */
  readonly hosts: () => number;
}): Pace {
  let slowness = 1;
  let inARow = 0;
  let pacedUntilMs = Number.NEGATIVE_INFINITY;
  let nextMs = Number.NEGATIVE_INFINITY;
  let nextLookMs = Number.NEGATIVE_INFINITY;
  const turnMs = (perSecond: number) => (1_000 * Math.max(1, hosts())) / perSecond;
  const gapMs = () => Math.min(LONGEST_GAP_MS, slowness * turnMs(CHANGES_PER_SECOND));
  const isPaced = () => clock.now() < pacedUntilMs;
  return {
    waitMs: () => Math.max(0, nextMs - clock.now()),
    lookWaitMs: () => Math.max(0, nextLookMs - clock.now()),
    sent() {
      nextMs = isPaced() ? clock.now() + gapMs() * (0.75 + random() / 2) : Number.NEGATIVE_INFINITY;
    },
    looked() {
      nextLookMs = clock.now() + turnMs(LOOKS_PER_SECOND) * (0.5 + random());
    },
    accepted() {
      inARow = 0;
      slowness = Math.max(1, slowness * FASTER);
    },
    collided() {
      nextMs = Number.NEGATIVE_INFINITY;
    },
    throttled() {
      inARow += 1;
      if (!isPaced()) slowness = 1;
      else if (inARow >= TOO_MANY_IN_A_ROW) slowness *= SLOWER;
      // Over the whole gap: hosts that come back after nearly the same time are throttled together again.
      nextMs = clock.now() + gapMs() * (0.05 + 0.95 * random());
      pacedUntilMs = clock.now() + REMEMBERED_GAPS * gapMs();
    },
  };
}
