import type { Clock } from "./clock.ts";
import type { Doorbell } from "./doorbell.ts";

/**
 * Waits for a ring of the bell, for the moment `untilMs`, in the clock's ms (infinity: for no moment), or for the stop,
 * whichever comes first. Never rejects.
 */
export async function rest(
  { clock, bell }: { readonly clock: Clock; readonly bell: Doorbell },
  untilMs: number,
  stop: AbortSignal,
): Promise<void> {
  const woken = new AbortController();
  if (Number.isFinite(untilMs)) {
    const timer = AbortSignal.any([woken.signal, stop]);
    clock.sleep(Math.max(0, untilMs - clock.now()), timer).then(bell.ring, () => {});
  }
  await bell.rung(stop);
  woken.abort();
}
