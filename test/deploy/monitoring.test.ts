import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it, test } from "@jest/globals";
import { metricTable } from "../../agent/discover/status/metrics.ts";
import { promtool } from "../support/promtool.ts";

const path = (file: string) => fileURLToPath(new URL(`../../${file}`, import.meta.url));
const text = (file: string) => readFileSync(path(file), "utf8");

const ALERTS = "deploy/monitoring/alerts.yaml";
const DASHBOARD = "deploy/monitoring/dashboard.json";

/** As Prometheus stores them: a histogram is three series. */
const series = new Set(
  Object.entries(metricTable).flatMap(([name, { kind }]) =>
    kind === "histogram" ? ["_bucket", "_sum", "_count"].map((end) => name + end) : [name],
  ),
);

describe.each([
  [ALERTS, 5],
  [DASHBOARD, 5],
  ["deploy/monitoring/cloudwatch-agent.json", 2],
])("%s", (file, least) => {
  it("asks only for metrics that there are", () => {
    const asked = new Set(text(file).match(/\becs_discovery_\w+/g));
    expect(asked.size).toBeGreaterThan(least);
    expect([...asked].filter((name) => !series.has(name))).toEqual([]);
  });
});

test("each alert leads to a place of the runbook", () => {
  const headings = new Set(
    [...text("docs/operations.md").matchAll(/^## (.+)$/gm)].map(([, heading = ""]) =>
      heading.toLowerCase().replaceAll(" ", "-"),
    ),
  );
  const places = [...text(ALERTS).matchAll(/runbook: docs\/operations\.md#(\S+)/g)];
  expect(places.length).toBe(text(ALERTS).match(/- alert:/g)?.length);
  expect(places.map(([, place = ""]) => place).filter((place) => !headings.has(place))).toEqual([]);
});

test("Prometheus takes the alert rules, and they fire when they should", async () => {
  expect(await promtool("check", "rules", path(ALERTS))).toContain("9 rules found");
  expect(await promtool("test", "rules", path("deploy/monitoring/alerts.test.yaml"))).toContain(
    "SUCCESS",
  );
});

test("Prometheus takes the scrape configurations", async () => {
  for (const file of ["prometheus.yaml", "scrape.yaml"]) {
    const checked = await promtool(
      "check",
      "config",
      "--syntax-only",
      path(`deploy/monitoring/${file}`),
    );
    expect(checked).toContain("is valid prometheus config file syntax");
  }
});
