import type { Clock, Random } from "./clock.ts";

/**
 * Route 53's requests a second for an account (Developer Guide, API throttling). Of these the agents of a fleet take
 * four fifths together, once they have to share: the rest is for everybody else.
 */
const ACCOUNT_PER_SECOND = 10;
const FLEET_SHARE = 0.8;
/** However often it is throttled, a host goes on sending: this part of its share, or this often. */
const LEAST_OF_SHARE = 1 / 8;
const LEAST_PER_SECOND = 1 / 300;

export interface Pace {
  /** How long to wait now before the next request, in ms; 0 while nothing has throttled this host. */
  waitMs(): number;
  /** A request is sent. */
  sent(): void;
  /** It was answered. */
  accepted(): void;
  /** It was answered with the demand for fewer. */
  throttled(): void;
}

/**
 * How often one host may ask, learnt from the answers: without limit until the first throttling, then an equal share of
 * the account's rate; each success adds a little, each throttling halves it. Waits are jittered, so that hosts which were
 * throttled together come back apart. A host that was silent for long enough sends at once.
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
  let perSecond = Number.POSITIVE_INFINITY;
  let nextMs = Number.NEGATIVE_INFINITY;
  const share = () => (ACCOUNT_PER_SECOND * FLEET_SHARE) / Math.max(1, hosts());
  const gapMs = () => (1_000 / perSecond) * (0.5 + random());
  return {
    waitMs: () => Math.max(0, nextMs - clock.now()),
    sent() {
      if (Number.isFinite(perSecond)) nextMs = clock.now() + gapMs();
    },
    accepted() {
      perSecond += share() / 20;
      if (perSecond < ACCOUNT_PER_SECOND) return;
      perSecond = Number.POSITIVE_INFINITY;
      nextMs = Number.NEGATIVE_INFINITY;
    },
    throttled() {
      const least = Math.max(LEAST_PER_SECOND, share() * LEAST_OF_SHARE);
      perSecond = Math.max(least, Math.min(share(), perSecond / 2));
      nextMs = clock.now() + gapMs();
    },
  };
}
