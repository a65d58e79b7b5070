import { chance } from "../../support/chance.ts";
import { virtualClock } from "../../support/virtual-clock.ts";
import { virtualAgent } from "./agent.ts";
import { instanceOf, recordOf, ZONE_NAME } from "./records.ts";
import { total, virtualRoute53 } from "./route53.ts";

/** Containers that start one after another, evenly over a while, on one host with an empty zone. */
export async function gathered({
  containers,
  overMs,
  latencyMs,
  seed,
}: {
  readonly containers: number;
  readonly overMs: number;
  readonly latencyMs: number;
  readonly seed: number;
}): Promise<{
  readonly requests: number;
  readonly accepted: number;
  readonly afterLastMs: number;
}> {
  const clock = virtualClock();
  const route53 = virtualRoute53({
    zoneName: ZONE_NAME,
    clock,
    latencyMs,
    applyMs: 0,
    rate: { perSecond: 10, burst: 50 },
  });
  let allMs = 0;
  route53.onLanded = () => {
    allMs = clock.now();
  };
  const stop = new AbortController();
  const agent = virtualAgent({
    clock,
    random: chance(seed),
    zone: route53.as(instanceOf(1)),
    stop: stop.signal,
    published: [],
  });
  const lastMs = overMs - overMs / containers;
  for (let n = 0; n < containers; n += 1) {
    clock.at((n * overMs) / containers, () => agent.start(recordOf(1, n, n % 10)));
  }
  await clock.pass(60_000);
  stop.abort();
  await agent.ended;
  return {
    requests: total(route53.counts),
    accepted: route53.records().filter(({ setIdentifier }) => setIdentifier !== undefined).length,
    afterLastMs: allMs - lastMs,
  };
}
