import { columns, line, type Piece } from "../cli/terminal.ts";
import type { Cell, ModeState } from "../page/view.ts";
import { ago, span } from "./span.ts";

/** So many of the last changes are shown; `--json` has them all. */
const CHANGES_SHOWN = 10;

/** What the page of any mode shows, for the terminal: first whether it is well, then what needs somebody. */
export function modeText(state: ModeState): readonly string[] {
  const { agent, health, ready, needsYou, figures, tables, changes } = state;
  const said = [...health.problems, ...(health.ok ? ready.problems : [])];
  const well: Piece = health.ok
    ? { text: ready.ok ? "healthy" : "healthy, still starting", style: "green" }
    : { text: "not healthy", style: "red" };
  return [
    line(well, said.length === 0 ? "" : `: ${said.join("; ")}`),
    ...columns([
      ["agent", `${agent.mode} ${agent.version}, for ${span(agent.now - agent.startedAt)}`],
      ...figures.map(({ label, value, detail }) => [
        label,
        detail === undefined ? `${value}` : `${value} (${detail})`,
      ]),
    ]),
    ...section(
      "needs you",
      needsYou.map(({ what, why, next }) => [
        { text: what, style: "yellow" },
        `: ${why}${next === undefined ? "" : `; ${next}`}`,
      ]),
      (rows) => rows.map((row) => line(...row)),
    ),
    ...tables.flatMap(({ title, columns: heads, rows, empty }) =>
      rows.length === 0
        ? ["", line({ text: title, style: "bold" }), line(empty)]
        : section(title, [heads, ...rows.map((row) => row.map(pieceOf))], columns),
    ),
    ...section(
      "last changes",
      changes.slice(0, CHANGES_SHOWN).map(({ at, text }) => [ago(at, agent.now), text]),
      columns,
    ),
  ];
}

const section = (
  title: string,
  rows: readonly (readonly Piece[])[],
  shown: (rows: readonly (readonly Piece[])[]) => readonly string[],
): readonly string[] =>
  rows.length === 0 ? [] : ["", line({ text: title, style: "bold" }), ...shown(rows)];

const STYLES = { good: "green", wait: "yellow", bad: "red", none: "dim" } as const;

const pieceOf = (cell: Cell): Piece =>
  typeof cell === "object" ? { text: cell.text, style: STYLES[cell.mark] } : `${cell}`;
