import type { Scenario } from "../results.ts";
import { percentile } from "../stats.ts";
import { AMBASSADORS, runAmbassadors } from "../virtual/ambassadors.ts";

/** Fleets of ambassadors that share the account's requests, in virtual time. */
export async function ambassadorFleet(
  seed: number,
  sizes: readonly number[],
): Promise<readonly Scenario[]> {
  const { rate, callsPerPoll, pollMs } = AMBASSADORS;
  const scenarios: Scenario[] = [];
  for (const count of sizes) {
    const { requests, throttled, agesMs, firstMs } = await runAmbassadors(count, seed);
    /** Were they to take turns. */
    const turnMs = Math.max(pollMs, (count * callsPerPoll * 1_000) / rate.perSecond);
    const seconds = (value: number) => value / 1_000;
    scenarios.push({
      title: `ambassadorFleet. ${count} ambassadors share ${rate.perSecond} requests/s, burst ${rate.burst} (virtual time, seed ${seed}); taking turns, each would ask every ${seconds(turnMs)} s`,
      beside: "nothing",
      rows: [
        {
          measure: "requests throttled",
          unit: "%",
          agent: (100 * throttled) / requests,
          atMost: 20,
        },
        { measure: "age of the state p50", unit: "s", agent: seconds(percentile(agesMs, 0.5)) },
        {
          measure: "age of the state p99",
          unit: "s",
          agent: seconds(percentile(agesMs, 0.99)),
          atMost: seconds(4 * turnMs),
        },
        {
          measure: "start to first state p50",
          unit: "s",
          agent: seconds(percentile(firstMs, 0.5)),
        },
        {
          measure: "start to first state p99",
          unit: "s",
          agent: seconds(percentile(firstMs, 0.99)),
        },
      ],
    });
  }
  return scenarios;
}
