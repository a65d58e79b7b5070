import type { Metric } from "../../agent/page/metrics.ts";

/** Metrics as a markdown table, the way the documents show them. */
export function metricTableText(metrics: Readonly<Record<string, Metric>>): string {
  const rows = Object.entries(metrics).map(([name, { kind, help, labels = [] }]) => [
    `\`${name}\``,
    kind,
    labels.map((label) => `\`${label}\``).join(", "),
    help,
  ]);
  return [["Metric", "Kind", "Labels", "Meaning"], ["---", "---", "---", "---"], ...rows]
    .map((cells) => `| ${cells.join(" | ")} |`.replaceAll("|  |", "| |"))
    .join("\n");
}

const REGION = /<!-- metrics -->\s*(?<table>(?:(?!<!--)[\s\S])*?)\s*<!-- \/metrics -->/;

/** The table between the markers of a text; undefined where they are not there. */
export const metricsIn = (text: string): string | undefined => REGION.exec(text)?.groups?.["table"];

export const withMetrics = (text: string, table: string): string =>
  text.replace(REGION, () => `<!-- metrics -->\n\n${table}\n\n<!-- /metrics -->`);
