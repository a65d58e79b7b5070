import { readFileSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "@jest/globals";
import { ROUTE53_BATCH } from "../../lib/route53/batches.ts";
import type { ContainerSpec, DockerStandIn } from "../../lib/standins/docker/engine.ts";
import { NODE_FLAGS } from "../bench/writers.ts";
import type { AgentProcess } from "../support/agent-process.ts";
import { NAME_LABEL, newTaskLabel, type SimulatedLab, simulatedLab } from "../support/lab.ts";
import { changes } from "../support/wait.ts";

const EVENTS = 10_000;
const BURST_CONTAINERS = 50;
/** Of one service, of which some stay healthy: were all of a service ill, they would keep their records. */
const CHECKED = { healthcheck: true, labels: { [NAME_LABEL]: "web" } };

const LIST = /^\/containers\/json/;
const INSPECT = /^\/containers\/[0-9a-f]{64}\/json/;

/** As the image starts it: with a small heap. */
const AS_DEPLOYED = { NODE_OPTIONS: NODE_FLAGS.join(" ") };
/**
 * Of its heap, limited to 64 MB, some 25 MB are in use once it runs. It may fill the rest before it collects its garbage,
 * which says nothing of what it keeps; what lies beside the heap, as the sockets' chunks do, is small.
 */
const HEAP_TO_FILL_MB = 48;
const follows = ({ message }: { readonly message: string }) =>
  message.startsWith("every container is looked at");

const addressOf = (n: number) => `10.0.${n >> 8}.${n & 255}`;

const numbers = (count: number) => Array.from({ length: count }, (_, n) => n);

/** Twenty services share all containers but those with a health check: 100 record sets of a name are Route 53's limit. */
const serviceOf = (n: number) => `web-${n % 20}`;

/** Starts the container of this number, a task of its own. */
const startOne = ({ engine }: SimulatedLab, n: number, spec: ContainerSpec = {}): string =>
  engine.run({
    ...spec,
    labels: { [NAME_LABEL]: serviceOf(n), ...newTaskLabel(), ...spec.labels },
    address: addressOf(n),
  });

const serve = (lab: SimulatedLab, count: number, spec?: ContainerSpec) =>
  numbers(count).map((n) => startOne(lab, n, spec));

/** The records of containers of these numbers. */
const recordsOf = ({ zone }: SimulatedLab, those: readonly number[]) =>
  those.map((n) => `${serviceOf(n)}.${zone.name} ${addressOf(n)}`);

/** The records of those that the burst below leaves healthy. */
const afterBurst = ({ zone }: SimulatedLab) =>
  numbers(BURST_CONTAINERS)
    .filter((n) => n % 2 === 0)
    .map((n) => `web.${zone.name} ${addressOf(n)}`);

/** So many events at once, more than all buffers between the engine and the agent hold. */
function burst({ engine }: SimulatedLab, ids: readonly string[], events = EVENTS): void {
  const rounds = events / ids.length;
  for (let round = 1; round <= rounds; round += 1) {
    for (const [n, id] of ids.entries()) {
      engine.health(id, (rounds - round + n) % 2 === 0 ? "healthy" : "unhealthy");
    }
  }
}

/** Waits until the agent has read all that the engine has written. */
async function allRead(engine: DockerStandIn): Promise<void> {
  const bytes = engine.unreadBytes;
  const startedMs = performance.now();
  const moved = changes();
  const stop = engine.onRead(moved.tell);
  const seen = () => `${engine.unreadBytes} bytes that wait for the agent`;
  try {
    await moved.until(() => engine.unreadBytes === 0, seen);
  } finally {
    stop();
  }
  const ms = performance.now() - startedMs;
  tell(
    `${(bytes / 1_000_000).toFixed(1)} MB of events lay unread, the last for ${ms.toFixed(0)} ms`,
  );
}

/** Holds the engine's answers to such requests until it is let. */
function hold({ engine }: SimulatedLab, path: RegExp): () => void {
  const { promise, resolve } = Promise.withResolvers<void>();
  engine.fail({ path, kind: { after: promise } });
  return () => {
    engine.clearFaults();
    resolve();
  };
}

/** A line of /proc/<pid>/status, in MB. */
function memoryMb(pid: number, line: "VmRSS" | "VmHWM"): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(new RegExp(`^${line}:\\s+(\\d+) kB`, "m").exec(status)?.[1]) / 1024;
}

/** From now on VmHWM is the most that the process has been since (proc(5), clear_refs). */
const forgetPeak = (pid: number): void => writeFileSync(`/proc/${pid}/clear_refs`, "5");

const tell = (text: string): void => void process.stderr.write(`${text}\n`);

