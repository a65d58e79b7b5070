import { asContainerId, type ContainerId } from "../../../lib/docker/container.ts";
import type { DockerEngine } from "../../../lib/docker/io/engine.ts";
import { type ContainerEvent, KILL_SIGNAL } from "../../../lib/docker/life.ts";
import { causes, Unavailable } from "../../../lib/kit/failure.ts";
import type { Clock } from "../../../lib/kit/flow/clock.ts";
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

export interface DockerWatchOptions {
  readonly docker: DockerEngine | undefined;
  readonly clock: Clock;
  readonly tell: Tell;
  readonly onEvent: () => void;
}

export function dockerWatch(options: DockerWatchOptions): DockerWatch {
  const { docker, clock, tell } = options;
  const containers = containerMemory(docker);
  let isTold = false;
  const opened = (): void => {
    isTold = false;
    const text = "follows Docker's events: a task that starts or stops is looked at at once";
    tell({ level: "info", about: "docker", text });
  };
  return {
    isStopping: containers.isStopping,
    learn: containers.learn,
    containerAddress: containers.address,
    async run(stop) {
      while (docker !== undefined && !stop.aborted) {
        try {
          await follow(docker, options, containers, opened, stop);
        } catch (error) {
          if (stop.aborted) return;
          const text = `${causes(error)}; looks at the tasks by time alone, and tries again`;
          if (!isTold) tell({ level: "warn", about: "docker", text });
          isTold = true;
        }
        await clock.sleep(AGAIN_MS, stop).catch(() => {});
      }
    },
  };
}

async function follow(
  engine: DockerEngine,
  { onEvent }: DockerWatchOptions,
  containers: ReturnType<typeof containerMemory>,
  opened: () => void,
  stop: AbortSignal,
): Promise<void> {
  const events = await engine.events(TASK_LABEL, stop);
  opened();
  onEvent();
  for await (const event of events) {
    if (event.kind === "container") await containers.hear(engine, event.id, event.event);
    onEvent();
  }
}

/** What Docker has told of containers: which are stopping, and where they are. */
function containerMemory(docker: DockerEngine | undefined) {
  /** By task and container. */
  const stopping = new Set<string>();
  const addresses = new Map<string, string>();
  const remember = (key: string | undefined, stops: boolean): void => {
    if (key === undefined) return;
    stopping.delete(key);
    if (stops) stopping.add(key);
    for (const oldest of stopping) if (stopping.size > MOST_REMEMBERED) stopping.delete(oldest);
  };
  return {
    isStopping: (taskArn: string, container: string) => stopping.has(`${taskArn} ${container}`),
    address: (runtimeId: string) => addresses.get(runtimeId),
    async hear(engine: DockerEngine, id: ContainerId, event: ContainerEvent): Promise<void> {
      if (event.kind !== "signal" && event.kind !== "die" && event.kind !== "start") return;
      const found = await engine.inspect(id);
      if (event.kind !== "signal") addresses.delete(id);
      if (found === undefined) return;
      const key = keyOf(found.labels);
      if (event.kind !== "signal") remember(key, event.kind === "die" && !found.running);
      else if (event.signal === found.stopSignal || event.signal === KILL_SIGNAL) {
        remember(key, true);
      }
    },
    async learn(runtimeIds: readonly string[]): Promise<void> {
      for (const runtimeId of runtimeIds) {
        const id = asContainerId(runtimeId);
        if (docker === undefined || id === undefined || addresses.has(runtimeId)) continue;
        const found = await docker.inspect(id).catch((error: unknown) => {
          if (!(error instanceof Unavailable)) throw error;
          return undefined;
        });
        const [address] = found?.addresses ?? [];
        if (address !== undefined) addresses.set(runtimeId, address);
        for (const oldest of addresses.keys()) {
          if (addresses.size > MOST_REMEMBERED) addresses.delete(oldest);
        }
      }
    },
  };
}

function keyOf(labels: ReadonlyMap<string, string>): string | undefined {
  const arn = labels.get(TASK_LABEL);
  const container = labels.get(CONTAINER_LABEL);
  return arn === undefined || container === undefined ? undefined : `${arn} ${container}`;
}
