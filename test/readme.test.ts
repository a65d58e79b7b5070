import { readFileSync, writeFileSync } from "node:fs";
import { expect, it, test } from "@jest/globals";
import { onOff, wholeNumber } from "../agent/cli/flags.ts";
import { flags as cluster } from "../agent/cluster/config.ts";
import { flags as deregister } from "../agent/deregister/config.ts";
import { flags as discover } from "../agent/discover/config.ts";
import { metricTable } from "../agent/discover/status/metrics.ts";
import { flags as doctor } from "../agent/doctor/config.ts";
import { flags as login } from "../agent/login/config.ts";
import { flags as plan } from "../agent/plan/config.ts";
import { flags as proxy } from "../agent/proxy/config.ts";
import { flags as sandbox } from "../agent/sandbox/config.ts";
import { flags as status } from "../agent/status/config.ts";
import { flags as sweep } from "../agent/sweep/config.ts";
import { flagTable, framed, tableIn, withTable } from "./support/flag-table.ts";
import { metricsIn, metricTableText, withMetrics } from "./support/metric-table.ts";

const DISCOVER = "docs/discover.md";
const COMMANDS = "docs/commands.md";
const at = (file: string) => new URL(`../${file}`, import.meta.url);
const read = (file: string): string => readFileSync(at(file), "utf8");
const update = (file: string, change: (text: string) => string): void => {
  if (process.env["UPDATE_README"] === "1") writeFileSync(at(file), change(read(file)));
};

test.each([
  ["discover", discover, DISCOVER],
  ["plan", plan, COMMANDS],
  ["doctor", doctor, COMMANDS],
  ["status", status, COMMANDS],
  ["deregister", deregister, COMMANDS],
  ["sweep", sweep, COMMANDS],
  ["sandbox", sandbox, COMMANDS],
  ["proxy", proxy, "agent/proxy/README.md"],
  ["cluster", cluster, "agent/cluster/README.md"],
  ["login", login, "agent/login/README.md"],
])(
  "every flag of %s is shown as the schema has it (UPDATE_README=1 writes it)",
  (mode, flags, file) => {
    const table = flagTable(flags);
    update(file, (text) => withTable(text, mode, table));
    expect(tableIn(read(file), mode)).toBe(table);
  },
);

test("every metric is shown as it is declared (UPDATE_README=1 writes it)", () => {
  const table = metricTableText(metricTable);
  update(DISCOVER, (text) => withMetrics(text, table));
  expect(metricsIn(read(DISCOVER))).toBe(table);
});

test("a metric's name says what it is: counters are totals, and units are base units", () => {
  for (const [name, { kind, help }] of Object.entries(metricTable)) {
    expect(name).toMatch(/^ecs_discovery_[a-z0-9_]+$/);
    expect([name, name.endsWith("_total")]).toEqual([name, kind === "counter"]);
    expect(name).not.toMatch(/_(?:ms|milliseconds|minutes|kb|mb)(?:_|$)/);
    expect(help).not.toBe("");
  }
});

const table = flagTable({
  drainTimeout: wholeNumber({ takes: "a|b", min: 0, max: 9, byDefault: 3, help: "how long" }),
  dryRun: onOff({ help: "change nothing" }),
});

it("a table has a row for each flag, and a bar in a cell does not end the cell", () => {
  expect(table.split("\n")).toEqual([
    "| Flag | Environment | Default | Meaning |",
    "| --- | --- | --- | --- |",
    "| `--drainTimeout <a\\|b>` | `ECS_DISCOVERY_DRAIN_TIMEOUT` | `3` | how long |",
    "| `--dryRun` | `ECS_DISCOVERY_DRY_RUN` | off | change nothing |",
  ]);
});

it("a table goes between its own markers, and nothing else changes", () => {
  const text = `a\n${framed("one", "old")}\nb\n${framed("two", "$& kept")}\nc`;
  const updated = withTable(text, "one", table);
  expect(tableIn(updated, "one")).toBe(table);
  expect(tableIn(updated, "two")).toBe("$& kept");
  expect(withTable(updated, "one", "old")).toBe(text);
});

it("a text without the markers has no table", () => {
  expect(tableIn("# Title", "one")).toBeUndefined();
});
