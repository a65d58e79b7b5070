import { expect, it } from "@jest/globals";
import { containersOf } from "../../../agent/host/containers.ts";
import type { DockerEngine } from "../../../lib/docker/io/engine.ts";
import type { EcsAgent } from "../../../lib/ecs/io/introspection.ts";
import { FLAGS } from "../../convergence/flags.ts";
import { container, containerId, owner, task, taskArn, ZONE } from "../../support/build.ts";
import { fakeClock } from "../../support/fake-clock.ts";

const inspect: DockerEngine["inspect"] = async (id) => {
  const n = Number.parseInt(id, 16);
  return container(n, {
    running: false,
    labels: new Map([["com.amazonaws.ecs.task-arn", taskArn(n)]]),
  });
};

it("keeps the tasks that were shown for as long as the start asks for them, and no longer", async () => {
  const { shown, forgetShown, lookAt } = containersOf(FLAGS, {
    docker: { inspect } as DockerEngine,
    agent: {} as EcsAgent,
    owner,
    zoneName: ZONE,
    edges: { hostAddresses: async () => ({}) },
    clock: fakeClock(),
    random: () => 0.5,
  });
  await lookAt(containerId(1));
  expect([...shown]).toEqual([task(1)]);
  forgetShown();
  await lookAt(containerId(2));
  expect([...shown]).toEqual([]);
});
