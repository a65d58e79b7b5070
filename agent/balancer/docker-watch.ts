import type { ContainerId } from "../../lib/docker/container.ts";
import { asContainerId } from "../../lib/docker/container.ts";
import type { DockerEngine } from "../../lib/docker/io/engine.ts";
import { KILL_SIGNAL } from "../../lib/docker/life.ts";
import { causes, Unavailable } from "../../lib/kit/failure.ts";
import type { Clock } from "../../lib/kit/flow/clock.ts";
import type { Tell } from "./standing.ts";

/** The ECS agent puts these on every container of a task (amazon-ecs-agent, `agent/engine/docker_task_engine.go`). */
const TASK_LABEL = "com.amazonaws.ecs.task-arn";
const CONTAINER_LABEL = "com.amazonaws.ecs.container-name";
const AGAIN_MS = 5_000;
/** Far more than a host runs. */
const MOST_REMEMBERED = 2_000;

/**
 * What Docker tells earlier than ECS: that a container was sent its stop signal, or has ended. Each event is a reason to
 * look at once; without an engine in reach looks come by time alone.
 */
export interface DockerWatch {
  run(stop: AbortSignal): Promise<void>;
  /** The container of this name of the task is stopping, or has ended. */
  isStopping(taskArn: string, container: string): boolean;
  /** Learns the addresses of these containers, for `containerAddress`. */
  learn(runtimeIds: readonly string[]): Promise<void>;
  containerAddress(runtimeId: string): string | undefined;
}

export function dockerWatch({
  docker,
  clock,
  tell,
  onEvent,
}: {
  readonly docker: DockerEngine | undefined;
  readonly clock: Clock;
  readonly tell: Tell;
  readonly onEvent: () => void;
}): DockerWatch {
  /** By task and container. */
  const stopping = new Set<string>();
  const addresses = new Map<string, string>();
  let told = false;

  async function follow(engine: DockerEngine, stop: AbortSignal): Promise<void> {
    const events = await engine.events(TASK_LABEL, stop);
    told = false;
    tell({
      level: "info",
      about: "docker",
      text: "follows Docker's events: a task that starts or stops is looked at at once",
    });
    onEvent();
    for await (const event of events) {
      if (event.kind === "container") {
        const { id } = event;
        if (event.event.kind === "signal") await signalled(engine, id, event.event.signal);
        else if (event.event.kind === "die" || event.event.kind === "start")
          await changed(engine, id, event.event.kind);
      }
      onEvent();
    }
  }

  async function signalled(engine: DockerEngine, id: ContainerId, signal: number): Promise<void> {
    const found = await engine.inspect(id);
    if (found !== undefined && (signal === found.stopSignal || signal === KILL_SIGNAL)) {
      remember(keyOf(found.labels), true);
    }
  }

  async function changed(
    engine: DockerEngine,
    id: ContainerId,
    kind: "die" | "start",
  ): Promise<void> {
    addresses.delete(id);
    const found = await engine.inspect(id);
    if (found !== undefined) remember(keyOf(found.labels), kind === "die" && !found.running);
  }

  function remember(key: string | undefined, stops: boolean): void {
    if (key === undefined) return;
    stopping.delete(key);
    if (stops) stopping.add(key);
    for (const oldest of stopping) if (stopping.size > MOST_REMEMBERED) stopping.delete(oldest);
  }

  return {
    async run(stop) {
      if (docker === undefined) return;
      while (!stop.aborted) {
        try {
          await follow(docker, stop);
        } catch (error) {
          if (stop.aborted) return;
          if (!told) {
            const why = causes(error);
            tell({
              level: "warn",
              about: "docker",
              text: `${why}; looks at the tasks by time alone, and tries again`,
            });
          }
          told = true;
        }
        await clock.sleep(AGAIN_MS, stop).catch(() => {});
      }
    },
    isStopping: (taskArn, container) => stopping.has(`${taskArn} ${container}`),
    async learn(runtimeIds) {
      for (const runtimeId of runtimeIds) {
        const id = asContainerId(runtimeId);
        if (docker === undefined || id === undefined || addresses.has(runtimeId)) continue;
        const found = await docker.inspect(id).catch((error: unknown) => {
          if (!(error instanceof Unavailable)) throw error;
          return undefined;
        });
        const [address] = found?.addresses ?? [];
        if (address !== undefined) addresses.set(runtimeId, address);
        for (const oldest of addresses.keys())
          if (addresses.size > MOST_REMEMBERED) addresses.delete(oldest);
      }
    },
    containerAddress: (runtimeId) => addresses.get(runtimeId),
  };
}

function keyOf(labels: ReadonlyMap<string, string>): string | undefined {
  const arn = labels.get(TASK_LABEL);
  const container = labels.get(CONTAINER_LABEL);
  return arn === undefined || container === undefined ? undefined : `${arn} ${container}`;
}
