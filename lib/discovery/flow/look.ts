import type { Container, ContainerId } from "../../docker/container.ts";
import type { Lives } from "../../docker/flow/lives.ts";
import type { Life } from "../../docker/life.ts";
import type { NoAnswer, TaskAnswer } from "../../ecs/task.ts";
import { causes, type OutsideSystem, Unavailable } from "../../kit/failure.ts";
import type { Clock, Random } from "../../kit/flow/clock.ts";
import { patience } from "../../kit/flow/patience.ts";
import { outOfPatience } from "../../kit/flow/persist.ts";
import type { Addresses } from "../../net/address.ts";
import { claimOf, type Desired, type DesiredRules, desiredOf, needsNoTask } from "../desired.ts";

export interface LookOptions {
  /** The container now, undefined when it is gone. Throws `Unavailable` when the engine does not answer. */
  readonly inspect: (id: ContainerId) => Promise<Container | undefined>;
  /** Throws `Unavailable` when the ECS agent does not answer. */
  readonly taskOf: (id: ContainerId) => Promise<TaskAnswer>;
  /** What the engine has told of the containers besides. */
  readonly lives: Pick<Lives, "heard" | "see">;
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
  /** Undefined when the engine did not answer: nothing can be said of the container. */
  readonly desired?: Desired;
  /** When to look again, in ms; undefined when only a new event can change what was seen. */
  readonly againInMs?: number;
}

/**
 * Looks at one container and says what it asks of the zone: one inspect, and one introspection where its answer matters.
 * A look never waits for something to become true: it says when to look again, and its worker is free for others.
 * Throws once the engine or the ECS agent has been unavailable for longer than the patience, and whatever a port throws
 * that is not `Unavailable`.
 */
export function look(options: LookOptions): (id: ContainerId) => Promise<Seen> {
  const { inspect, taskOf, lives, rules, patienceMs } = options;
  const outages = patience<OutsideSystem>({ ...options, limitMs: patienceMs });
  const unsure = patience<ContainerId>({ ...options, limitMs: patienceMs });

  const missed = (error: Unavailable): number => {
    const againInMs = outages.miss(error.system);
    if (againInMs === undefined) throw outOfPatience(error, patienceMs);
    return againInMs;
  };

  return async (id) => {
    let container: Container | undefined;
    const heard = lives.heard();
    try {
      container = await inspect(id);
      outages.hit("Docker");
    } catch (error) {
      if (error instanceof Unavailable) return { againInMs: missed(error) };
      throw error;
    }

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
      try {
        answer = await taskOf(id);
        outages.hit("the ECS agent");
      } catch (error) {
        if (!(error instanceof Unavailable)) throw error;
        answer = { kind: "unavailable", problem: causes(error) };
        againInMs = missed(error);
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
}
