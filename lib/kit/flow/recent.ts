import type { Clock } from "./clock.ts";

export interface Recent<T> {
  /** A value that is no older than the limit. */
  recent(): Promise<T>;
  /** A value that was made after this call. */
  newest(): Promise<T>;
}

/** Makes a value at most once in `limitMs`, however many ask for it; all who ask meanwhile share it. */
export function recent<T>(
  make: () => Promise<T>,
  { clock, limitMs }: { readonly clock: Clock; readonly limitMs: number },
): Recent<T> {
  let last: { readonly atMs: number; readonly value: Promise<T> } | undefined;
  let next: Promise<T> | undefined;
  const madeNow = (): Promise<T> => {
    const made = { atMs: clock.now(), value: make() };
    last = made;
    return made.value;
  };
  const leftMs = (): number => (last === undefined ? 0 : last.atMs + limitMs - clock.now());
  return {
    recent: () => (last === undefined || leftMs() <= 0 ? madeNow() : last.value),
    newest() {
      if (next !== undefined) return next;
      const waitMs = leftMs();
      if (waitMs <= 0) return madeNow();
      next = clock.sleep(waitMs).then(() => {
        next = undefined;
        return madeNow();
      });
      return next;
    },
  };
}
