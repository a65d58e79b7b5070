import { BULK_DELETES_ALLOWED, bulkRefusal } from "../../lib/discovery/bulk-limit.ts";
import type { TaskId } from "../../lib/ecs/arn.ts";
import type { EcsAgent } from "../../lib/ecs/io/introspection.ts";
import type { Change } from "../../lib/route53/plan.ts";
import { parseSetIdentifier } from "../../lib/route53/set-identifier.ts";

/** Deletes that a start must not send unless it is told to, and why, as one sentence. */
export interface DoubtfulDeletes {
  readonly deletes: readonly Change[];
  /** Of a start that ends as soon as the zone is right: nobody would be there to see the ECS agent agree. */
  readonly refusal: string;
  /** Of any other, which keeps them and serves all else. */
  readonly holding: string;
}

/**
 * Of a start's changes the deletes that are in doubt: together they would remove most of the records that this host owns,
 * and the ECS agent says that their tasks are alive. Docker's answer was wrong, or it is not the Docker of these tasks, or
 * it came back without its containers. Where Docker has shown a task's containers, its word that they are paused, say,
 * needs no witness. Undefined when none is.
 */
export async function doubtfulDeletes(
  changes: readonly Change[],
  owned: number,
  {
    agent,
    shown,
  }: { readonly agent: Pick<EcsAgent, "liveTasks">; readonly shown: ReadonlySet<TaskId> },
): Promise<DoubtfulDeletes | undefined> {
  const deletes = changes.filter(({ action }) => action === "DELETE");
  if (deletes.length <= BULK_DELETES_ALLOWED) return undefined;
  const live = await agent.liveTasks();
  const taskOf = ({ record }: Change) => parseSetIdentifier(record.setIdentifier)?.task;
  const unconfirmed = deletes.filter((change) => {
    const task = taskOf(change);
    return task !== undefined && live.has(task) && !shown.has(task);
  });
  const refusal = bulkRefusal({
    owned,
    unconfirmed: unconfirmed.length,
    tasks: new Set(unconfirmed.map(taskOf)).size,
  });
  return refusal === undefined
    ? undefined
    : {
        deletes: unconfirmed,
        refusal: `the start is refused: it ${refusal}. If that is right, start once with --force`,
        holding: `held back: it ${refusal}. They go once it agrees; --force deletes them at once`,
      };
}