describe("10,000 events at once: the agent reads them all", () => {
  it("while Docker answers no look", async () => {
    await using lab = await simulatedLab();
    const ids = serve(lab, BURST_CONTAINERS, CHECKED);
    const agent = lab.agent();
    await agent.until(follows);
    const release = hold(lab, INSPECT);
    burst(lab, ids);
    expect(lab.engine.unreadBytes).toBeGreaterThan(1_000_000);
    await allRead(lab.engine);
    expect(lab.zone.now()).toEqual([]);
    release();
    await lab.zone.until(afterBurst(lab));
  });

  it.each([
    [EVENTS, "remembers what they are about", false],
    [2 * EVENTS, "looks at every container, because it has lost count", true],
  ])("before Docker has listed the containers; of %i it %s", async (events, _, warns) => {
    await using lab = await simulatedLab();
    const ids = serve(lab, BURST_CONTAINERS, CHECKED);
    const release = hold(lab, LIST);
    const agent = lab.agent();
    await lab.engine.untilStreams(1);
    burst(lab, ids, events);
    expect(lab.engine.unreadBytes).toBeGreaterThan(1_000_000);
    await allRead(lab.engine);
    release();
    await lab.zone.until(afterBurst(lab));
    const warnings = agent.log.filter(({ level }) => level === "warn");
    const tooMany =
      "Docker's event stream holds more than 10000 events that nobody could take yet; looks at every container";
    expect(warnings.map(({ message }) => message)).toEqual(warns ? [tooMany] : []);
  });

  it("while Docker lists the containers because of a line that can't be read", async () => {
    await using lab = await simulatedLab();
    const ids = serve(lab, BURST_CONTAINERS, CHECKED);
    const agent = lab.agent();
    await agent.until(follows);
    const release = hold(lab, LIST);
    lab.engine.emitLine("no JSON\n");
    burst(lab, ids);
    expect(lab.engine.unreadBytes).toBeGreaterThan(1_000_000);
    await allRead(lab.engine);
    release();
    await lab.zone.until(afterBurst(lab));
  });
});

it("a line that can't be read holds up no other: an end is seen while Docker still lists", async () => {
  await using lab = await simulatedLab();
  const [first = ""] = serve(lab, 2);
  lab.agent();
  await lab.zone.until(recordsOf(lab, [0, 1]));
  const release = hold(lab, LIST);
  lab.engine.emitLine("no JSON\n");
  lab.engine.crash(first);
  await lab.zone.until(recordsOf(lab, [1]));
  release();
});

it("10,000 lines that can't be read are a reason to list a few times, not 10,000 times", async () => {
  await using lab = await simulatedLab();
  serve(lab, 1);
  const agent = lab.agent();
  await lab.zone.until(recordsOf(lab, [0]));
  const listed = () => lab.engine.requests.filter(({ path }) => LIST.test(path)).length;
  const before = listed();
  const release = hold(lab, LIST);
  lab.engine.emitLine("no JSON\n".repeat(EVENTS));
  await allRead(lab.engine);
  release();
  const marker = lab.engine.run({
    labels: { [NAME_LABEL]: "marker", ...newTaskLabel() },
    address: "10.1.0.1",
  });
  await lab.zone.until([...recordsOf(lab, [0]), `marker.${lab.zone.name} 10.1.0.1`]);
  lab.engine.crash(marker);
  await lab.zone.until(recordsOf(lab, [0]));
  // One for what came before a list began, and one for each of the few chunks that came meanwhile.
  expect(listed() - before).toBeLessThanOrEqual(10);
  const warnings = agent.log.filter(({ level }) => level === "warn");
  expect(warnings.length).toBeGreaterThan(0);
  expect(warnings.length).toBeLessThanOrEqual(10);
});

it("bursts leave no trace in the memory", async () => {
  await using lab = await simulatedLab();
  const big = "x".repeat(3_000);
  const labels = { ...CHECKED.labels, big };
  const ids = serve(lab, BURST_CONTAINERS, { ...CHECKED, labels });
  const agent = lab.agentByEnvironment(AS_DEPLOYED);
  await agent.until(follows);
  const once = async () => {
    burst(lab, ids);
    const bytes = lab.engine.unreadBytes;
    await allRead(lab.engine);
    await lab.zone.until(afterBurst(lab));
    return bytes;
  };
  await once();
  forgetPeak(agent.pid);
  const beforeMb = memoryMb(agent.pid, "VmRSS");
  let megabytes = 0;
  for (let bursts = 0; bursts < 4; bursts += 1) megabytes += (await once()) / 1_000_000;
  const grownMb = memoryMb(agent.pid, "VmHWM") - beforeMb;
  tell(
    `${megabytes.toFixed(0)} MB of events: ${beforeMb.toFixed(0)} MB + ${grownMb.toFixed(1)} MB`,
  );
  expect(megabytes).toBeGreaterThan(120);
  // Whoever kept what it reads would grow by all of it.
  expect(grownMb).toBeLessThan(HEAP_TO_FILL_MB);
});

