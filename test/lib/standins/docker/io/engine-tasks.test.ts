import { expect, it } from "@jest/globals";
import {
  asContainerId,
  type Container,
  type ContainerId,
} from "../../../../../lib/docker/container.ts";
import { engineTasks } from "../../../../../lib/standins/docker/engine-tasks.ts";

const id = (digit: string) => asContainerId(digit.repeat(64)) as ContainerId;
const PAUSE = id("f");

const inTask = (digit: string): Container => ({
  id: id(digit),
  name: digit,
  labels: new Map(),
  running: true,
  paused: false,
  health: "none",
  stopSignal: 15,
  networkMode: `container:${PAUSE}`,
  addresses: [],
  addresses6: [],
});

it("never calls a running container's task stopped, also when it is asked twice at once", async () => {
  // Answers about the pause container are held, so that two questions overlap.
  const held: (() => void)[] = [];
  const tasks = engineTasks({
    running: async () => [id("a"), id("b")],
    async inspect(asked) {
      if (asked !== PAUSE) return inTask(asked.slice(0, 1));
      await new Promise<void>((resolve) => held.push(resolve));
      return { ...inTask("f"), networkMode: "bridge", addresses: ["10.0.0.1"] };
    },
  });
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  const first = tasks();
  await settle();
  held.shift()?.();
  await settle();
  const second = tasks();
  await settle();
  // All that is held, the first question's before the second's.
  for (let answer = held.shift(); answer !== undefined; answer = held.shift()) {
    answer();
    await settle();
  }
  const statuses = [...(await first), ...(await second)].map(({ KnownStatus }) => KnownStatus);
  expect(statuses).toEqual(["RUNNING", "RUNNING", "RUNNING", "RUNNING"]);
});
