import { median, percentile } from "./stats.ts";
import type { Measured, World } from "./world.ts";
import type { Writer } from "./writers.ts";

const BURST = 100;
const LONE = 20;

/** What a scenario came to, by measure, in the order to show it in; times end in ` ms`. */
type Results = Readonly<Record<string, number>>;

export interface Scenario {
  readonly title: string;
  readonly results: Results;
}

/** All scenarios, one after another, with one writer; the zone is empty before and after. */
export async function runScenarios(
  world: World,
  { failure }: Writer,
): Promise<readonly Scenario[]> {
  await world.watched(failure);
  // The first container also waits for the writer to be ready, and for its connections and compiled code.
  await world.start(1, failure);
  await world.stop(failure);

  const lone = { starts: [] as Measured[], stops: [] as Measured[] };
  for (let n = 0; n < LONE; n += 1) {
    lone.starts.push(await world.start(1, failure));
    lone.stops.push(await world.stop(failure));
  }
  const start = await world.start(BURST, failure);
  const stop = await world.stop(failure);
  return [
    { title: `one container starts alone (${LONE} times)`, results: loneResults(lone.starts) },
    { title: `one container stops alone (${LONE} times)`, results: loneResults(lone.stops) },
    { title: `${BURST} containers start at once`, results: burstResults(start) },
    { title: `${BURST} containers stop at once`, results: burstResults(stop) },
  ];
}

function loneResults(all: readonly Measured[]): Results {
  const delaysMs = all.flatMap((one) => one.delaysMs);
  return {
    "median ms": median(delaysMs),
    "max ms": percentile(delaysMs, 1),
    ...requestCounts(all),
  };
}

function burstResults(measured: Measured): Results {
  const { delaysMs, allMs } = measured;
  return {
    "p50 ms": percentile(delaysMs, 0.5),
    "p95 ms": percentile(delaysMs, 0.95),
    "max ms": percentile(delaysMs, 1),
    "all landed ms": allMs,
    ...requestCounts([measured]),
  };
}

function requestCounts(all: readonly Measured[]): Results {
  const requests = all.flatMap((one) => one.requests);
  const count = (is: (request: (typeof requests)[number]) => boolean) => requests.filter(is).length;
  return {
    "change requests": count(({ operation }) => operation === "ChangeResourceRecordSets"),
    "all requests": requests.length,
    "throttled answers": count(({ result }) => result === "Throttling"),
    "zone busy answers": count(({ result }) => result === "PriorRequestNotComplete"),
  };
}
