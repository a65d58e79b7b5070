import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { plot } from "./plot.ts";
import { resultTable, type Scenario } from "./results.ts";
import { ambassador } from "./scenarios/ambassador.ts";
import { ambassadorFaults } from "./scenarios/ambassador-faults.ts";
import { ambassadorFleet } from "./scenarios/ambassador-fleet.ts";
import { burst } from "./scenarios/burst.ts";
import { churn } from "./scenarios/churn.ts";
import { fleet } from "./scenarios/fleet.ts";
import { footprint } from "./scenarios/footprint.ts";
import { killed } from "./scenarios/killed.ts";
import { lone } from "./scenarios/lone.ts";
import { poison } from "./scenarios/poison.ts";
import { proxyServing } from "./scenarios/proxy.ts";
import { proxyChurn } from "./scenarios/proxy-churn.ts";
import { restart } from "./scenarios/restart.ts";
import { status } from "./scenarios/status.ts";
import { update } from "./scenarios/update.ts";

/** Measures the agent, and beside it the baseline, against the same stand-ins; prints one table. */
const { values } = parseArgs({
  options: {
    /** Letters, or names, of the scenarios to run. */
    only: { type: "string", default: "a,b,c,d,e,f,g,h,i,j" },
    /** A file for the results as JSON. */
    out: { type: "string" },
    /** A file for the plot. */
    svg: { type: "string" },
    /** Of everything that is left to chance in virtual time. */
    seed: { type: "string", default: "1" },
    /** Hosts of the fleets. */
    hosts: { type: "string", default: "10,100,1000" },
  },
});
const seed = Number(values.seed);
const all: Readonly<Record<string, () => Promise<readonly Scenario[]>>> = {
  a: lone,
  b: burst,
  c: churn,
  d: () => restart(seed),
  e: () => poison(seed),
  f: () => fleet(seed, values.hosts.split(",").map(Number)),
  g: footprint,
  h: status,
  i: killed,
  j: () => update(seed),
  ambassador,
  ambassadorFaults,
  ambassadorFleet: () => ambassadorFleet(seed, values.hosts.split(",").map(Number)),
  proxy: proxyServing,
  proxyChurn,
};

const scenarios: Scenario[] = [];
for (const letter of values.only.split(",")) {
  const run = all[letter];
  if (run === undefined) {
    throw new Error(`--only: expected some of ${Object.keys(all).join(",")}, got ${letter}`);
  }
  const startedMs = performance.now();
  scenarios.push(...(await run()));
  process.stderr.write(`${letter}: ${((performance.now() - startedMs) / 1000).toFixed(0)} s\n`);
}
process.stdout.write(`${resultTable(scenarios)}\n`);
if (values.out !== undefined) {
  writeFileSync(
    values.out,
    `${JSON.stringify({ seed, node: process.versions.node, scenarios }, undefined, 2)}\n`,
  );
}
if (values.svg !== undefined) writeFileSync(values.svg, plot(scenarios));
