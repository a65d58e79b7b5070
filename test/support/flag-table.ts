import { environmentNames, type Flag, type Flags } from "../../agent/cli/flag.ts";

/** The flags of a mode as a markdown table, the way the documents show them. */
export function flagTable(flags: Flags): string {
  const rows = Object.entries(flags).map(([name, flag]) => [
    code(flag.takes === undefined ? `--${name}` : `--${name} <${flag.takes}>`),
    environmentNames(name, flag).map(code).join(", ") || "none",
    defaultOf(flag),
    flag.help,
  ]);
  return [["Flag", "Environment", "Default", "Meaning"], ["---", "---", "---", "---"], ...rows]
    .map((cells) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`)
    .join("\n");
}

/** The region of a text that `mode`'s table fills, or undefined where its markers are not there. */
export function tableIn(text: string, mode: string): string | undefined {
  return region(mode).exec(text)?.groups?.["table"];
}

/** The text with `table` between `mode`'s markers. */
export const withTable = (text: string, mode: string, table: string): string =>
  text.replace(region(mode), () => framed(mode, table));

/** A table with the markers and blank lines around it. */
export const framed = (mode: string, table: string): string =>
  `<!-- flags:${mode} -->\n\n${table}\n\n<!-- /flags -->`;

const region = (mode: string): RegExp =>
  new RegExp(`<!-- flags:${mode} -->\\s*(?<table>(?:(?!<!--)[\\s\\S])*?)\\s*<!-- /flags -->`);

const code = (text: string): string => `\`${text}\``;

function defaultOf(flag: Flag<unknown>): string {
  if (flag.optional) return "none";
  if (flag.byDefault === undefined) return "required";
  return flag.takes === undefined ? "off" : code(flag.byDefault);
}
