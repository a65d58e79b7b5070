import type { Clock, Random } from "../../kit/flow/clock.ts";

/** The pages of the look for leftovers spread over this, when the audit has no interval of its own. */
const LEFTOVERS_MS = 900_000;
/** How long a host counts that no read shows any more: no shorter than the longest audit interval. */
const HOST_MS = 86_400_000;

/** Reads the whole zone once, a page at a time, spread so that it is read within the audit's interval. */
export function leftoverLook<Cursor, Page extends { readonly next?: Cursor }>({
  page,
  clock,
  random,
  auditMs,
  pages,
}: {
  readonly page: (cursor: Cursor | undefined) => Promise<Page>;
  readonly clock: Clock;
  readonly random: Random;
  readonly auditMs: number;
  /** How many there are to read; 0 when there is nothing to look for. */
  readonly pages: number;
}) {
  const gapMs = () => ((auditMs || LEFTOVERS_MS) / (pages + 1)) * (0.5 + random() / 2);
  let cursor: Cursor | undefined;
  let atMs = pages > 0 ? clock.now() + gapMs() : Number.POSITIVE_INFINITY;
  return {
    /** When the next page is to be read. */
    atMs: () => atMs,
    /** The zone is not known whole yet. */
    isAhead: () => Number.isFinite(atMs),
    async read(ask: <T>(request: () => Promise<T>) => Promise<T>): Promise<Page> {
      const read = await ask(() => page(cursor));
      cursor = read.next;
      atMs = cursor === undefined ? Number.POSITIVE_INFINITY : clock.now() + gapMs();
      return read;
    },
  };
}

/**
 * When a request that was under way at the start has surely landed or failed: its agent may still wait for the answer. A
 * request takes 15 s at the most (`lib/aws/io/whole-answers.ts`).
 */
const UNDER_WAY_MS = 20_000;

/** Names in which something was in doubt at the start, each to be looked at once more. */
export function doubtfulNames(names: Iterable<string>, clock: Clock) {
  const left = new Set(names);
  const dueMs = clock.now() + UNDER_WAY_MS;
  return {
    /** The next one, and when; undefined when none is left. */
    next(): { readonly name: string; readonly atMs: number } | undefined {
      const [name] = left;
      return name === undefined ? undefined : { name, atMs: dueMs };
    },
    seen: (name: string): void => void (clock.now() >= dueMs && left.delete(name)),
  };
}

/** The hosts that reads have shown, each for a day: a fleet replaces its hosts, and those that are gone share nothing. */
export function seenHosts(clock: Clock) {
  const untilMs = new Map<string, number>();
  return {
    see(instances: Iterable<string>): void {
      const nowMs = clock.now();
      for (const instance of instances) untilMs.set(instance, nowMs + HOST_MS);
      for (const [instance, atMs] of untilMs) if (atMs <= nowMs) untilMs.delete(instance);
    },
    count: () => untilMs.size,
  };
}
