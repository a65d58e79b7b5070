import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { type Scenario, scenario } from "./fleet/scenario.ts";
import { run } from "./fleet/world.ts";
import { table } from "./tally.ts";

const {
  CONVERGE_FLEET_RUNS = "120",
  CONVERGE_SEED = "20261120",
  CONVERGE_PATH,
  CONVERGE_SHRINK = "on",
} = process.env;
const LIMIT_MS = 3_600_000;

const say = (...lines: readonly string[]): void =>
  void process.stdout.write(`${lines.join("\n")}\n`);

test(
  "whatever fails, the zone of a fleet ends right",
  async () => {
    const held = new Map<string, number>();
    let runs = 0;
    const property = fc.asyncProperty(scenario, async (one) => {
      const outcome = await run(one);
      runs += 1;
      for (const kind of outcome.held) held.set(kind, (held.get(kind) ?? 0) + 1);
      if (outcome.violations.length > 0) throw new Error(outcome.violations.join("\n"));
    });
    const result = await fc.check(property, {
      numRuns: Number(CONVERGE_FLEET_RUNS),
      ...(CONVERGE_SEED !== "any" && { seed: Number(CONVERGE_SEED) }),
      ...(CONVERGE_PATH !== undefined && { path: CONVERGE_PATH }),
      endOnFailure: CONVERGE_SHRINK === "off",
    });
    say(table(runs, held));
    if (!result.failed) return;
    const [least]: readonly (Scenario | undefined)[] = result.counterexample ?? [];
    if (least === undefined) throw new Error(fc.defaultReportMessage(result));
    const { violations, story } = await run(least, true);
    say(
      JSON.stringify(least, undefined, 2),
      ...story,
      ...violations,
      `again: CONVERGE_SEED=${result.seed} CONVERGE_PATH=${result.counterexamplePath}`,
    );
    expect(violations).toEqual([]);
  },
  LIMIT_MS,
);

test("the same scenario of a fleet is the same run", async () => {
  for (const one of fc.sample(scenario, { seed: 1, numRuns: 5 })) {
    expect(await run(one, true)).toEqual(await run(one, true));
  }
});
