import { describe, expect, it } from "@jest/globals";
import type { DockerStandIn } from "../../lib/sandbox/docker-engine.ts";
import { NAME_LABEL, newTaskLabel, type SimulatedLab, simulatedLab } from "../support/lab.ts";
import { changes } from "../support/wait.ts";

const EVENTS = 10_000;
const BURST_CONTAINERS = 50;

const LIST = /^\/containers\/json/;
const INSPECT = /^\/containers\/[0-9a-f]{64}\/json/;

const addressOf = (n: number) => `10.0.${n >> 8}.${n & 255}`;

/** Starts `count` containers of one service, each a task of its own. */
const serve = ({ engine }: SimulatedLab, count: number, healthcheck = false) =>
  Array.from({ length: count }, (_, n) =>
    engine.run({
      labels: { [NAME_LABEL]: "web", ...newTaskLabel() },
      address: addressOf(n),
      healthcheck,
    }),
  );

/** The records of these of the containers above. */
const recordsOf = ({ zone }: SimulatedLab, numbers: readonly number[]) =>
  numbers.map((n) => `web.${zone.name} ${addressOf(n)}`);

const numbers = (count: number) => Array.from({ length: count }, (_, n) => n);
/** Those that the burst below leaves healthy. */
const evens = numbers(BURST_CONTAINERS).filter((n) => n % 2 === 0);

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
  const moved = changes();
  const stop = engine.onRead(moved.tell);
  const seen = () => `${engine.unreadBytes} bytes that wait for the agent`;
  try {
    await moved.until(() => engine.unreadBytes === 0, seen);
  } finally {
    stop();
  }
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

describe("10,000 events at once: the agent reads them all", () => {
  it("while Docker answers no look", async () => {
    await using lab = await simulatedLab();
    const ids = serve(lab, BURST_CONTAINERS, true);
    const agent = lab.agent();
    await agent.until(({ message }) => message.startsWith("every container is looked at"));
    const release = hold(lab, INSPECT);
    burst(lab, ids);
    expect(lab.engine.unreadBytes).toBeGreaterThan(1_000_000);
    await allRead(lab.engine);
    expect(lab.zone.now()).toEqual([]);
    release();
    await lab.zone.until(recordsOf(lab, evens));
  });

  it.each([
    [EVENTS, "remembers what they are about", false],
    [2 * EVENTS, "looks at every container, because it has lost count", true],
  ])("before Docker has listed the containers; of %i it %s", async (events, _, warns) => {
    await using lab = await simulatedLab();
    const ids = serve(lab, BURST_CONTAINERS, true);
    const release = hold(lab, LIST);
    const agent = lab.agent();
    await lab.engine.untilStreams(1);
    burst(lab, ids, events);
    expect(lab.engine.unreadBytes).toBeGreaterThan(1_000_000);
    await allRead(lab.engine);
    release();
    await lab.zone.until(recordsOf(lab, evens));
    const warnings = agent.log.filter(({ level }) => level === "warn");
    const tooMany =
      "Docker's event stream holds more than 10000 events that nobody could take yet; looks at every container";
    expect(warnings.map(({ message }) => message)).toEqual(warns ? [tooMany] : []);
  });

  it("while Docker lists the containers because of a line that can't be read", async () => {
    await using lab = await simulatedLab();
    const ids = serve(lab, BURST_CONTAINERS, true);
    const agent = lab.agent();
    await agent.until(({ message }) => message.startsWith("every container is looked at"));
    const release = hold(lab, LIST);
    lab.engine.emitLine("no JSON\n");
    burst(lab, ids);
    expect(lab.engine.unreadBytes).toBeGreaterThan(1_000_000);
    await allRead(lab.engine);
    release();
    await lab.zone.until(recordsOf(lab, evens));
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
  expect(listed() - before).toBeLessThanOrEqual(3);
  const warnings = agent.log.filter(({ level }) => level === "warn");
  expect(warnings.length).toBeGreaterThan(0);
  expect(warnings.length).toBeLessThanOrEqual(3);
});
