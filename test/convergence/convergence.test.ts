import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { type Scenario, scenario } from "./scenario.ts";
import { table } from "./tally.ts";
import { run } from "./world.ts";

const {
  CONVERGE_RUNS = "2000",
  CONVERGE_SEED = "20261120",
  CONVERGE_PATH,
  CONVERGE_SHRINK = "on",
} = process.env;
const LIMIT_MS = 3_600_000;

const say = (...lines: readonly string[]): void =>
  void process.stdout.write(`${lines.join("\n")}\n`);

test(
  "whatever fails, the zone ends right",
  async () => {
    const held = new Map<string, number>();
    let runs = 0;
    let hasFailed = false;
    const property = fc.asyncProperty(scenario, async (one) => {
      const outcome = await run(one);
      if (!hasFailed) {
        runs += 1;
        for (const kind of outcome.held) held.set(kind, (held.get(kind) ?? 0) + 1);
      }
      hasFailed ||= outcome.violations.length > 0;
      if (outcome.violations.length > 0) throw new Error(outcome.violations.join("\n"));
    });
    const before = process.cpuUsage();
    const result = await fc.check(property, {
      numRuns: Number(CONVERGE_RUNS),
      // A gate asks the same each time; the nights ask for others.
      ...(CONVERGE_SEED !== "any" && { seed: Number(CONVERGE_SEED) }),
      ...(CONVERGE_PATH !== undefined && { path: CONVERGE_PATH }),
      endOnFailure: CONVERGE_SHRINK === "off",
    });
    const { user, system } = process.cpuUsage(before);
    const seconds = ((user + system) / 1e6).toFixed(1);
    say(table(runs, held), `  in ${seconds} s of processor time, with seed ${result.seed}`);
    if (!result.failed) return;

    const [least]: readonly (Scenario | undefined)[] = result.counterexample ?? [];
    if (least === undefined) throw new Error(fc.defaultReportMessage(result));
    const { violations, story } = await run(least, true);
    say(
      JSON.stringify(least, undefined, 2),
      ...story,
      ...violations,
      `again: CONVERGE_SEED=${result.seed} CONVERGE_PATH=${result.counterexamplePath} npm run converge`,
    );
    expect(violations).toEqual([]);
  },
  LIMIT_MS,
);

test("the same scenario is the same run", async () => {
  const some = fc.sample(scenario, { seed: 1, numRuns: 20 });
  for (const one of some) {
    const first = await run(one, true);
    const second = await run(one, true);
    expect(second).toEqual(first);
  }
});
