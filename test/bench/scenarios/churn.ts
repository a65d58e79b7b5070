import { collectedMb } from "../memory.ts";
import type { Scenario } from "../results.ts";
import { answeredAll, warmUp } from "../steps.ts";
import { ACCOUNT_RATE, paced, until, world } from "../world.ts";
import { COLLECTS_AT_SIGUSR2, FOLLOWS, type Kind, startWriter } from "../writers.ts";

const WARM_PAIRS = 2_000;
const WARM_MS = 2_000;
const PAIRS = 10_000;
const OVER_MS = 10_000;
/** So many run at a time; each lives for a quarter of a second. */
const ALIVE = 250;
/** Long-lived ones among them: what must be there in the end. */
const STAYING = 50;
const LATENCY_MS = 50;

/** A host whose containers crash and start again as fast as it can. */
export async function churn(): Promise<readonly Scenario[]> {
  const agent = await measured("agent");
  const baseline = await measured("baseline");
  return [
    {
      title: `c. ${PAIRS} containers start and die in ${OVER_MS / 1000} s on one host, ${LATENCY_MS} ms latency, 10 requests a second`,
      beside: "baseline",
      rows: [
        {
          measure: "requests until all was right",
          unit: "",
          agent: agent.requests,
          other: baseline.requests,
          atMost: OVER_MS / 100,
          plotted: true,
        },
        {
          measure: "records wrong in the moment of the last event",
          unit: "",
          agent: agent.wrongAtEnd,
          other: baseline.wrongAtEnd,
        },
        { measure: "records wrong in the end", unit: "", agent: agent.wrong, atMost: 0 },
        { measure: "right after the last event", unit: "ms", agent: agent.rightMs },
        { measure: "throttled", unit: "", agent: agent.throttled, other: baseline.throttled },
        {
          measure: "resident after 2,000 pairs and a collection",
          unit: "MB",
          agent: agent.beforeMb,
        },
        { measure: "resident in the end, after a collection", unit: "MB", agent: agent.afterMb },
        {
          measure: "resident, grown by",
          unit: "MB",
          agent: agent.afterMb - agent.beforeMb,
          atMost: 15,
        },
      ],
      notes: [
        "the last 250 die in that moment; the baseline is stopped then, its queue still full",
      ],
    },
  ];
}

async function measured(kind: Kind) {
  await using stage = await world({ latencyMs: LATENCY_MS });
  await using writer = startWriter(kind, stage, { nodeFlags: COLLECTS_AT_SIGUSR2 });
  await writer.watches();
  if (kind === "agent") await writer.says(FOLLOWS);
  const { engine, route53 } = stage;
  const end = (id: string | undefined) => {
    if (id === undefined) return;
    engine.crash(id);
    engine.remove(id);
  };
  await warmUp(stage, writer.failure);
  if (kind === "agent") {
    // A small churn first: what a process loads and compiles once for all is no growth.
    const first: string[] = [];
    const warm = paced(WARM_PAIRS, WARM_MS, () => {
      const id = stage.place();
      engine.start(id);
      first.push(id);
      if (first.length > ALIVE) end(first.shift());
    });
    await Promise.race([warm, writer.failure]);
    for (const id of first) end(id);
    await until(
      "the zone to be empty",
      () => stage.records().length === 0,
      (look) => route53.onLanded(look),
      writer.failure,
    );
    await answeredAll(stage, writer.failure);
  }
  const beforeMb = await collectedMb(writer.pid);
  route53.set({ rate: ACCOUNT_RATE });
  const before = route53.requests.length;

  const staying = new Set<string>();
  const alive: string[] = [];
  const events = paced(PAIRS, OVER_MS, (n) => {
    const id = stage.place();
    engine.start(id);
    if (n % (PAIRS / STAYING) === 0) staying.add(id);
    else alive.push(id);
    if (alive.length > ALIVE) end(alive.shift());
  });
  await Promise.race([events, writer.failure]);
  for (const id of alive) end(id);
  const lastMs = performance.now();
  const wrong = (): number => {
    const there = new Set(stage.records().map(({ values }) => values.join()));
    const asked = new Set([...staying].map(stage.addressOf));
    const both = [...asked].filter((address) => there.has(address)).length;
    return asked.size + there.size - 2 * both;
  };
  const wrongAtEnd = wrong();
  let rightMs = Number.NaN;
  if (kind === "agent") {
    await until(
      "the zone to be right",
      () => wrong() === 0,
      (look) => route53.onLanded(look),
      writer.failure,
    );
    rightMs = performance.now() - lastMs;
    await answeredAll(stage, writer.failure);
  }
  const afterMb = await collectedMb(writer.pid);
  const requests = route53.requests.slice(before);
  return {
    requests: requests.length,
    throttled: requests.filter(({ result }) => result === "Throttling").length,
    wrongAtEnd,
    wrong: wrong(),
    rightMs,
    beforeMb,
    afterMb,
  };
}
