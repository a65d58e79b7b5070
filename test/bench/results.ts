import { alignedTable, ratio } from "./table.ts";

/** What was measured once for the agent and, where there is one, for what stands beside it. */
export interface Row {
  readonly measure: string;
  readonly unit: Unit;
  readonly agent: number;
  readonly other?: number;
  /** What the agent's value must not exceed. */
  readonly atMost?: number;
  /** Belongs into the plot. */
  readonly plotted?: boolean;
}

type Unit = "ms" | "s" | "MB" | "%" | "×" | "";

export interface Scenario {
  readonly title: string;
  /** What stands beside the agent. */
  readonly beside: "baseline" | "bare node:http" | "each host itself" | "without it" | "nothing";
  readonly rows: readonly Row[];
  /** What a reader must know to judge the rows. */
  readonly notes?: readonly string[];
}

export function shown(value: number | undefined, unit: Unit): string {
  if (value === undefined) return "";
  const digits = Number.isInteger(value) && unit === "" ? 0 : value < 10 ? 2 : value < 100 ? 1 : 0;
  return `${value.toFixed(digits)} ${unit}`.trimEnd();
}

export const holds = ({ agent, atMost }: Row): boolean | undefined =>
  atMost === undefined ? undefined : agent <= atMost;

const RATIO = {
  baseline: "baseline/agent",
  "bare node:http": "agent/bare",
  "each host itself": "itself/agent",
  "without it": "with/without",
};

/** All scenarios as one aligned table. */
export function resultTable(scenarios: readonly Scenario[]): string {
  const sections = scenarios.map(({ title, beside, rows, notes = [] }) => ({
    title,
    notes,
    cells: [
      ["", "agent", ...(beside === "nothing" ? ["", ""] : [beside, RATIO[beside]]), "target", ""],
      ...rows.map((row) => [
        `  ${row.measure}`,
        shown(row.agent, row.unit),
        shown(row.other, row.unit),
        row.other === undefined
          ? ""
          : beside === "baseline" || beside === "each host itself"
            ? ratio(row.other, row.agent)
            : ratio(row.agent, row.other),
        row.atMost === undefined ? "" : `<= ${shown(row.atMost, row.unit)}`,
        { true: "holds", false: "MISSED", undefined: "" }[`${holds(row)}`] ?? "",
      ]),
    ],
  }));
  const lines = alignedTable(sections.flatMap(({ cells }) => cells)).split("\n");
  return sections
    .map(({ title, notes, cells }) =>
      [title, ...lines.splice(0, cells.length), ...notes.map((note) => `  (${note})`)].join("\n"),
    )
    .join("\n\n");
}
