import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { scenario } from "./scenario.ts";
import { table } from "./tally.ts";
import { run } from "./world.ts";

const RUNS = Number(process.env["CONVERGE_RUNS"] ?? 2_000);
const SEED = process.env["CONVERGE_SEED"];
const PATH = process.env["CONVERGE_PATH"];

test("whatever fails, the zone ends right", async () => {
  const held = new Map<string, number>();
  let runs = 0;
  let isShrinking = false;
  const started = process.cpuUsage();
  const details = await fc.check(
    fc.asyncProperty(scenario, async (one) => {
      const outcome = await run(one);
      if (!isShrinking) {
        runs += 1;
        for (const kind of outcome.held) held.set(kind, (held.get(kind) ?? 0) + 1);
      }
      isShrinking ||= outcome.violations.length > 0;
      if (outcome.violations.length > 0) throw new Error(outcome.violations.join("\n"));
    }),
    {
      numRuns: RUNS,
      ...(SEED !== undefined && { seed: Number(SEED) }),
      ...(PATH !== undefined && { path: PATH }),
    },
  );
  const { user, system } = process.cpuUsage(started);
  process.stdout.write(
    `${table(runs, held)}\n  CPU seconds ${((user + system) / 1e6).toFixed(1)}, seed ${details.seed}\n`,
  );
  if (!details.failed) return;
  const [counterexample] = details.counterexample ?? [];
  const { violations, story } =
    counterexample === undefined
      ? { violations: [fc.defaultReportMessage(details)], story: [] }
      : await run(counterexample, true);
  process.stdout.write(
    `${JSON.stringify(counterexample)}\n${story.join("\n")}\n${violations.join("\n")}\n` +
      `again: CONVERGE_SEED=${details.seed} CONVERGE_PATH=${details.counterexamplePath} npm run converge\n`,
  );
  expect(violations).toEqual([]);
}, 3_600_000);
