import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { runScenarios, type Scenario } from "./scenarios.ts";
import { alignedTable, ratio } from "./table.ts";
import { ROUTE53_LATENCY_MS, ROUTE53_RATE, world } from "./world.ts";
import { startWriter } from "./writers.ts";

/** Measures the agent and the baseline, one after the other, against the same stand-ins; prints one table. */
const { out } = parseArgs({ options: { out: { type: "string" } } }).values;

await using stage = await world();
const run = async (kind: "agent" | "baseline"): Promise<readonly Scenario[]> => {
  await using writer = startWriter(kind, stage);
  return await runScenarios(stage, writer);
};
const agent = await run("agent");
const baseline = await run("baseline");

const shown = (measure: string, value: number): string =>
  measure.endsWith(" ms") ? `${Math.round(value)} ms` : String(value);
const rows = agent.flatMap(({ title, results }, index) => [
  [],
  [title],
  ...Object.entries(results).map(([measure, value]) => {
    const other = baseline[index]?.results[measure] ?? Number.NaN;
    return [
      `  ${measure.replace(/ ms$/, "")}`,
      shown(measure, value),
      shown(measure, other),
      ratio(other, value),
    ];
  }),
]);
process.stdout.write(
  `Event to accepted change; Route 53 stand-in: ${ROUTE53_LATENCY_MS} ms latency, ${ROUTE53_RATE.perSecond} requests a second, burst ${ROUTE53_RATE.burst}.\n\n` +
    `${alignedTable([["", "agent", "baseline", "baseline/agent"], ...rows])}\n`,
);
if (out !== undefined) writeFileSync(out, `${JSON.stringify({ agent, baseline }, undefined, 2)}\n`);
