import { chance } from "../../support/chance.ts";
import { virtualClock } from "../../support/virtual-clock.ts";
import { virtualAgent } from "./agent.ts";
import { instanceOf, recordOf, ZONE_NAME } from "./records.ts";
import { changeRequests, total, virtualRoute53 } from "./route53.ts";

export const BATCH = 400;
const SERVICES = 10;
/** Below the five minutes after which a refused change is tried again. */
const LOOK_MS = 60_000;

/**
 * A start with 400 records to write, one of them at a name that somebody else's CNAME holds. Route 53 refuses the whole
 * batch, and says why in its own words or in `words`.
 */
export async function poisoned({
  words,
  seed,
}: {
  readonly words?: string;
  readonly seed: number;
}): Promise<{
  readonly requests: number;
  readonly changeRequests: number;
  readonly accepted: number;
  readonly allMs: number;
}> {
  const clock = virtualClock();
  const route53 = virtualRoute53({
    zoneName: ZONE_NAME,
    clock,
    latencyMs: 60,
    applyMs: 20,
    rate: { perSecond: 10, burst: 50 },
    ...(words !== undefined && { refusalWords: words }),
  });
  const poison = recordOf(1, 137, SERVICES);
  route53.seed([
    { name: `${poison.name}.`, type: "CNAME", ttlSeconds: 60, values: ["example.org"] },
  ]);
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
    desired: Array.from({ length: BATCH }, (_, n) =>
      n === 137 ? poison : recordOf(1, n, n % SERVICES),
    ),
  });
  await clock.pass(LOOK_MS);
  stop.abort();
  await agent.ended;
  return {
    requests: total(route53.counts),
    changeRequests: changeRequests(route53.counts),
    accepted: route53.records().filter(({ setIdentifier }) => setIdentifier !== undefined).length,
    allMs,
  };
}
