import type { Scenario } from "../results.ts";
import { percentile } from "../stats.ts";
import { until, world } from "../world.ts";
import { type Kind, startWriter } from "../writers.ts";

const EVENTS = 1_000;
/** The first ones also wait for connections and for compiled code. */
const WARM_UP = 20;

/** One container that starts and dies in turn: from the engine's event to the request that follows from it. */
export async function lone(): Promise<readonly Scenario[]> {
  const agent = await overheads("agent");
  const baseline = await overheads("baseline");
  const row = (share: number, name: string) => ({
    measure: `event to request, ${name}`,
    unit: "ms" as const,
    agent: percentile(agent, share),
    other: percentile(baseline, share),
  });
  return [
    {
      title: `a. one event at a time, ${EVENTS} times, Route 53 with no latency and no limit`,
      beside: "baseline",
      rows: [
        { ...row(0.5, "p50"), atMost: 5, plotted: true },
        row(0.95, "p95"),
        { ...row(0.99, "p99"), atMost: 20, plotted: true },
        row(1, "max"),
      ],
      notes: [
        "the agent inspects, asks the ECS agent and writes its journal on the way; the baseline asks the ECS agent, or lists",
      ],
    },
  ];
}

async function overheads(kind: Kind): Promise<readonly number[]> {
  await using stage = await world({ latencyMs: 0, rate: "unlimited" });
  await using writer = startWriter(kind, stage);
  const { engine, route53 } = stage;
  await writer.watches();
  let id = "";
  let eventMs = 0;
  let arrivedMs: number | undefined;
  let answered = false;
  engine.onEvent(({ Action }) => {
    if (Action === "start" || Action === "die") eventMs = performance.now();
  });
  const answeredNow = new Set<() => void>();
  route53.onRequest(({ operation, result }, phase) => {
    if (operation !== "ChangeResourceRecordSets") return;
    if (phase === "arrived") arrivedMs ??= performance.now();
    else if (result === "ok") {
      answered = true;
      for (const look of answeredNow) look();
    }
  });
  const overheadsMs: number[] = [];
  for (let n = 0; n < WARM_UP + EVENTS; n += 1) {
    arrivedMs = undefined;
    answered = false;
    if (n % 2 === 0) {
      // Each time another one: a container that comes and goes has to wait before its record is added again.
      id = stage.place();
      engine.start(id);
    } else engine.stop(id);
    await until(
      "a change to be answered",
      () => answered,
      (look) => {
        answeredNow.add(look);
        return () => answeredNow.delete(look);
      },
      writer.failure,
    );
    if (n >= WARM_UP) overheadsMs.push((arrivedMs ?? Number.NaN) - eventMs);
  }
  return overheadsMs;
}
