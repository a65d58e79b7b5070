import { setTimeout as timer } from "node:timers/promises";

/** The one place time comes from. Everything that waits or measures is given one; tests give a fake. */
export interface Clock {
  /** Milliseconds that only grow; not the time of day. */
  now(): number;
  /** Resolves after `ms`. Rejects with the signal's reason when the signal aborts first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  async sleep(ms, signal) {
    signal?.throwIfAborted();
    try {
      await timer(ms, undefined, signal === undefined ? {} : { signal });
    } catch (error) {
      throw signal?.aborted ? signal.reason : error;
    }
  },
};

/** A number in [0, 1), as `Math.random` gives; an argument wherever chance is needed. */
export type Random = () => number;
