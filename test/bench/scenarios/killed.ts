import type { Scenario } from "../results.ts";
import { percentile } from "../stats.ts";
import { answeredAll, warmUp } from "../steps.ts";
import { ACCOUNT_RATE, until, type World, world } from "../world.ts";
import { FOLLOWS, type Kind, startWriter } from "../writers.ts";

const CONTAINERS = 200;
const LATENCY_MS = 50;
/** So long Docker holds an answer about a container back after its end, until it is taken down (20.10, measured). */
const TAKEN_DOWN_MS = 400;

/** All containers of a host are killed at once: how long clients are still led to them. */
export async function killed(): Promise<readonly Scenario[]> {
  const agent = await measured("agent");
  const baseline = await measured("baseline");
  return [
    {
      title: `i. ${CONTAINERS} containers of one host killed at once, ${LATENCY_MS} ms latency, 10 requests a second`,
      beside: "baseline",
      rows: [
        {
          measure: "die to removed, p50",
          unit: "ms",
          agent: percentile(agent.delaysMs, 0.5),
          other: percentile(baseline.delaysMs, 0.5),
          atMost: 1_000,
          plotted: true,
        },
        {
          measure: "die to removed, max",
          unit: "ms",
          agent: percentile(agent.delaysMs, 1),
          other: percentile(baseline.delaysMs, 1),
        },
        {
          measure: "change requests",
          unit: "",
          agent: agent.changeRequests,
          other: baseline.changeRequests,
        },
        {
          measure: "inspects, which can only be those under way between signal and end",
          unit: "",
          agent: agent.inspects,
          atMost: 5,
        },
      ],
      notes: [
        `the engine holds an inspect back for ${TAKEN_DOWN_MS} ms after a container's end, as Docker does`,
      ],
    },
  ];
}

async function measured(kind: Kind) {
  await using stage = await world({ latencyMs: LATENCY_MS, rate: "unlimited" });
  await using writer = startWriter(kind, stage);
  await writer.watches();
  if (kind === "agent") await writer.says(FOLLOWS);
  await warmUp(stage, writer.failure);
  const { engine, route53 } = stage;
  const ids = Array.from({ length: CONTAINERS }, () => stage.place());
  for (const id of ids) engine.start(id);
  await records(stage, CONTAINERS, writer.failure);
  await answeredAll(stage, writer.failure);

  route53.set({ rate: ACCOUNT_RATE });
  const before = { requests: route53.requests.length, asked: engine.requests.length };
  const diedMs = new Map<string, number>();
  const removedMs = new Map<string, number>();
  engine.fail({ path: /^\/containers\/[0-9a-f]+\/json/, kind: { delayMs: TAKEN_DOWN_MS } });
  const deaf = route53.onLanded((changes) => {
    for (const { action, record } of changes) {
      if (action === "DELETE") removedMs.set(record.values.join(), performance.now());
    }
  });
  for (const id of ids) {
    engine.kill(id);
    diedMs.set(stage.addressOf(id), performance.now());
  }
  await records(stage, 0, writer.failure);
  await answeredAll(stage, writer.failure);
  deaf();
  const inspect = /^\/containers\/[0-9a-f]+\/json/;
  return {
    delaysMs: [...diedMs].map(([address, ms]) => (removedMs.get(address) ?? Number.NaN) - ms),
    changeRequests: route53.requests
      .slice(before.requests)
      .filter(({ operation }) => operation === "ChangeResourceRecordSets").length,
    inspects: engine.requests.slice(before.asked).filter(({ path }) => inspect.test(path)).length,
  };
}

/** Resolves when the zone holds so many weighted records. */
const records = (stage: World, count: number, failure: Promise<never>): Promise<void> =>
  until(
    `${count} records`,
    () => stage.records().length === count,
    (look) => stage.route53.onLanded(look),
    failure,
  );
