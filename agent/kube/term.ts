import { backoffMs } from "../../lib/kit/backoff.ts";
import { causes } from "../../lib/kit/failure.ts";
import type { Clock } from "../../lib/kit/flow/clock.ts";
import { type WorkQueue, workQueue } from "../../lib/kit/flow/work-queue.ts";
import { KubeError } from "../../lib/kubernetes/api.ts";
import type { Outcome } from "../../lib/kubernetes/flow/reconcile.ts";
import type { Surroundings } from "../process/surroundings.ts";
import type { Copies } from "./copies.ts";

/** A new workload changes several times within a moment: one look at it is enough. */
const SOON_MS = 300;
const BACKOFF = { baseMs: 500, capMs: 60_000 };

export interface Terms {
  /** This ECSDeployment has changed; told to whoever leads. It is looked at before those whose children have. */
  mark(key: string): void;
  /** A child of this ECSDeployment has changed. */
  markSoon(key: string): void;
  /** Leads until the signal aborts; resolves when work in flight has landed, and rejects for a failure of ours. */
  lead(term: AbortSignal): Promise<void>;
  size(): { readonly waiting: number; readonly working: number; readonly later: number };
}

/** What a leader does: look at everything once, then at what changes, and at everything again at each resync. */
export function terms(
  { concurrency, resync }: { readonly concurrency: number; readonly resync: number },
  { clock, random }: Pick<Surroundings, "clock" | "random">,
  copies: Copies,
  on: {
    readonly look: (key: string) => Promise<Outcome>;
    readonly looked: (key: string, outcome: Outcome, seconds: number) => void;
    readonly problem: (text: string) => void;
    readonly leads: (isLeader: boolean) => void;
  },
): Terms {
  let queue: WorkQueue<string> | undefined;
  let term: AbortSignal | undefined;
  const urgent = new Set<string>();
  const gather = gatherer(clock);
  const misses = new Map<string, number>();

  async function work(key: string): Promise<number | undefined> {
    urgent.delete(key);
    const beganMs = clock.now();
    const outcome = await on.look(key).catch((error: unknown): Outcome => {
      if (!(error instanceof KubeError)) throw error;
      return { retry: causes(error) };
    });
    on.looked(key, outcome, (clock.now() - beganMs) / 1000);
    if (outcome.retry === undefined) {
      misses.delete(key);
      return outcome.againInMs;
    }
    on.problem(`${key}: ${outcome.retry}; it is looked at again`);
    const count = (misses.get(key) ?? 0) + 1;
    misses.set(key, count);
    // Never at once: the API server said no.
    return backoffMs(count, BACKOFF, (1 + random()) / 2);
  }

  return {
    mark(key) {
      if (queue === undefined) return;
      urgent.add(key);
      queue.mark(key);
    },
    markSoon(key) {
      const own = queue;
      if (own !== undefined && term !== undefined) gather(key, term, () => own.mark(key));
    },
    size: () => queue?.size() ?? { waiting: 0, working: 0, later: 0 },
    async lead(signal) {
      on.leads(true);
      term = signal;
      const priority = (key: string) => (urgent.has(key) ? 1 : 0);
      const own = workQueue<string>({ concurrency, work, priority, clock, stop: signal });
      const markAll = () => {
        for (const { metadata } of copies.owners.all()) {
          own.mark(`${metadata.namespace ?? ""}/${metadata.name}`);
        }
      };
      const wait = (ms: number) => clock.sleep(ms, signal).catch(() => {});
      while (!copies.isListed() && !signal.aborted) await wait(100);
      queue = own;
      markAll();
      const again = async (): Promise<void> => {
        while (!signal.aborted) {
          await wait(resync * 1000);
          if (!signal.aborted) markAll();
        }
      };
      try {
        await Promise.race([own.run(), again()]);
        await own.drained();
      } finally {
        queue = undefined;
        on.leads(false);
      }
    },
  };
}

/** Acts once for whatever comes of a key within a moment, at its end; not at all when the signal aborts. */
function gatherer(clock: Clock): (key: string, signal: AbortSignal, act: () => void) => void {
  const waiting = new Set<string>();
  return (key, signal, act) => {
    if (waiting.has(key)) return;
    waiting.add(key);
    clock
      .sleep(SOON_MS, signal)
      .then(act, () => {})
      .finally(() => waiting.delete(key));
  };
}