describe("1,000 labelled containers on one host", () => {
  const COUNT = 1_000;
  const CHANGES_OF_A_REQUEST = ROUTE53_BATCH.records / 2;
  const asked = (requests: readonly { readonly path: string }[], what: RegExp) =>
    requests.filter(({ path }) => what.test(path)).length;

  /** Starts the agent again whenever it has failed, as `--restart always` does, until one of them follows. */
  async function untilOneFollows(lab: SimulatedLab, first: AgentProcess): Promise<AgentProcess> {
    for (let agent = first; ; agent = lab.agentByEnvironment(AS_DEPLOYED)) {
      const followed = await agent.until(follows).catch((error: unknown) => {
        if (!agent.ended) throw error;
      });
      if (followed !== undefined) return agent;
      expect(await agent.exit()).toEqual({ code: 1, signal: null });
    }
  }

  it("are right with one look at each and full requests, through restarts of Docker and their common end", async () => {
    await using lab = await simulatedLab();
    const { engine, zone, ecs } = lab;
    const ids = serve(lab, COUNT);
    const startedMs = performance.now();
    const agent = lab.agentByEnvironment(AS_DEPLOYED);
    await agent.until(({ message }) => message === "found the zone and the running containers");
    const beforeMb = memoryMb(agent.pid, "VmRSS");
    const say = (what: string) => {
      const ms = (performance.now() - startedMs).toFixed(0);
      const requests = `Docker ${engine.requests.length}, ECS agent ${ecs.requests.length}, Route 53 ${lab.route53.requests.length}`;
      const { pid } = lab.agents.at(-1) ?? agent;
      tell(
        `${what} after ${ms} ms, ${memoryMb(pid, "VmHWM").toFixed(0)} MB; requests: ${requests}`,
      );
    };
    await zone.until(recordsOf(lab, numbers(COUNT)));
    say("1,000 records");
    expect(memoryMb(agent.pid, "VmHWM") - beforeMb).toBeLessThan(HEAP_TO_FILL_MB);
    expect(asked(engine.requests, INSPECT)).toBe(COUNT);
    expect(asked(engine.requests, LIST)).toBe(1);
    expect(engine.requests).toHaveLength(COUNT + 3);
    expect(asked(ecs.requests, /dockerid=/)).toBe(COUNT);
    expect(zone.changeRequests).toBe(COUNT / CHANGES_OF_A_REQUEST);

    // Docker restarts while its containers live on (live-restore): some end, some are new, and no event tells of it.
    await engine.down();
    expect(await agent.exit()).toEqual({ code: 1, signal: null });
    for (const id of ids.slice(0, 100)) engine.crash(id);
    for (const n of [1000, 1001, 1002]) ids.push(startOne(lab, n));
    const next = lab.agentByEnvironment(AS_DEPLOYED);
    await next.until(({ message }) => message.includes("Docker did not answer version"));
    // And again, just as it lists them.
    const release = hold(lab, LIST);
    await engine.up();
    await engine.untilStreams(1);
    await engine.down();
    release();
    await engine.up();
    const landed = zone.landed.length;
    const lastAgent = await untilOneFollows(lab, next);
    const left = numbers(1003).slice(100);
    await zone.until(recordsOf(lab, left));
    say("Docker restarted twice: right again");
    expect(zone.landed.slice(landed).toSorted()).toEqual(
      [
        ...recordsOf(lab, numbers(100)).map((record) => `DELETE ${record}`),
        ...recordsOf(lab, [1000, 1001, 1002]).map((record) => `UPSERT ${record}`),
      ].toSorted(),
    );

    const before = {
      inspects: asked(engine.requests, INSPECT),
      tasks: ecs.requests.length,
      changes: zone.changeRequests,
    };
    for (const id of ids.slice(100)) engine.stop(id);
    await zone.until([]);
    say("all of them stopped at once");
    // One look, and one more at most for those whose later events came during the first.
    expect(asked(engine.requests, INSPECT) - before.inspects).toBeLessThanOrEqual(2 * left.length);
    expect(ecs.requests.length).toBe(before.tasks);
    // A delete waits for others for 200 ms at most, so how many fit into a request follows from the machine's speed.
    expect(zone.changeRequests - before.changes).toBeLessThanOrEqual(left.length / 10);
    expect(memoryMb(lastAgent.pid, "VmHWM") - beforeMb).toBeLessThan(HEAP_TO_FILL_MB);
  }, 300_000);
});
