import { labelledTask } from "../../lib/discovery/endpoint.ts";
import { type Causes, changeCauses } from "../../lib/discovery/flow/causes.ts";
import type { DesiredTable } from "../../lib/discovery/flow/desired-table.ts";
import { type HeldDeletes, heldDeletes } from "../../lib/discovery/flow/held-deletes.ts";
import type { ContainerId } from "../../lib/docker/container.ts";
import type { Lives } from "../../lib/docker/flow/lives.ts";
import type { TaskId } from "../../lib/ecs/arn.ts";
import { type Doorbell, doorbell } from "../../lib/kit/flow/doorbell.ts";
import { type WorkQueue, workQueue } from "../../lib/kit/flow/work-queue.ts";
import { containersOf } from "../host/container-looks.ts";
import type { Host } from "./connect.ts";
import { type DecisionLog, decisionLog } from "./decision-log.ts";
import type { Run } from "./run.ts";

/** Looks at containers, and what they come to. */
export interface Looks {
  readonly queue: WorkQueue<ContainerId>;
  readonly lives: Lives;
  readonly desired: DesiredTable;
  /** Deletes that a start keeps back, because they are in doubt. */
  readonly held: HeldDeletes;
  readonly causes: Causes;
  readonly log: DecisionLog;
  /** Rung when something desired may have changed. */
  readonly changed: Doorbell;
  /** When it was rung last, in the clock's ms. */
  readonly changedAtMs: () => number;
  /** Tasks of which Docker has shown a container, until they are forgotten. */
  readonly shown: ReadonlySet<TaskId>;
  readonly forgetShown: () => void;
  /** Resolves once every container that ran at the start was looked at, or at the end. */
  readonly first: Promise<void>;
}

/** The pool that looks at one container at a time, and the table of what they ask for. */
export function containerLooks(run: Run, host: Host): Looks {
  const { config, clock, random, end, observed } = run;
  const { docker, agent, owner, zoneName, running } = host;
  const log = decisionLog(run.log, { ...config, zoneName, sumUp: run.sumUp });
  const causeOf = changeCauses({ clock });
  const changed = doorbell();
  let changedAtMs = clock.now();
  const held = heldDeletes({ liveTasks: agent.liveTasks, clock, released: changed.ring });
  const first = countdown(running, end);
  const { known, desired, shown, forgetShown, lookAt } = containersOf(config, {
    ...{ docker, agent, owner, zoneName, edges: run.edges, clock, random },
  });
  const queue = workQueue<ContainerId>({
    concurrency: config.workers,
    clock,
    stop: end,
    async work(id) {
      const seen = await lookAt(id);
      const task = seen.container && labelledTask(seen.container);
      if (task !== undefined) held.shown(task);
      causeOf.seen(id, seen);
      log.seen(id, seen);
      observed.seen(id, seen);
      if (seen.desired !== undefined) {
        desired.put(id, seen.desired);
        first.tick(id);
        if (first.isReached()) log.unhealthy(desired.unhealthyNames());
        changedAtMs = clock.now();
        changed.ring();
      }
      return seen.againInMs;
    },
  });
  observed.found({ kind: "parts", queue, desired });
  observed.found({ kind: "notes", notes: () => [held.problem() ?? []].flat() });
  for (const id of running) queue.mark(id);
  return {
    ...{ queue, lives: known, desired, held, causes: causeOf, log, changed, shown, forgetShown },
    changedAtMs: () => changedAtMs,
    first: first.reached,
  };
}

/** Reached once every id has ticked, or at the end. */
function countdown(ids: readonly ContainerId[], end: AbortSignal) {
  const left = new Set(ids);
  const { promise, resolve } = Promise.withResolvers<void>();
  if (left.size === 0 || end.aborted) resolve();
  end.addEventListener("abort", () => resolve(), { once: true });
  return {
    tick(id: ContainerId) {
      left.delete(id);
      if (left.size === 0) resolve();
    },
    isReached: () => left.size === 0,
    reached: promise,
  };
}
