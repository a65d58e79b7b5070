import type { Clock, Random } from "../../lib/kit/flow/clock.ts";
import type { DockerStandIn } from "../../lib/standins/docker/engine.ts";
import { taskArn } from "../../lib/standins/ecs/tasks.ts";

const SCENE_MS = 1_600;

/**
 * Plays the life of a small host on a simulated engine, again and again until the stop: services come, scale, crash, are
 * replaced and go. Rejects with the signal's reason at the stop.
 */
export async function playStory({
  engine,
  tell,
  clock,
  random,
  stop,
  agent,
}: {
  readonly engine: DockerStandIn;
  /** Kills the host's agent as by SIGKILL, and starts another. */
  readonly agent: { kill(): void; start(): void };
  readonly tell: (line: string) => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly stop: AbortSignal;
}): Promise<void> {
  const start = starter(engine, random);
  const scene = async (line: string, play: () => void): Promise<void> => {
    tell(line);
    play();
    await clock.sleep(SCENE_MS, stop);
  };

  for (;;) {
    let web: string[] = [];
    let api: string[] = [];
    let next: string[] = [];
    await scene("two tasks of the service web start", () => {
      web = [start("web"), start("web")];
    });
    await scene("one task of api starts, and one whose label is no DNS name", () => {
      api = [start("api")];
      start("not_a_name");
    });
    await scene("web scales to six: four tasks at once", () => {
      web.push(start("web"), start("web"), start("web"), start("web"));
    });
    await scene(
      "a web container crashes, and its restart policy brings it back: so it is with its record",
      () => {
        engine.autoRestart(web[0] ?? "");
      },
    );
    await scene("another is killed with SIGKILL and stays down", () => {
      engine.kill(web.shift() ?? "");
    });
    await scene("version 2 of api comes beside the first, as v2.api", () => {
      next = [start("v2.api"), start("v2.api")];
    });
    await scene("kill -9 of the agent; while it is away one web ends and another starts", () => {
      agent.kill();
      engine.stop(web.shift() ?? "");
      web.push(start("web"));
    });
    await scene("it starts again, and repairs the zone", () => {
      agent.start();
    });
    await scene("a container starts and dies within a moment: that costs no request", () => {
      engine.crash(start("web"));
    });
    await scene("the first api is stopped, web scales down to one", () => {
      for (const id of [...api, ...web.slice(1)]) engine.stop(id);
    });
    await scene("everything is removed", () => {
      for (const id of [...web.slice(0, 1), ...next]) engine.remove(id, { force: true });
    });
    for (const { id } of engine.containers()) engine.remove(id, { force: true });
  }
}

/** Starts a task of a service with one container, each at an address of its own. Returns the container's id. */
function starter(engine: DockerStandIn, random: Random): (service: string) => string {
  let count = 0;
  return (service) => {
    count += 1;
    const task = Array.from({ length: 32 }, () => Math.floor(random() * 16).toString(16)).join("");
    return engine.run({
      name: `${service}-${count}`,
      image: `${service}:1`,
      address: `10.${(count >> 16) & 255}.${(count >> 8) & 255}.${count & 255}`,
      labels: {
        "discovery.service.name": service,
        "com.amazonaws.ecs.task-arn": taskArn(task),
      },
    });
  };
}
