import type { TaskId } from "../../ecs/arn.ts";
import { Unavailable } from "../../kit/failure.ts";
import type { Clock } from "../../kit/flow/clock.ts";
import type { Change } from "../../route53/plan.ts";
import { keyOf, type RecordKey } from "../../route53/record-set.ts";
import { parseSetIdentifier } from "../../route53/set-identifier.ts";

/** How often the ECS agent is asked again: it finds out within seconds that its containers are gone. */
const ASK_AGAIN_MS = 5_000;

export interface HeldDeletes {
  /** Keeps these records from now on, of so many that the host owns. */
  hold(deletes: readonly Change[], owned: number): void;
  /** What must stay as it is published. */
  keys(): ReadonlySet<RecordKey>;
  /** What is kept and why, as a sentence; undefined while nothing is. */
  problem(): string | undefined;
  /** Docker has shown a container of the task: what becomes of its records follows from that. */
  shown(task: TaskId): void;
  /** Keeps nothing any more: all records of the host are to go. */
  letGo(): void;
  /** Asks until nothing is in doubt any more, or the stop. */
  run(stop: AbortSignal): Promise<void>;
}

/**
 * Deletes that a start does not send although Docker shows no container of theirs: they would take most of what the host
 * owns, and the ECS agent calls their tasks running. Either Docker's answer is wrong, or its containers were lost and the
 * ECS agent does not know yet. It soon does, and each delete goes once it calls the task stopped; an ECS agent that does
 * not answer changes nothing.
 */
export function heldDeletes({
  liveTasks,
  clock,
  released,
}: {
  /** Throws `Unavailable` when the ECS agent does not answer. */
  readonly liveTasks: () => Promise<ReadonlySet<TaskId>>;
  readonly clock: Clock;
  /** These are no longer in doubt. */
  readonly released: (keys: readonly RecordKey[]) => void;
}): HeldDeletes {
  const held = new Map<RecordKey, TaskId>();
  let owned = 0;

  const release = (isOver: (task: TaskId) => boolean): void => {
    const keys = [...held].filter(([, task]) => isOver(task)).map(([key]) => key);
    for (const key of keys) held.delete(key);
    if (keys.length > 0) released(keys);
  };

  return {
    hold(deletes, of) {
      owned = of;
      for (const { record } of deletes) {
        const task = parseSetIdentifier(record.setIdentifier)?.task;
        if (task !== undefined) held.set(keyOf(record), task);
      }
    },
    keys: () => new Set(held.keys()),
    problem() {
      if (held.size === 0) return undefined;
      const tasks = new Set(held.values()).size;
      return (
        `${held.size} of this host's ${owned} records are kept though Docker shows no container of theirs: ` +
        `the ECS agent calls their ${tasks} tasks running. They go once it agrees; ` +
        "if Docker is right, start once with --force"
      );
    },
    letGo: () => release(() => true),
    shown: (task) => release((one) => one === task),
    async run(stop) {
      while (held.size > 0) {
        await clock.sleep(ASK_AGAIN_MS, stop).catch(() => {});
        if (stop.aborted) return;
        try {
          const live = await liveTasks();
          release((task) => !live.has(task));
        } catch (error) {
          if (!(error instanceof Unavailable)) throw error;
        }
      }
    },
  };
}
