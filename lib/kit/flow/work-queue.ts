import PQueue from "p-queue";
import type { Clock } from "./clock.ts";

export interface WorkQueue<Key> {
  /** There is a reason to work on `key`. */
  mark(key: Key): void;
  /** Ends at the stop signal, or rejects at the first failure of the work. From then on nothing starts. */
  run(): Promise<void>;
  /** Resolves when nothing is being worked on. */
  drained(): Promise<void>;
  /** Resolves when there is nothing left to do, now or later, or at the stop signal. */
  idle(): Promise<void>;
  /** True while `key` waits, is worked on, or is to be worked on again later. */
  holds(key: Key): boolean;
  /** What is worked on: what comes of it may be old by now. */
  working(): readonly Key[];
  /** How many keys wait, are worked on, and are to be worked on again later. */
  size(): { readonly waiting: number; readonly working: number; readonly later: number };
}

export interface WorkQueueOptions<Key> {
  readonly concurrency: number;
  /** Does the work. Returns the ms after which to work on `key` again, or undefined when it is done with. */
  readonly work: (key: Key) => Promise<number | undefined>;
  /** Of what waits, keys with a higher number begin first; asked when a key begins to wait. 0 where it is missing. */
  readonly priority?: (key: Key) => number;
  readonly clock: Clock;
  readonly stop: AbortSignal;
}

/**
 * Promises:
 * - at most `concurrency` keys are worked on at once, and each by one worker at a time;
 * - marks of a key that waits collapse into one;
 * - a key marked while it is worked on is worked on once more after that, because what was seen may be old by then;
 * - after a failure or the stop signal nothing starts.
 *
 * Keys wait, never events: memory is bounded by the number of keys, whatever their number of events.
 */
export function workQueue<Key>({
  concurrency,
  work,
  priority = () => 0,
  clock,
  stop,
}: WorkQueueOptions<Key>): WorkQueue<Key> {
  const pool = new PQueue({ concurrency });
  const waiting = new Set<Key>();
  const working = new Set<Key>();
  const again = new Set<Key>();
  const later = alarms<Key>({ clock, stop, ring: (key) => mark(key) });
  const failure = Promise.withResolvers<never>();
  // Whoever runs the queue sees the failure; without this line it would count as unhandled before `run` is called.
  failure.promise.catch(() => {});
  let failed = false;
  let waitingForIdle: (() => void)[] = [];

  const tellIdle = (): void => {
    if (waiting.size + working.size + later.size() > 0 && !stop.aborted) return;
    for (const resolve of waitingForIdle) resolve();
    waitingForIdle = [];
  };
  stop.addEventListener("abort", tellIdle, { once: true });

  const ended = () => failed || stop.aborted;

  const mark = (key: Key): void => {
    if (ended()) return;
    later.cancel(key);
    if (working.has(key)) {
      again.add(key);
    } else if (!waiting.has(key)) {
      waiting.add(key);
      void pool.add(() => take(key), { priority: priority(key) });
    }
  };

  const take = async (key: Key): Promise<void> => {
    waiting.delete(key);
    if (ended()) return;
    working.add(key);
    let againInMs: number | undefined;
    try {
      againInMs = await work(key);
    } catch (error) {
      failed = true;
      failure.reject(error);
    } finally {
      working.delete(key);
    }
    if (again.delete(key)) mark(key);
    else if (againInMs !== undefined && !ended()) later.set(key, againInMs);
    tellIdle();
  };

  return {
    mark,
    run: () => Promise.race([failure.promise, aborted(stop)]),
    drained: () => pool.onIdle(),
    idle() {
      const { promise, resolve } = Promise.withResolvers<void>();
      waitingForIdle.push(resolve);
      tellIdle();
      return promise;
    },
    holds: (key) => waiting.has(key) || working.has(key) || later.has(key),
    working: () => [...working],
    size: () => ({ waiting: waiting.size, working: working.size, later: later.size() }),
  };
}

/** Rings for each key once its time has come, unless it is cancelled or the stop signal comes first. */
function alarms<Key>({
  clock,
  stop,
  ring,
}: Pick<WorkQueueOptions<Key>, "clock" | "stop"> & { readonly ring: (key: Key) => void }) {
  const set = new Map<Key, AbortController>();
  return {
    set(key: Key, delayMs: number): void {
      const cancel = new AbortController();
      set.set(key, cancel);
      clock.sleep(delayMs, AbortSignal.any([cancel.signal, stop])).then(
        () => {
          if (set.get(key) === cancel) ring(key);
        },
        () => {
          // Cancelled, or stopped: either way there is nothing to do.
        },
      );
    },
    cancel(key: Key): void {
      set.get(key)?.abort();
      set.delete(key);
    },
    has: (key: Key) => set.has(key),
    size: () => set.size,
  };
}

/** Resolves when the signal aborts. */
const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
