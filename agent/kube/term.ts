import { backoffMs } from "../../lib/kit/backoff.ts";
import { causes } from "../../lib/kit/failure.ts";
import { type WorkQueue, workQueue } from "../../lib/kit/flow/work-queue.ts";
import { KubeError } from "../../lib/kubernetes/api.ts";
import type { Outcome } from "../../lib/kubernetes/flow/reconcile.ts";
import type { Surroundings } from "../process/surroundings.ts";
import type { Copies } from "./copies.ts";

const BACKOFF = { baseMs: 500, capMs: 60_000 };

export interface Terms {
  /** There is a reason to look at this ECSDeployment; told to whoever leads. */
  mark(key: string): void;
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
  const misses = new Map<string, number>();

  async function work(key: string): Promise<number | undefined> {
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
    mark: (key) => queue?.mark(key),
    size: () => queue?.size() ?? { waiting: 0, working: 0, later: 0 },
    async lead(term) {
      on.leads(true);
      const own = workQueue<string>({ concurrency, work, clock, stop: term });
      const markAll = () => {
        for (const { metadata } of copies.owners.all()) {
          own.mark(`${metadata.namespace ?? ""}/${metadata.name}`);
        }
      };
      const wait = (ms: number) => clock.sleep(ms, term).catch(() => {});
      while (!copies.isListed() && !term.aborted) await wait(100);
      queue = own;
      markAll();
      const again = async (): Promise<void> => {
        while (!term.aborted) {
          await wait(resync * 1000);
          if (!term.aborted) markAll();
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
