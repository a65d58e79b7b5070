/** The items that were added last, at most `most` of them, the oldest first. */
export interface Latest<T> {
  readonly items: readonly T[];
  /** How many were ever added. */
  count(): number;
  add(item: T): void;
  /** Puts one in the place of another, where that is still there. */
  replace(before: T, now: T): void;
}

/** A list that forgets: what is kept for months must have an end. */
export function latest<T>(most: number): Latest<T> {
  const items: T[] = [];
  let added = 0;
  return {
    items,
    count: () => added,
    add(item) {
      added += 1;
      items.push(item);
      // Rarely, and many at once: one at a time would move all others each time.
      if (items.length >= 2 * most) items.splice(0, items.length - most);
    },
    replace(before, now) {
      const at = items.lastIndexOf(before);
      if (at >= 0) items[at] = now;
    },
  };
}
