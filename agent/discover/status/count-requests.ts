import type { DockerEngine } from "../../../lib/docker/io/engine.ts";
import type { EcsAgent } from "../../../lib/ecs/io/introspection.ts";
import { Unavailable } from "../../../lib/kit/failure.ts";
import type { Clock } from "../../../lib/kit/flow/clock.ts";
import type { Group } from "../../../lib/route53/group.ts";
import type { HostedZone } from "../../../lib/route53/io/zone.ts";

export type System = "Docker" | "the ECS agent" | "Route 53";

/** How a request ended: `throttled` and `busy` are answers that turn it away. */
export type AskedResult = "ok" | "refused" | "throttled" | "busy" | "unavailable" | "failed";

/** One request to an outside system; what its client library repeats by itself is one. */
export interface Request {
  readonly system: System;
  readonly operation: string;
  readonly result: AskedResult;
  readonly seconds: number;
  readonly problem?: unknown;
}

export interface Counting {
  readonly clock: Clock;
  readonly asked: (request: Request) => void;
  /** What the zone holds under a name was read. */
  readonly read: (group: Group) => void;
}

/** The outside systems as they are, but each request is told of with how it ended. */
export function counted({ clock, asked, read }: Counting) {
  const count = async <T>(
    system: System,
    operation: string,
    act: () => Promise<T>,
    givenUp?: AbortSignal,
  ): Promise<T> => {
    const startedMs = clock.now();
    const tell = (result: AskedResult, problem?: unknown): void =>
      asked({ system, operation, result, seconds: (clock.now() - startedMs) / 1000, problem });
    try {
      const answer = await act();
      tell(isRefusal(answer) ? "refused" : "ok");
      return answer;
    } catch (error) {
      // Nobody waited for the answer any more: that is no failure of the system.
      if (givenUp?.aborted !== true) tell(resultOf(error), error);
      throw error;
    }
  };
  return {
    docker: (engine: DockerEngine): DockerEngine => ({
      version: (limitMs) => count("Docker", "version", () => engine.version(limitMs)),
      events: (label, stop) => count("Docker", "events", () => engine.events(label, stop)),
      running: (label, limitMs) => count("Docker", "list", () => engine.running(label, limitMs)),
      inspect: (id, givenUp) =>
        count("Docker", "inspect", () => engine.inspect(id, givenUp), givenUp),
    }),
    ecsAgent: (agent: EcsAgent): EcsAgent => ({
      ...agent,
      taskOf: (id) => count("the ECS agent", "task", () => agent.taskOf(id)),
      liveTasks: () => count("the ECS agent", "tasks", agent.liveTasks),
    }),
    zone: (zone: HostedZone): HostedZone => ({
      facts: () => count("Route 53", "GetHostedZone", zone.facts),
      as(owner, zoneName) {
        const owned = zone.as(owner, zoneName);
        const list = "ListResourceRecordSets";
        return {
          async group(name) {
            const group = await count("Route 53", list, () => owned.group(name));
            read(group);
            return group;
          },
          page: (cursor) => count("Route 53", list, () => owned.page(cursor)),
          submit: (batch) =>
            count("Route 53", "ChangeResourceRecordSets", () => owned.submit(batch)),
        };
      },
      close: zone.close,
    }),
  };
}

const isRefusal = (answer: unknown): boolean =>
  typeof answer === "object" && answer !== null && "kind" in answer && answer.kind === "refused";

function resultOf(error: unknown): AskedResult {
  if (!(error instanceof Unavailable)) return "failed";
  if (error.demand === "fewer") return "throttled";
  return error.demand === "later" ? "busy" : "unavailable";
}
