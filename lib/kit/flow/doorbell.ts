export interface Doorbell {
  ring(): void;
  /** Resolves at a ring, also at an earlier one that nobody has waited for, or when the signal aborts. */
  rung(stop: AbortSignal): Promise<void>;
}

/**
 * Wakes one loop. A ring is never lost: rung while the loop is busy, it is there when the loop waits again; several
 * rings before that are one.
 */
export function doorbell(): Doorbell {
  let rings = false;
  let wake = () => {};
  return {
    ring() {
      rings = true;
      wake();
    },
    async rung(stop) {
      if (!rings && !stop.aborted) {
        const { promise, resolve } = Promise.withResolvers<void>();
        wake = resolve;
        stop.addEventListener("abort", wake);
        await promise;
        stop.removeEventListener("abort", wake);
      }
      rings = false;
    },
  };
}
