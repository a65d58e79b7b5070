import { environmentName, environmentNames, type Flag, type Flags } from "./flag.ts";

/** What the help says of a mode beside its flags. */
export interface About {
  readonly usage: string;
  readonly summary: string;
  /** Commands that work as they stand, each with what it does. */
  readonly examples?: readonly (readonly [command: string, what: string])[];
  /** Where to read on. */
  readonly more?: string;
  /** Another mode's flags, which may stand on the command line and mean nothing here. */
  readonly ignores?: Flags;
  /** Words that may stand among the flags; without it each is a problem. */
  readonly words?: Words;
}

export interface Words {
  /** As the usage shows them, such as `<file>...`. */
  readonly takes: string;
  readonly help: string;
  /** All that such a word can be, where that is a short list. */
  readonly choices?: readonly string[];
  /** What is wrong with the words as a whole, each as a sentence. */
  readonly check?: (words: readonly string[]) => readonly string[];
}

const WIDTH = 80;
const INDENT = 26;
/** The heading of the flags that every mode takes. */
export const COMMON = "Common to all modes";

/** The help of a mode, at most 80 columns wide. */
export function helpText(about: About, flags: Flags): string {
  const groups = Map.groupBy(Object.entries(flags), ([, { group = "Flags" }]) => group);
  const common = groups.get(COMMON) ?? [];
  groups.delete(COMMON);
  const sections = [...groups, [COMMON, common] as const].map(
    ([title, entries]) =>
      `${title}\n${entries.map(([name, flag]) => row(termOf(name, flag), describe(name, flag))).join("")}`,
  );
  const examples = (about.examples ?? []).map(
    ([command, what]) => `  # ${what}\n  ecs-discovery-agent ${command}\n`,
  );
  return [
    `${wrapped(about.summary, 0)}\n`,
    `Usage: ecs-discovery-agent ${about.usage}\n`,
    ...(about.words ? [row(about.words.takes, about.words.help)] : []),
    ...(examples.length > 0 ? [`Examples\n${examples.join("")}`] : []),
    ...sections.filter((section) => section.includes("--")),
    row("--help, -h", "show this help") + row("--version", "show the version"),
    `${wrapped(`Each flag may come from the environment instead: --stateDir, say, from ${environmentName("stateDir")}. The command line wins.`, 0)}\n`,
    ...(about.more ? [`More: ${about.more}\n`] : []),
  ].join("\n");
}

const termOf = (name: string, { takes }: Flag<unknown>): string =>
  takes === undefined ? `--${name}` : `--${name} <${takes}>`;

/** A term and what it means beside it, or below it where the term is long. */
function row(term: string, meaning: string): string {
  const isLong = term.length > INDENT - 4;
  const first = `  ${term}`;
  const lines = wrapped(meaning, INDENT);
  return isLong ? `${first}\n${" ".repeat(INDENT)}${lines}\n` : `${first.padEnd(INDENT)}${lines}\n`;
}

/** The text in lines that end before the 80th column, all but the first indented. */
export function wrapped(text: string, indent: number): string {
  const lines: string[] = [""];
  for (const word of text.split(" ")) {
    const line = lines.at(-1) ?? "";
    if (line !== "" && indent + line.length + 1 + word.length > WIDTH) lines.push(word);
    else lines[lines.length - 1] = line === "" ? word : `${line} ${word}`;
  }
  return lines.join(`\n${" ".repeat(indent)}`);
}

/** What a flag means, what it is without being given, and the plain variables that it hears. */
function describe(name: string, flag: Flag<unknown>): string {
  const notes = [
    ...(flag.optional || flag.byDefault !== undefined ? [] : ["required"]),
    ...(flag.byDefault !== undefined && flag.takes !== undefined
      ? [`default ${flag.byDefault}`]
      : []),
    ...environmentNames(name, flag)
      .slice(1)
      .map((variable) => `or ${variable}`),
    ...(flag.noEnvironment ? ["not from the environment"] : []),
  ];
  return flag.help + (notes.length > 0 ? ` (${notes.join(", ")})` : "");
}
