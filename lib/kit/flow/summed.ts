import type { Clock } from "./clock.ts";

/** How many things are told apart; of more, each is told as if it were new. */
const MOST_KEYS = 100;

/** The same thing again: how often in how many seconds. */
export interface Again {
  readonly times: number;
  readonly seconds: number;
}

/**
 * Sums up what repeats itself: the first time it is told at once; whatever of the same key comes within the window after
 * that is told once, at the window's end, with how often it came. While it goes on, that is one line for each window.
 */
export function summed<Key>({
  clock,
  windowMs,
  stop,
}: {
  readonly clock: Clock;
  readonly windowMs: number;
  /** Tells at once what is still to be told, and sums nothing up from then on. */
  readonly stop: AbortSignal;
}): (key: Key, tell: (again: Again | undefined) => void) => void {
  interface Window {
    readonly sinceMs: number;
    times: number;
    tell: (again: Again | undefined) => void;
  }
  const windows = new Map<Key, Window>();

  const close = (key: Key, window: Window): void => {
    windows.delete(key);
    if (window.times === 0) return;
    const seconds = Math.max(1, Math.round((clock.now() - window.sinceMs) / 1000));
    window.tell({ times: window.times, seconds });
    // It goes on: what comes next belongs to the next window, not to a first time.
    if (!stop.aborted) open(key, window.tell);
  };
  const open = (key: Key, tell: Window["tell"]): void => {
    const window: Window = { sinceMs: clock.now(), times: 0, tell };
    windows.set(key, window);
    const end = () => close(key, window);
    clock.sleep(windowMs, stop).then(end, end);
  };

  return (key, tell) => {
    const window = windows.get(key);
    if (window !== undefined && !stop.aborted) {
      window.times += 1;
      window.tell = tell;
      return;
    }
    tell(undefined);
    if (windows.size < MOST_KEYS && !stop.aborted) open(key, tell);
  };
}
