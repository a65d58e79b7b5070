import type { Scenario } from "../results.ts";
import { FLEET } from "../virtual/fleet.ts";
import { runUpdate, UPDATE } from "../virtual/update.ts";

/** All agents of a fleet are replaced at once: what their starts cost the account that they share. */
export async function update(seed: number): Promise<readonly Scenario[]> {
  const scenarios: Scenario[] = [];
  for (const hosts of [100, UPDATE.hosts]) {
    const run = await runUpdate({ seed, hosts });
    scenarios.push({
      title: `j. ${hosts} agents replaced within ${UPDATE.overMs / 1_000} s, each with its journal (virtual time, seed ${seed})`,
      beside: "nothing",
      rows: [
        {
          measure: "requests",
          unit: "",
          agent: run.requests,
          plotted: true,
          atMost: 3 * hosts,
        },
        { measure: "  throttled", unit: "%", agent: (100 * run.throttled) / run.requests },
        { measure: "starts that gave up", unit: "", agent: run.gaveUp, atMost: 0 },
        { measure: "every start answered after", unit: "s", agent: run.startedMs / 1_000 },
        { measure: "changes that never landed", unit: "", agent: run.missing, atMost: 0 },
        { measure: "all changes landed after", unit: "s", agent: run.landedMs / 1_000 },
      ],
      notes: [
        `one host in ${UPDATE.changedEvery} has a record to remove; ${FLEET.rate.perSecond} requests a second, burst ${FLEET.rate.burst}, --patience=${UPDATE.patienceMs / 1_000}`,
      ],
    });
  }
  return scenarios;
}
