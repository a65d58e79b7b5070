import fc from "fast-check";
import { scenario } from "./scenario.ts";
import { run } from "./world.ts";
const n = Number(process.argv[2]); const seed = Number(process.argv[3] ?? 1);
let i = 0; const t0 = performance.now();
for (const one of fc.sample(scenario, { seed, numRuns: n })) {
  const t = performance.now(); if (process.env.V) console.error("run", i);
  const { violations } = await run(one);
  const ms = performance.now() - t;
  if (violations.length || ms > 3000) console.log(i, ms.toFixed(0), violations.slice(0, 3));
  if (violations.length && process.argv[4]) { const r = await run(one, true); console.log(JSON.stringify(one)); console.log(r.story.join("\n")); break; }
  i++;
}
console.log(n, "runs", ((performance.now() - t0) / 1000).toFixed(1), "s");
