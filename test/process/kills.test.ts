import { join } from "node:path";
import { expect, it } from "@jest/globals";
import type Docker from "dockerode";
import type { Random } from "../../lib/kit/flow/clock.ts";
import type { AgentProcess, LogLine } from "../support/agent-process.ts";
import { chance } from "../support/chance.ts";
import { type EngineLab, engineLab, newTaskLabel } from "../support/lab.ts";
import { seedFrom } from "../support/seed.ts";

const KILLS = 50;
const SEED = "KILLS_SEED";
/** Services that come and go; three more stay. */
const COMING_AND_GOING = 3;

/** Where the agent is killed. Each is reached for certain in the part of its life that it is of. */
interface Point {
  readonly name: string;
  /** By an agent that starts and finds something to do, by one that follows a change of the containers, or by both. */
  readonly of: "start" | "life" | "both";
  /** Called before the agent gets there, perhaps before it is started; resolves when it is there. */
  readonly reached: (lab: EngineLab, started: Promise<AgentProcess>, nth: number) => Promise<void>;
  /** How many of them there are to choose from. */
  readonly count: number;
}

const POINTS: readonly Point[] = [
  {
    // version, events, the list, and one inspection for each of the six that run.
    name: "a request to Docker",
    of: "start",
    count: 9,
    reached: (lab, _, nth) => lab.proxy.untilRequests(lab.proxy.requests.length + nth),
  },
  {
    name: "a request to the ECS agent",
    of: "start",
    // Who it is, and one task for each of them.
    count: 6,
    reached: (lab, _, nth) => nthTime(nth, (hit) => lab.ecs.onRequest(hit)),
  },
  {
    name: "the first request to Route 53",
    of: "start",
    count: 1,
    reached: (lab, _, nth) => nthTime(nth, (hit) => lab.route53.onRequest(hit)),
  },
  {
    name: "a line of its log",
    of: "start",
    count: 4,
    async reached(_, started, nth) {
      const agent = await started;
      await agent.until(() => agent.log.length >= nth);
    },
  },
  {
    name: "an event",
    of: "life",
    count: 2,
    async reached({ proxy }, _, nth) {
      const before = proxy.events.length;
      await proxy.untilEvent(() => proxy.events.length >= before + nth);
    },
  },
  {
    name: "a change before Route 53 took it",
    of: "both",
    count: 1,
    reached(lab, _, nth) {
      lab.route53.fail({ operation: "ChangeResourceRecordSets", kind: "hang" });
      return nthChange(lab, "arrived", nth);
    },
  },
  {
    name: "a change after Route 53 took it, before the answer",
    of: "both",
    count: 1,
    reached(lab, _, nth) {
      lab.route53.fail({ operation: "ChangeResourceRecordSets", kind: "hang-after" });
      return nthTime(nth, (hit) => lab.route53.onLanded(hit));
    },
  },
  {
    name: "the answer to a change",
    of: "both",
    count: 1,
    reached: (lab, _, nth) => nthChange(lab, "answered", nth),
  },
];

const nthChange = (lab: EngineLab, phase: "arrived" | "answered", nth: number) =>
  nthTime(nth, (hit) =>
    lab.route53.onRequest(({ operation }, heard) => {
      if (operation === "ChangeResourceRecordSets" && heard === phase) hit();
    }),
  );

/** Resolves when something has been heard so many times. */
function nthTime(nth: number, listen: (hit: () => void) => () => void): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let left = nth;
  const stop = listen(() => {
    left -= 1;
    if (left > 0) return;
    stop();
    resolve();
  });
  return promise;
}

/** By then it has compared everything, and a zone that was right before has not just been left alone so far. */
const follows = ({ message }: LogLine) => message.includes("the zone follows from now on");

const pick = <T>(random: Random, all: readonly T[]): T => {
  const one = all[Math.floor(random() * all.length)];
  if (one === undefined) throw new Error("expected something to pick from");
  return one;
};

