import { describe, expect, it } from "@jest/globals";
import { containersOf } from "../../../agent/host/container-looks.ts";
import type { DockerEngine } from "../../../lib/docker/io/engine.ts";
import type { EcsAgent } from "../../../lib/ecs/io/introspection.ts";
import { FLAGS } from "../../convergence/flags.ts";
import { container, containerId, inTask, owner, task, taskArn, ZONE } from "../../support/build.ts";
import { fakeClock, settle } from "../../support/fake-clock.ts";

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

describe("this host's own addresses", () => {
  /** Instance metadata that answers when the test says so, and a look that needs it. */
  const bench = () => {
    const clock = fakeClock();
    const asked: ((addresses: { readonly ipv4?: string }) => void)[] = [];
    const hostMode = (n: number) => container(n, { networkMode: "host" });
    const { lookAt } = containersOf(FLAGS, {
      docker: { inspect: async (id) => hostMode(Number.parseInt(id, 16)) } as DockerEngine,
      agent: {
        taskOf: async (id) => ({
          kind: "task",
          task: { id: task(1), containers: new Map([[id, inTask()]]), stopped: false },
        }),
      } as Pick<EcsAgent, "taskOf"> as EcsAgent,
      owner,
      zoneName: ZONE,
      edges: { hostAddresses: () => new Promise((resolve) => asked.push(resolve)) },
      clock,
      random: () => 0.5,
    });
    return { clock, asked, lookAt: (n: number) => lookAt(containerId(n)) };
  };

  it("are asked for once, however many containers wait for them", async () => {
    const { asked, lookAt } = bench();
    const looks = [1, 2, 3].map(lookAt);
    await settle();
    expect(asked).toHaveLength(1);
    asked[0]?.({ ipv4: "10.0.0.5" });
    for (const look of looks) expect(await look).toMatchObject({ desired: { kind: "serve" } });
    await lookAt(4);
    expect(asked).toHaveLength(1);
  });

  it("are not asked for again within 30 s where there are none", async () => {
    const { asked, lookAt, clock } = bench();
    const look = lookAt(1);
    await settle();
    asked[0]?.({});
    expect(await look).toMatchObject({ desired: { reason: "no-address" } });
    await clock.advance(29_999);
    expect(await lookAt(2)).toMatchObject({ desired: { reason: "no-address" } });
    expect(asked).toHaveLength(1);
    await clock.advance(1);
    void lookAt(3);
    await settle();
    expect(asked).toHaveLength(2);
  });
});
