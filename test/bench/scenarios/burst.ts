import type { RequestSeen } from "../../../lib/standins/route53/server.ts";
import type { Scenario } from "../results.ts";
import { percentile } from "../stats.ts";
import { answeredAll, warmUp } from "../steps.ts";
import { ACCOUNT_RATE, paced, until, world } from "../world.ts";
import { FOLLOWS, type Kind, startWriter } from "../writers.ts";

interface Burst {
  readonly containers: number;
  readonly overMs: number;
  readonly latencyMs: number;
  readonly title: string;
  /** Of requests, and of ms after the last event. */
  readonly atMost?: { readonly requests: number; readonly afterLastMs: number };
}

const BURSTS: readonly Burst[] = [
  {
    containers: 100,
    overMs: 0,
    latencyMs: 50,
    title: "b. 100 containers start at once on one host, 50 ms latency, 10 requests a second",
  },
  {
    containers: 500,
    overMs: 2_000,
    latencyMs: 100,
    title: "b. 500 containers start in 2 s on one host, 100 ms latency, 10 requests a second",
    atMost: { requests: 4, afterLastMs: 350 },
  },
];

/** Many containers of one host start at once, or within two seconds. */
export async function burst(): Promise<readonly Scenario[]> {
  const scenarios: Scenario[] = [];
  for (const one of BURSTS) scenarios.push(await scenarioOf(one));
  return scenarios;
}

async function scenarioOf(of: Burst): Promise<Scenario> {
  const agent = await measured("agent", of);
  const baseline = await measured("baseline", of);
  return {
    title: of.title,
    beside: "baseline",
    rows: [
      {
        measure: "change requests",
        unit: "",
        agent: agent.changeRequests,
        other: baseline.changeRequests,
        ...(of.atMost && { atMost: of.atMost.requests }),
        plotted: true,
      },
      {
        measure: "all answered, after the last event",
        unit: "ms",
        agent: agent.afterLastMs,
        other: baseline.afterLastMs,
        ...(of.atMost && { atMost: of.atMost.afterLastMs }),
        plotted: true,
      },
      {
        measure: "event to accepted, p50",
        unit: "ms",
        agent: percentile(agent.delaysMs, 0.5),
        other: percentile(baseline.delaysMs, 0.5),
      },
      {
        measure: "event to accepted, max",
        unit: "ms",
        agent: percentile(agent.delaysMs, 1),
        other: percentile(baseline.delaysMs, 1),
      },
      {
        measure: "throttled or zone busy",
        unit: "",
        agent: agent.turnedAway,
        other: baseline.turnedAway,
      },
    ],
    notes: ["a burst gathers until nothing came for 100 ms, for a second at most"],
  };
}

async function measured(kind: Kind, { containers, overMs, latencyMs }: Burst) {
  await using stage = await world({ latencyMs });
  await using writer = startWriter(kind, stage);
  await writer.watches();
  if (kind === "agent") await writer.says(FOLLOWS);
  await warmUp(stage, writer.failure);
  const { engine, route53 } = stage;
  route53.set({ rate: ACCOUNT_RATE });
  const before = route53.requests.length;
  const happenedMs = new Map<string, number>();
  const landedMs = new Map<string, number>();
  let lastMs = 0;
  let answeredMs = 0;
  route53.onRequest((_, phase) => {
    if (phase === "answered") answeredMs = performance.now();
  });
  await Promise.all([
    paced(containers, overMs, () => {
      const id = stage.place();
      engine.start(id);
      lastMs = performance.now();
      happenedMs.set(stage.addressOf(id), lastMs);
    }),
    until(
      "all records",
      () => landedMs.size === containers,
      (look) =>
        route53.onLanded((changes) => {
          for (const { record } of changes) landedMs.set(record.values.join(), performance.now());
          look();
        }),
      writer.failure,
    ),
  ]);
  await answeredAll(stage, writer.failure);
  const requests = route53.requests.slice(before);
  const count = (is: (request: RequestSeen) => boolean) => requests.filter(is).length;
  return {
    delaysMs: [...landedMs].map(([address, ms]) => ms - (happenedMs.get(address) ?? 0)),
    afterLastMs: answeredMs - lastMs,
    changeRequests: count(({ operation }) => operation === "ChangeResourceRecordSets"),
    turnedAway: count(({ result }) => result !== "ok"),
  };
}
