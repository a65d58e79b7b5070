import type { ContainerId } from "../../lib/docker/container.ts";
import type { Owner, TaskId } from "../../lib/ecs/arn.ts";
import type { EcsAgent, FoundEcsAgent } from "../../lib/ecs/io/introspection.ts";
import type { TaskContainer } from "../../lib/ecs/task.ts";
import { Unavailable } from "../../lib/kit/failure.ts";
import type { Clock, Random } from "../../lib/kit/flow/clock.ts";
import type { Faults } from "./faults.ts";

/** A task as its ECS agent knows it. It stays there, addresses and all, long after it has stopped. */
export interface KnownTask {
  readonly id: TaskId;
  readonly containers: ReadonlySet<ContainerId>;
  readonly says: TaskContainer;
  /** Until then the agent lists the container without addresses. */
  readonly addressFromMs: number;
  stopped: boolean;
}

export interface Ecs extends EcsAgent {
  readonly find: () => Promise<FoundEcsAgent>;
}

const LIMIT_MS = 2_000;

/** The ECS agent of one host, in memory. */
export function ecs({
  host,
  owner,
  tasks,
  clock,
  random,
  faults,
}: {
  readonly host: number;
  /** Who it is registered as now. */
  readonly owner: () => Owner;
  readonly tasks: () => Iterable<KnownTask>;
  readonly clock: Clock;
  readonly random: Random;
  readonly faults: Faults;
}): Ecs {
  const url = "http://127.0.0.1:51678";
  const down = new Error("connect ECONNREFUSED");

  const ask = async <T>(answer: () => T): Promise<T> => {
    const fault = faults.befall(["ecs: down", "ecs: slow"], host);
    if (fault === "ecs: down") {
      await clock.sleep(random() < 0.7 ? 1 : LIMIT_MS);
      throw new Unavailable("the ECS agent", `at ${url} did not answer`, { cause: down });
    }
    const tookMs = fault === "ecs: slow" ? random() * LIMIT_MS : 1 + random() * 10;
    await clock.sleep(tookMs / 2);
    const said = answer();
    await clock.sleep(tookMs / 2);
    return said;
  };
  /** What can't be read is no answer to these. */
  const askInForm = <T>(answer: () => T): Promise<T> =>
    ask(() => {
      if (faults.befall(["ecs: garbage"], host) === undefined) return answer();
      throw new Unavailable("the ECS agent", `at ${url} answered with text that is not JSON`);
    });

  const agent: Ecs = {
    url,
    find: () =>
      askInForm(() => ({
        agent,
        owner: owner(),
        cluster: "prod",
        version: "Amazon ECS Agent - v1.105.1",
      })),
    metadata: () =>
      askInForm(() => ({
        owner: owner(),
        cluster: "prod",
        version: "Amazon ECS Agent - v1.105.1",
      })),
    liveTasks: () =>
      askInForm(() => new Set([...tasks()].filter(({ stopped }) => !stopped).map(({ id }) => id))),
    taskOf: (id) =>
      ask(() => {
        const fault = faults.befall(
          ["ecs: garbage", "ecs: knows no task", "ecs: gives no address"],
          host,
        );
        if (fault === "ecs: garbage") {
          return { kind: "malformed", problem: "text that is not JSON" } as const;
        }
        const task = [...tasks()].find(({ containers }) => containers.has(id));
        if (task === undefined || fault === "ecs: knows no task") {
          return { kind: "unknown" } as const;
        }
        const hasAddress = clock.now() >= task.addressFromMs && fault === undefined;
        const says = hasAddress ? task.says : { ipv4: [], ipv6: [], ports: task.says.ports };
        return {
          kind: "task",
          task: {
            id: task.id,
            stopped: task.stopped,
            containers: new Map([...task.containers].map((one) => [one, says] as const)),
          },
        } as const;
      }),
  };
  return agent;
}
