import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import Docker from "dockerode";
import { systemClock } from "../../lib/kit/flow/clock.ts";
import { route53StandIn } from "../../lib/standins/route53/server.ts";
import { type AgentProcess, MAIN } from "../support/agent-process.ts";
import { chance } from "../support/chance.ts";
import setUpEngine from "../support/engine-setup.ts";
import { supervised } from "../support/supervised.ts";
import { faults } from "./faults.ts";
import { type Host, host } from "./host.ts";
import { type Sample, sampleOf, slope } from "./measure.ts";

/**
 * Two hosts of one zone, with containers that come and go on the real engine, and faults at random. One host's agent
 * runs from the beginning to the end: its memory and its descriptors are measured, and it meets the faults that an agent
 * survives. The other one's is killed and cut off besides, and started again each time.
 * Ends with code 1 when the zone is not right in the end, a record of what served throughout was written again, or the
 * measured agent ended or grew.
 */
const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    /** Of what happens when; how long Docker takes over it is its own affair. */
    seed: { type: "string", default: "1" },
    /** About how many containers come and go on each host. */
    containers: { type: "string", default: "10" },
    /** How many container operations a second on both hosts together; 0 for one after another with pauses. */
    rate: { type: "string", default: "0" },
    /** The agent's own file; `dist/agent.mjs`, as `npm run bundle` makes it, for the image's. */
    agent: { type: "string", default: MAIN },
  },
});
const asked = (name: "minutes" | "seed" | "containers" | "rate"): number => {
  const value = Number(values[name]);
  if (value >= 0 && values[name].trim() !== "") return value;
  throw new Error(`--${name}: expected a number, got "${values[name]}"`);
};
const minutes = asked("minutes");
const random = chance(asked("seed"));

const rate = asked("rate");

/** The first minutes are no measure: code is compiled, caches fill. A long run can do without more of them. */
const WARM_UP_MINUTES = minutes >= 20 ? 10 : 2;
const SLOPE_LIMIT_MB = minutes >= 20 ? 0.3 : 1;
/** Of operations under way at once: Docker takes a second over some of them. */
const MOST_UNDER_WAY = 60;
const SLOPE_LIMIT_DESCRIPTORS = 1;
const NETWORK = "eda-test-soak";
const ZONE = { id: "Z00SOAK", name: "soak.internal" };
const FOREIGN = {
  name: `stays-1.${ZONE.name}.`,
  type: "A",
  setIdentifier: "somebody-else",
  weight: 1,
  ttlSeconds: 10,
  values: ["192.0.2.1"],
} as const;

process.exitCode = await soak();

