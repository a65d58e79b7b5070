import type { RequestSeen } from "../../../lib/sandbox/route53.ts";
import type { Scenario } from "../results.ts";
import { percentile } from "../stats.ts";
import { answeredAll, warmUp } from "../steps.ts";
import { ACCOUNT_RATE, paced, until, world } from "../world.ts";
import { FOLLOWS, type Kind, startWriter } from "../writers.ts";

const CONTAINERS = 500;
const OVER_MS = 2_000;
const LATENCY_MS = 100;

/** Many containers of one host start within two seconds. */
export async function burst(): Promise<readonly Scenario[]> {
  const agent = await measured("agent");
  const baseline = await measured("baseline");
  return [
    {
      title: `b. ${CONTAINERS} containers start in ${OVER_MS / 1000} s on one host, ${LATENCY_MS} ms latency, 10 requests a second`,
      beside: "baseline",
      rows: [
        {
          measure: "change requests",
          unit: "",
          agent: agent.changeRequests,
          other: baseline.changeRequests,
          atMost: 4,
          plotted: true,
        },
        {
          measure: "all answered, after the last event",
          unit: "ms",
          agent: agent.afterLastMs,
          other: baseline.afterLastMs,
          atMost: 350,
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
      notes: [
        `one request in flight and none held back: ${OVER_MS / LATENCY_MS} fit into the ${OVER_MS / 1000} s`,
      ],
    },
  ];
}

async function measured(kind: Kind) {
  await using stage = await world({ latencyMs: LATENCY_MS });
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
    paced(CONTAINERS, OVER_MS, () => {
      const id = stage.place();
      engine.start(id);
      lastMs = performance.now();
      happenedMs.set(stage.addressOf(id), lastMs);
    }),
    until(
      "all records",
      () => landedMs.size === CONTAINERS,
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
