import type { Container, ContainerId } from "../../docker/container.ts";
import type { Lives } from "../../docker/flow/lives.ts";
import type { Life } from "../../docker/life.ts";
import type { NoAnswer, TaskAnswer } from "../../ecs/task.ts";
import { causes, type OutsideSystem, Unavailable } from "../../kit/failure.ts";
import type { Clock, Random } from "../../kit/flow/clock.ts";
import { outageTimer } from "../../kit/flow/outage-timer.ts";
import { outOfPatience } from "../../kit/flow/retry.ts";
import type { Addresses } from "../../net/address.ts";
import { claimOf, type Desired, type DesiredRules, desiredOf, needsNoTask } from "../desired.ts";

export interface LookOptions {
  /** The container now, undefined when it is gone. Throws `Unavailable` when the engine does not answer. */
  readonly inspect: (id: ContainerId, givenUp: AbortSignal) => Promise<Container | undefined>;
  /** Throws `Unavailable` when the ECS agent does not answer. */
  readonly taskOf: (id: ContainerId) => Promise<TaskAnswer>;
  /** What the engine has told of the containers besides. */
  readonly lives: Pick<Lives, "heard" | "see" | "hasStarted" | "hasJustStarted" | "unlessEnded">;
  /** This host's own addresses, none where they can't be known; asked only when they matter. */
  readonly hostAddresses: () => Promise<Addresses>;
  readonly rules: DesiredRules;
  readonly clock: Clock;
  readonly random: Random;
  readonly patienceMs: number;
}

export interface Seen {
  readonly container?: Container;
  readonly life?: Life;
  /** Undefined when nothing can be said: the engine did not answer, or the container has started again meanwhile. */
  readonly desired?: Desired;
  /** When to look again, in ms; undefined when only a new event can change what was seen. */
  readonly againInMs?: number;
}

/**
 * Looks at one container and says what it asks of the zone: one inspect, and one introspection where its answer matters,
 * beside it where the container has just started. One whose end Docker has told needs neither.
 * A look never waits for something to become true: it says when to look again, and its worker is free for others.
 * Throws once the engine or the ECS agent has been unavailable for longer than the patience, and whatever a port throws
 * that is not `Unavailable`.
 */
export function look(options: LookOptions): (id: ContainerId) => Promise<Seen> {
  const { inspect, taskOf, lives, rules, clock, patienceMs } = options;
  const outages = outageTimer<OutsideSystem>({ ...options, limitMs: patienceMs });
  const unsure = outageTimer<ContainerId>({ ...options, limitMs: patienceMs });

  /** Containers whose last look met an outage: they wait for its end. */
  const waiting = new Set<ContainerId>();

  const missed = (id: ContainerId, error: Unavailable): number => {
    waiting.add(id);
    const againInMs = outages.miss(error.system, id);
    if (againInMs === undefined) throw outOfPatience(error, patienceMs);
    return againInMs;
  };

  const lookOnce = async (id: ContainerId): Promise<Seen> => {
    const heard = lives.heard();
    const early =
      lives.hasJustStarted(id) && !needsNoTask(rules) ? ask(() => taskOf(id)) : undefined;
    // Should the container turn out to have ended, nobody waits for it.
    early?.catch(() => {});
    const found = await lives.unlessEnded(id, (ended) => ask(() => inspect(id, ended)));
    if (found === undefined) {
      // What is told with its end is read by then. Its next start has a look of its own, and this one knows nothing of it.
      await clock.sleep(0);
      if (lives.hasStarted(id)) return {};
      unsure.hit(id);
      return { life: "dead", desired: ENDED };
    }
    if (found.problem !== undefined) return { againInMs: missed(id, found.problem) };
    outages.hit("Docker");
    const container = found.answer;

    const { life, againInMs: graceMs } = lives.see(id, container, heard);
    const claim = claimOf(container, life, rules);
    if (claim.kind === "absent") {
      unsure.hit(id);
      return {
        ...(container && { container }),
        life,
        desired: claim,
        ...(graceMs !== undefined && { againInMs: graceMs }),
      };
    }

    let answer: TaskAnswer | NoAnswer | undefined;
    let againInMs: number | undefined;
    if (!needsNoTask(rules)) {
      const task = await (early ?? ask(() => taskOf(id)));
      if (task.problem === undefined) {
        answer = task.answer;
        outages.hit("the ECS agent");
      } else {
        answer = { kind: "unavailable", problem: causes(task.problem) };
        againInMs = missed(id, task.problem);
      }
    }
    let desired = desiredOf(claim, answer, rules);
    if (desired.kind === "ask-host") {
      desired = desiredOf(claim, answer, rules, await options.hostAddresses());
    }
    if (desired.kind === "ask-host") throw new Error("this host's addresses were given");
    if (desired.kind !== "unsure") unsure.hit(id);
    else if (answer?.kind !== "unavailable") againInMs = unsure.miss(id);
    return {
      container: claim.container,
      life,
      desired,
      ...(againInMs !== undefined && { againInMs }),
    };
  };

  return async (id) => {
    waiting.delete(id);
    const seen = await lookOnce(id);
    if (!waiting.has(id)) outages.gone(id);
    return seen;
  };
}

const ENDED: Desired = { kind: "absent", reason: "not-running", detail: "its process has ended" };

type Reply<T> =
  | { readonly answer: T; readonly problem?: undefined }
  | { readonly problem: Unavailable };

/** The answer, or that there was none, so that a question may be asked before it is known whether it matters. */
async function ask<T>(question: () => Promise<T>): Promise<Reply<T>> {
  try {
    return { answer: await question() };
  } catch (error) {
    if (error instanceof Unavailable) return { problem: error };
    throw error;
  }
}
