import type { Scenario } from "../results.ts";
import { BATCH, poisoned } from "../virtual/poison.ts";

/** A record that Route 53 won't have, among many that are fine. */
export async function poison(seed: number): Promise<readonly Scenario[]> {
  const named = await poisoned({ seed });
  const unnamed = await poisoned({ seed, words: "[The request is not valid]" });
  const rows = (
    { requests, accepted, allMs }: Awaited<ReturnType<typeof poisoned>>,
    what: string,
    atMost: number,
  ) => [
    {
      measure: `requests where Route 53 names ${what}`,
      unit: "" as const,
      agent: requests,
      other: BATCH,
      atMost,
      plotted: true,
    },
    { measure: "  left out of 399", unit: "" as const, agent: BATCH - 1 - accepted, atMost: 0 },
    { measure: "  all others accepted after", unit: "ms" as const, agent: allMs },
  ];
  return [
    {
      title: `e. one bad record among ${BATCH} at a start (virtual time, seed ${seed})`,
      beside: "baseline",
      rows: [...rows(named, "it", 3), ...rows(unnamed, "none", 12)],
      notes: ["the baseline's count is not measured: it sends each record alone, at best once"],
    },
  ];
}
