/** Rows as aligned text: the first column to the left, all others, being numbers, to the right; no row may be longer than the first. */
export function alignedTable(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  return rows
    .map((row) =>
      row
        .map((cell, column) => {
          const width = widths[column] ?? 0;
          return column === 0 ? cell.padEnd(width) : cell.padStart(width);
        })
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** How many times `of` is `to`, such as `12.5×`; without a number where that says nothing. */
export const ratio = (of: number, to: number): string => {
  if (of === to) return "1×";
  if (to === 0) return "-";
  const times = of / to;
  return `${times.toFixed(times < 10 ? 2 : times < 100 ? 1 : 0)}×`;
};
