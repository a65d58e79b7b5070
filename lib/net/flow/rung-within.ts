import type { Clock } from "../../kit/flow/clock.ts";
import type { Doorbell } from "../../kit/flow/doorbell.ts";

/** True at a ring, also at an earlier one that nobody has waited for; false when the time is over or the signal aborts. */
export async function rungWithin(
  bell: Doorbell,
  ms: number,
  clock: Clock,
  stop: AbortSignal,
): Promise<boolean> {
  const over = new AbortController();
  const either = AbortSignal.any([stop, over.signal]);
  const rung = bell.rung(either).then(() => !either.aborted);
  const late = clock.sleep(ms, either).then(
    () => false,
    () => false,
  );
  const isRung = await Promise.race([rung, late]);
  over.abort();
  await Promise.all([rung, late]);
  return isRung;
}