/** Containers that come and go: each change starts one and ends the oldest in one of the ways they end. */
function coming(lab: EngineLab, random: Random) {
  const running: Docker.Container[] = [];
  let started = 0;
  const start = async (): Promise<void> => {
    started += 1;
    const container = await lab.run({ label: `goes-${started}`, labels: newTaskLabel() });
    running.push(container);
  };
  const end = async (): Promise<void> => {
    const container = running.shift();
    const how = pick(random, ["kill", "stop", "remove"] as const);
    if (how === "kill") await container?.kill();
    if (how === "stop") await container?.stop({ t: 1 });
    if (how === "remove") await container?.remove({ force: true });
  };
  return {
    begin: async () => {
      for (let nth = 1; nth <= COMING_AND_GOING; nth += 1) await start();
    },
    change: async () => void (await Promise.all([start(), end()])),
  };
}

it(`killed ${KILLS} times in a row: the zone is right after each start, and no record of what served throughout is written again`, async () => {
  const seed = seedFrom(SEED);
  const random = chance(seed);
  await using lab = await engineLab();
  const hits = new Map<string, number>(POINTS.map(({ name }) => [name, 0]));
  const containers = coming(lab, random);
  await Promise.all([1, 2, 3].map(() => lab.run({ label: "stays", labels: newTaskLabel() })));
  await containers.begin();
  // Written by the one that ends well, read by all that come after it: a start takes half as long.
  const env = { NODE_COMPILE_CACHE: join(lab.folder, "compiled") };
  const start = () => lab.agentByEnvironment(env);
  await lab.agentByEnvironment({ ...env, ECS_DISCOVERY_ONCE: "true" }).exit();
  let agent = start();
  await agent.until(follows);
  await lab.follows();
  let rewritten = 0;

  for (let kill = 1; kill <= KILLS; kill += 1) {
    const point = pick(random, POINTS);
    const nth = 1 + Math.floor(random() * point.count);
    try {
      const before = new Set(lab.zone.now());
      const landedBefore = lab.zone.landed.length;
      // Those that only a start reaches cost a start of their own; others do so by chance.
      const inStart = point.of === "start" || (point.of === "both" && random() < 0.2);
      if (inStart) {
        agent.kill("SIGKILL");
        await agent.exit();
        // So that it has something to do when it starts.
        await containers.change();
      }
      const started = Promise.withResolvers<AgentProcess>();
      const reached = point.reached(lab, started.promise, nth);
      if (inStart) agent = start();
      started.resolve(agent);
      const killed = async () => {
        await reached;
        agent.kill("SIGKILL");
        await agent.exit();
      };
      await Promise.all([killed(), containers.change()]);

      lab.route53.clearFaults();
      agent = start();
      await agent.until(follows);
      await lab.follows();
      const throughout = new Set(lab.zone.now().filter((record) => before.has(record)));
      const written = lab.zone.landed.slice(landedBefore);
      rewritten += written.filter((one) => throughout.has(one.replace(/^\S+ /, ""))).length;
      hits.set(point.name, (hits.get(point.name) ?? 0) + 1);
    } catch (error) {
      throw new Error(`${SEED}=${seed}, kill ${kill} of ${KILLS}, at ${point.name} (${nth})`, {
        cause: error,
      });
    }
  }

  const asked = lab.route53.requests.filter(
    ({ operation }) => operation === "ChangeResourceRecordSets",
  );
  const sent = asked.reduce((sum, { changes }) => sum + changes, 0);
  const points = [...hits].map(([name, count]) => `${count} at ${name}`).join(", ");
  process.stdout.write(
    `${KILLS} kills (${points}): ${sent} changes in ${asked.length} requests, ` +
      `untouched records rewritten: ${rewritten}. Again with ${SEED}=${seed}\n`,
  );
  expect(rewritten).toBe(0);
  // What Route 53 refused would have been a wrong idea of the zone.
  expect(asked.filter(({ result }) => !/^(ok|hang|hang-after)$/.test(result))).toEqual([]);
  expect(lab.zone.landed.filter((one) => one.includes(" stays."))).toHaveLength(3);
}, 600_000);
