import { nearest } from "../../lib/kit/nearest.ts";
import { quote } from "../../lib/kit/quote.ts";
import { DEFAULT_MODE, type Mode } from "./mode.ts";

/**
 * A command that is another one for each mode, with that mode's flags. The mode is named by `--mode`, or by the first
 * word; the default mode is meant where none is. Each of `kinds` takes the flag `mode`.
 */
export function byMode(
  name: string,
  summary: string,
  kinds: Readonly<Record<string, Mode>>,
  aliases: Readonly<Record<string, string>>,
): Mode {
  const names = Object.keys(kinds);
  return {
    name,
    aliases: [],
    summary,
    flags: async () => (await kinds[DEFAULT_MODE]?.flags()) ?? {},
    words: names,
    async read(argv, env) {
      const { asked, rest } = modeIn(argv);
      const chosen = Object.hasOwn(aliases, asked) ? (aliases[asked] ?? asked) : asked;
      const kind = Object.hasOwn(kinds, chosen) ? kinds[chosen] : undefined;
      if (kind === undefined) {
        const near = nearest(chosen, names);
        const hint = near === undefined ? "" : `, did you mean ${near}?`;
        const got = asked === "" ? "nothing" : quote(asked);
        return {
          kind: "problems",
          problems: [`--mode: expected one of ${names.join(", ")}, got ${got}${hint}`],
        };
      }
      return kind.read([`--mode=${chosen}`, ...rest], env);
    },
  };
}

/** The mode that the words name, and what remains of them. */
function modeIn(argv: readonly string[]): {
  readonly asked: string;
  readonly rest: readonly string[];
} {
  const [first] = argv;
  if (first !== undefined && !first.startsWith("-")) return { asked: first, rest: argv.slice(1) };
  const at = argv.findIndex((word) => /^--?mode(?:=|$)/i.test(word));
  const word = argv[at];
  if (word === undefined) return { asked: DEFAULT_MODE, rest: argv };
  const equals = word.indexOf("=");
  const before = argv.slice(0, at);
  return equals === -1
    ? { asked: argv[at + 1] ?? "", rest: [...before, ...argv.slice(at + 2)] }
    : { asked: word.slice(equals + 1), rest: [...before, ...argv.slice(at + 1)] };
}