async function soak(): Promise<number> {
  await setUpEngine();
  await using stack = new AsyncDisposableStack();
  const route53 = await route53StandIn({ zones: [ZONE] });
  stack.defer(() => route53.close());
  route53.seed(ZONE.id, [FOREIGN]);
  const docker = new Docker();
  const network = await soakNetwork(docker);
  stack.defer(() => network.remove().catch(ignoreInUse));
  const options = {
    ...{ route53, zone: ZONE, networkMode: NETWORK, containers: asked("containers") },
    program: resolve(values.agent),
  };
  const measured = stack.use(await host(options));
  const mortal = stack.use(await host(options));
  const hosts = [measured, mortal];
  let written = 0;
  route53.onLanded((changes) => {
    written += changes.length;
  });

  await Promise.all(hosts.map((one) => one.begin()));
  const agent = measured.agent();
  using restarts = supervised(() => mortal.agent());
  await until(() => hosts.every((one) => one.staysWritten() === one.staying));

  const startedMs = systemClock.now();
  const minute = () => (systemClock.now() - startedMs) / 60_000;
  const counts = { acts: 0, faults: new Map<string, number>() };
  const samples: Sample[] = [];
  const isOver = () => minute() >= minutes || agent.ended;

  const churn = async (one: Host): Promise<void> => {
    while (!isOver()) {
      if (await one.churn(random)) counts.acts += 1;
      await pause(random() * 500);
    }
  };
  /** So many operations a second, however long each takes. */
  const churnAtRate = async (): Promise<void> => {
    const underWay = new Set<Promise<void>>();
    const beganMs = systemClock.now();
    for (let begun = 0; !isOver(); ) {
      const due = ((systemClock.now() - beganMs) / 1_000) * rate;
      for (; begun < due && underWay.size < MOST_UNDER_WAY; begun += 1) {
        const one = hosts[begun % hosts.length] ?? measured;
        const act = one.churn(random).then((isDone) => {
          if (isDone) counts.acts += 1;
          underWay.delete(act);
        });
        underWay.add(act);
      }
      if (underWay.size === MOST_UNDER_WAY) await Promise.race(underWay);
      else await pause(20);
    }
    await Promise.all(underWay);
  };
  const trouble = async (): Promise<void> => {
    const all = faults({ route53, hosts, mortal, agent: () => restarts.current });
    while (!isOver()) {
      await pause(random() * 4_000);
      const fault = all[Math.floor(random() * all.length)];
      if (fault === undefined) continue;
      await fault.act(random);
      counts.faults.set(fault.name, (counts.faults.get(fault.name) ?? 0) + 1);
    }
  };
  const measure = async (): Promise<void> => {
    let told = 0;
    while (!isOver()) {
      samples.push(sampleOf(agent.pid, minute()));
      if (minute() >= told + 1) {
        told += 1;
        say(`minute ${told}: ${figures()}`);
      }
      await pause(1_000);
    }
  };
  const figures = (): string => {
    const last = samples.at(-1);
    const events = hosts.reduce((sum, { proxy }) => sum + proxy.events.length, 0);
    const kinds = [...counts.faults]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, count]) => `${count} ${name}`);
    return (
      `${counts.acts} container operations, ${events} events, ${written} records written in ` +
      `${route53.requests.length} requests, ${restarts.exits.length} restarts; ` +
      `${last?.rssMb.toFixed(1)} MB, ${last?.descriptors} descriptors; faults: ${kinds.join(", ") || "none"}`
    );
  };
  await Promise.all([...(rate > 0 ? [churnAtRate()] : hosts.map(churn)), trouble(), measure()]);

  route53.clearFaults();
  for (const { ecs } of hosts) ecs.clearFaults();
  const problems: string[] = [];
  if (agent.ended) problems.push(`the measured agent ended:\n${agent.stdout.slice(-2_000)}`);
  await Promise.all(hosts.map((one) => one.unpause()));
  const difference = await settled(hosts);
  const rewritten = hosts.reduce((sum, one) => sum + one.staysWritten() - one.staying, 0);
  const isForeignThere = route53
    .records(ZONE.id)
    .some((one) => JSON.stringify(one.values) === JSON.stringify(FOREIGN.values));
  if (difference.length > 0) problems.push("the zone is not right");
  if (rewritten > 0) problems.push("records of what served throughout were written again");
  if (!isForeignThere) problems.push("somebody else's record is gone");

  say(`the end, seed ${values.seed}: ${figures()}`);
  say(`difference: ${difference.join(", ") || "none"}; untouched records rewritten: ${rewritten}`);
  const warm = samples.filter((one) => one.minute >= WARM_UP_MINUTES);
  const descriptors = warm.map((one) => one.descriptors);
  if (minutes <= WARM_UP_MINUTES) {
    say(`slopes: not measured in the first ${WARM_UP_MINUTES} minutes`);
  } else {
    const mb = slope(warm.map((one) => [one.minute, one.rssMb]));
    const grown = slope(warm.map((one) => [one.minute, one.descriptors]));
    say(
      `after the first ${WARM_UP_MINUTES} minutes, ${warm.length} samples: RSS ${mb.toFixed(2)} MB a minute, ` +
        `descriptors ${Math.min(...descriptors)} to ${Math.max(...descriptors)}, ${grown.toFixed(2)} a minute`,
    );
    if (!(mb < SLOPE_LIMIT_MB)) problems.push("its memory grows");
    if (!(grown < SLOPE_LIMIT_DESCRIPTORS)) problems.push("its descriptors grow");
  }
  for (const problem of problems) say(`failed: ${problem}`);
  if (problems.length > 0) {
    await keepLogs([agent, restarts.current]);
    say(`the measured agent's last words:\n${agent.stdout.slice(-4_000)}`);
    say(`the other agent's:\n${restarts.current.stdout.slice(-4_000)}`);
  }
  return problems.length === 0 ? 0 : 1;
}

/**
 * Docker 20.10 can count an endpoint for ever of a container that was killed while it started: until dockerd starts again
 * such a network can't be removed, and each one takes a range of addresses. So all soaks have the same.
 */
async function soakNetwork(docker: Docker): Promise<Docker.Network> {
  await docker.createNetwork({ Name: NETWORK, CheckDuplicate: true }).catch((error: unknown) => {
    if (statusOf(error) !== 409) throw error;
  });
  return docker.getNetwork(NETWORK);
}
function ignoreInUse(error: unknown): void {
  if (statusOf(error) !== 403) throw error;
}
function statusOf(error: unknown): number | undefined {
  return (error as { readonly statusCode?: number }).statusCode;
}

/** The whole logs, each in a file of its own, of which it tells the path. */
async function keepLogs(agents: readonly AgentProcess[]): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "eda-soak-"));
  for (const { pid, stdout } of agents) {
    const file = join(folder, `agent-${pid}.log`);
    await writeFile(file, stdout);
    say(`the log of agent ${pid}: ${file}`);
  }
}

/** What is missing (-) and what is too much (+) once the agents have had a minute and a half. */
async function settled(hosts: readonly Host[]): Promise<readonly string[]> {
  const difference = async () =>
    (
      await Promise.all(
        hosts.map(async (one) => {
          const [expected, held] = [await one.expected(), one.held()];
          return [
            ...expected.filter((record) => !held.includes(record)).map((record) => `-${record}`),
            ...held.filter((record) => !expected.includes(record)).map((record) => `+${record}`),
          ];
        }),
      )
    ).flat();
  let found = await difference();
  await until(async () => {
    found = await difference();
    return found.length === 0;
  });
  return found;
}

/** Looks every tenth of a second, for at most a minute and a half. */
async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = systemClock.now() + 90_000;
  while (!(await condition()) && systemClock.now() < endMs) await pause(100);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
