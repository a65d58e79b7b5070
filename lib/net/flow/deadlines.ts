import type { Clock } from "../../kit/flow/clock.ts";

export interface Deadlines<T> {
  /** `item` is due after the time limit, from now on; added again, its time begins anew. */
  add(item: T): void;
  /** It is not due any more; true if it was still to come. */
  remove(item: T): boolean;
  /** Nothing is due any more. */
  clear(): void;
}

/**
 * One time limit for many things at once: thousands of connections cost one timer, and an entry of a set each. As the
 * limit is the same for all, they fall due in the order in which they were added.
 */
export function deadlines<T>({
  clock,
  limitMs,
  onDue,
}: {
  readonly clock: Clock;
  readonly limitMs: number;
  readonly onDue: (item: T) => void;
}): Deadlines<T> {
  const due = new Map<T, number>();
  let sleeping: AbortController | undefined;

  const watch = async (stop: AbortSignal): Promise<void> => {
    for (let first = next(); first !== undefined; first = next()) {
      const [item, atMs] = first;
      const leftMs = atMs - clock.now();
      if (leftMs > 0) await clock.sleep(leftMs, stop);
      // Whoever was removed meanwhile is not due, and what is first now has its own time.
      else if (due.delete(item)) onDue(item);
    }
  };
  const next = () => due.entries().next().value;
  const start = (): void => {
    const mine = new AbortController();
    sleeping = mine;
    const end = () => {
      if (sleeping !== mine) return;
      sleeping = undefined;
      // Added between the last look and this end.
      if (due.size > 0) start();
    };
    // It rejects when it was cleared.
    watch(mine.signal).then(end, end);
  };

  return {
    add(item) {
      due.delete(item);
      due.set(item, clock.now() + limitMs);
      if (sleeping === undefined) start();
    },
    remove: (item) => due.delete(item),
    clear() {
      due.clear();
      sleeping?.abort();
      sleeping = undefined;
    },
  };
}
