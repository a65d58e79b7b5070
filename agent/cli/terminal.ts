import { styleText } from "node:util";
import { escapeText } from "../process/escape.ts";

type Style = Parameters<typeof styleText>[0];

/** A piece of a line, which may come from outside: it is made harmless before it is painted. */
export type Piece = string | { readonly text: string; readonly style: Style };

/** A line for the terminal; without colours where NO_COLOR is set or standard output is no terminal. */
export const line = (...pieces: readonly Piece[]): string =>
  pieces
    .map((piece) =>
      typeof piece === "string"
        ? escapeText(piece)
        : styleText(piece.style, escapeText(piece.text), { stream: process.stdout }),
    )
    .join("");

/** Rows in columns, two spaces apart; the last cell of a row is as long as it likes. */
export function columns(rows: readonly (readonly Piece[])[]): readonly string[] {
  const textOf = (piece: Piece = "") => escapeText(typeof piece === "string" ? piece : piece.text);
  const widths: number[] = [];
  for (const row of rows) {
    for (const [at, piece] of row.slice(0, -1).entries()) {
      widths[at] = Math.max(widths[at] ?? 0, textOf(piece).length);
    }
  }
  return rows.map((row) =>
    row
      .map((piece, at) => {
        const isLast = at === row.length - 1;
        return line(piece) + (isLast ? "" : " ".repeat((widths[at] ?? 0) - textOf(piece).length));
      })
      .join("  ")
      .trimEnd(),
  );
}

/** Writes the answer of a command to standard output. A reader that has gone (`| head`) wants no more of it. */
export function print(lines: readonly string[]): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const done = (error?: Error | null) => {
    process.stdout.off("error", done);
    if (error && (error as NodeJS.ErrnoException).code !== "EPIPE") reject(error);
    else resolve();
  };
  process.stdout.once("error", done);
  process.stdout.write(lines.map((one) => `${one}\n`).join(""), done);
  return promise;
}

/** The same for machines: one line, as in the log. */
export const printJson = (answer: unknown): Promise<void> => print([JSON.stringify(answer)]);
