import { BULK_DELETES_ALLOWED, bulkRefusal } from "../../lib/discovery/bulk-limit.ts";
import type { TaskId } from "../../lib/ecs/arn.ts";
import type { EcsAgent } from "../../lib/ecs/io/introspection.ts";
import type { Change } from "../../lib/route53/plan.ts";
import { parseSetIdentifier } from "../../lib/route53/set-identifier.ts";

/**
 * Why a start must not begin with these changes, as one sentence: they would delete most of the records that this host
 * owns though the ECS agent says that those tasks are alive. Docker's answer was wrong, or it is not the Docker of these
 * tasks. Where Docker has shown a task's containers, its word that they are paused, say, needs no witness. Undefined when
 * it may.
 */
export async function startRefusal(
  changes: readonly Change[],
  owned: number,
  {
    agent,
    shown,
  }: { readonly agent: Pick<EcsAgent, "liveTasks">; readonly shown: ReadonlySet<TaskId> },
): Promise<string | undefined> {
  const deletes = changes.filter(({ action }) => action === "DELETE");
  if (deletes.length <= BULK_DELETES_ALLOWED) return undefined;
  const live = await agent.liveTasks();
  const unconfirmed = deletes
    .map(({ record }) => parseSetIdentifier(record.setIdentifier)?.task)
    .filter((task) => task !== undefined && live.has(task) && !shown.has(task));
  const refusal = bulkRefusal({
    owned,
    unconfirmed: unconfirmed.length,
    tasks: new Set(unconfirmed).size,
  });
  return refusal === undefined
    ? undefined
    : `the start is refused: it ${refusal}. If that is right, start once with --force`;
}
