import { nearest } from "../../lib/kit/nearest.ts";
import { quote } from "../../lib/kit/quote.ts";
import { redact } from "../../lib/kit/redact.ts";
import { type ConfigOf, environmentNames, type Flags } from "./flag.ts";
import { type About, helpText } from "./help.ts";

export type CommandLine<F extends Flags> =
  | {
      readonly kind: "config";
      readonly config: ConfigOf<F> & { readonly words: readonly string[] };
      /** Every flag with its value as text, defaults included, for the log. */
      readonly effective: string;
    }
  | { readonly kind: "help"; readonly text: string }
  | { readonly kind: "problems"; readonly problems: readonly string[] };

/**
 * Reads a mode's flags: the command line first, then the environment, then the default; an empty variable counts as
 * none. A flag may be written with one dash or two, and with hyphens (`-hosted-zone-id Z1` is `--hostedZoneId=Z1`); what
 * follows `--` is a word. Comes back with every problem there is, not with the first.
 */
export function readFlags<F extends Flags>(
  about: About,
  flags: F,
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): CommandLine<F> {
  const { given, words, unknown, isHelp } = tokens(argv, { ...about.ignores, ...flags });
  if (isHelp) return { kind: "help", text: helpText(about, flags) };
  const problems = unknown.map((word) => unexpected(word, flags));
  for (const word of words) {
    if (about.words === undefined) problems.push(unexpected(word, flags));
    else if (about.words.choices?.includes(word) === false) {
      problems.push(`expected ${about.words.choices.join(", ")}, got ${quote(word)}`);
    }
  }
  problems.push(...(about.words?.check?.(words) ?? []));
  const config: Record<string, unknown> = { words };
  const effective: string[] = [];
  for (const [name, flag] of Object.entries(flags)) {
    const names = environmentNames(name, flag);
    const variable = names.find((one) => env[one]);
    const onLine = given.get(name);
    const text = onLine ?? (variable === undefined ? flag.byDefault : env[variable]);
    if (text === undefined) {
      if (flag.optional) continue;
      const orSet = names.length === 0 ? "" : ` (or set ${names.at(-1)})`;
      problems.push(`--${name}: expected ${flag.expected}, got nothing${orSet}`);
      continue;
    }
    const value = flag.schema.safeParse(text);
    if (value.success) {
      config[name] = value.data;
      effective.push(`--${name}=${text}`);
      continue;
    }
    const where = onLine === undefined && variable !== undefined ? variable : `--${name}`;
    problems.push(
      `${where}: expected ${flag.expected}, got ${text === "" ? "nothing" : quote(redact(text))}`,
    );
  }
  return problems.length > 0
    ? { kind: "problems", problems }
    : {
        kind: "config",
        config: config as ConfigOf<F> & { readonly words: readonly string[] },
        effective: effective.join(" "),
      };
}

interface Tokens {
  /** The text given for a flag; "" where its value is missing. */
  readonly given: ReadonlyMap<string, string>;
  readonly words: readonly string[];
  readonly unknown: readonly string[];
  readonly isHelp: boolean;
}

function tokens(argv: readonly string[], flags: Flags): Tokens {
  const byName = new Map<string, string>();
  for (const [name, { aliases = [] }] of Object.entries(flags)) {
    for (const one of [name, ...aliases]) byName.set(plain(one), name);
  }
  const given = new Map<string, string>();
  const words: string[] = [];
  const unknown: string[] = [];
  let isHelp = false;
  const rest = [...argv];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === "--") {
      words.push(...rest);
      break;
    }
    const [, key = "", value] = /^--?([^=]+)(?:=([\s\S]*))?$/.exec(word) ?? [];
    const name = byName.get(plain(key));
    const flag = name === undefined ? undefined : flags[name];
    if (!word.startsWith("-") || word === "-") words.push(word);
    else if (/^--?(?:h|help)$/.test(word) && byName.get(plain(key)) === undefined) isHelp = true;
    else if (name === undefined || flag === undefined) unknown.push(word);
    else if (flag.takes === undefined) {
      if (value === undefined) given.set(name, "true");
      else if (flag.choices?.includes(value)) given.set(name, value);
      else unknown.push(word);
    } else if (value !== undefined) given.set(name, value);
    else
      given.set(name, rest[0] === undefined || isFlag(rest[0], byName) ? "" : (rest.shift() ?? ""));
  }
  return { given, words, unknown, isHelp };
}

/** True for what begins like a flag: a value that does so is written with an equals sign. */
const isFlag = (word: string, byName: ReadonlyMap<string, string>): boolean =>
  word.startsWith("--") || (word.startsWith("-") && byName.has(plain(word.replace(/=.*$/s, ""))));

/** `--hosted-zone-id`, `HOSTED_ZONE_ID` and `hostedZoneId` are one name. */
const plain = (text: string): string => text.replace(/[-_]/g, "").toLowerCase();

function unexpected(word: string, flags: Flags): string {
  const kind = word.startsWith("-") ? "flag" : "word";
  const bare = plain(word.replace(/=.*$/s, ""));
  const exact = Object.keys(flags).find((name) => plain(name) === bare);
  const near =
    exact ?? nearest(word.replace(/^-+|=.*$/gs, ""), kind === "flag" ? Object.keys(flags) : []);
  const hint = near === undefined ? "see --help" : `did you mean --${near}?`;
  return `unknown ${kind} ${quote(word)}, ${hint}`;
}
