import { Command, CommanderError, Option } from "commander";
import * as z from "zod";
import { quote } from "../../lib/kit/quote.ts";
import { redact } from "../../lib/kit/redact.ts";

/** One flag of a mode: what it takes, what it is when it is not given, and what the help says. */
export interface Flag<T> {
  /** The name of its value in the help, such as `seconds`; a switch has none. */
  readonly takes?: string;
  /** For the message about a bad value: `expected <this>, got …`. */
  readonly expected: string;
  readonly help: string;
  /** Text to value; throws for a bad one. */
  readonly schema: z.ZodType<T>;
  /** As text. Without one the flag is required, or, where `optional`, undefined. */
  readonly byDefault?: string;
  readonly optional?: true;
  /** It is given on the command line only: in the environment its name has another meaning. */
  readonly noEnvironment?: true;
  /** All that it can be, where that is a short list: the shell completes it. */
  readonly choices?: readonly string[];
}

// biome-ignore lint/suspicious/noExplicitAny: a table of flags holds flags of every type.
export type Flags = Readonly<Record<string, Flag<any>>>;
export type ConfigOf<F extends Flags> = {
  readonly [Name in keyof F]: F[Name] extends Flag<infer T> ? T : never;
};

export const wholeNumber = (
  flag: Pick<Flag<number>, "takes" | "help"> & {
    readonly min: number;
    readonly max: number;
    readonly byDefault: number;
  },
): Flag<number> => ({
  takes: flag.takes ?? "number",
  help: flag.help,
  expected: `a whole number from ${flag.min} to ${flag.max}`,
  schema: z
    .string()
    .regex(/^\d{1,15}$/)
    .transform(Number)
    .pipe(z.number().min(flag.min).max(flag.max)),
  byDefault: String(flag.byDefault),
});

export const oneOf = <const T extends string>(
  choices: readonly [T, ...T[]],
  flag: Pick<Flag<T>, "help"> & { readonly byDefault: NoInfer<T> },
): Flag<T> => ({
  takes: choices.join("|"),
  help: flag.help,
  expected: `one of ${choices.join(", ")}`,
  schema: z.enum(choices) as unknown as z.ZodType<T>,
  byDefault: flag.byDefault,
  choices,
});

/** Given or not; in the environment `true` or `1`, `false` or `0`. */
export const onOff = (flag: Pick<Flag<boolean>, "help">): Flag<boolean> => ({
  help: flag.help,
  expected: "true or false",
  schema: z.enum(["true", "1", "false", "0"]).transform((text) => text === "true" || text === "1"),
  byDefault: "false",
});

/** `hostedZoneId` is HOSTED_ZONE_ID in the environment. */
export const environmentName = (flag: string): string =>
  flag.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();

export type CommandLine<F extends Flags> =
  | { readonly kind: "config"; readonly config: ConfigOf<F> }
  | { readonly kind: "help"; readonly text: string }
  | { readonly kind: "problems"; readonly problems: readonly string[] };

/**
 * Reads a mode's flags: the command line first, then the environment, then the default; an empty variable counts as
 * none. Comes back with every problem there is, not with the first.
 */
export function readFlags<F extends Flags>(
  about: {
    readonly usage: string;
    readonly summary: string;
    readonly epilogue?: string;
    /** Another mode's flags, which may stand on the command line and mean nothing here. */
    readonly ignores?: Flags;
  },
  flags: F,
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): CommandLine<F> {
  const command = commandOf(about, flags);
  try {
    command.parse([...argv], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.code === "commander.helpDisplayed") {
      return { kind: "help", text: command.helpInformation() + (about.epilogue ?? "") };
    }
    return { kind: "problems", problems: [error.message] };
  }
  const problems = command.args.map((word) => unexpected(word, flags));
  const given = command.opts<Record<string, string | true>>();
  const config: Record<string, unknown> = {};
  for (const [name, flag] of Object.entries(flags)) {
    const where = Object.hasOwn(given, name) ? `--${name}` : environmentName(name);
    const inEnvironment = flag.noEnvironment ? undefined : env[environmentName(name)];
    const text = textOf(given[name], inEnvironment, flag);
    if (text === undefined) {
      if (flag.optional) continue;
      problems.push(
        `--${name}: expected ${flag.expected}, got nothing (or set ${environmentName(name)})`,
      );
      continue;
    }
    const value = flag.schema.safeParse(text);
    if (value.success) config[name] = value.data;
    else
      problems.push(
        `${where}: expected ${flag.expected}, got ${text === "" ? "nothing" : quote(redact(text))}`,
      );
  }
  return problems.length > 0
    ? { kind: "problems", problems }
    : { kind: "config", config: config as ConfigOf<F> };
}

function textOf(
  given: string | true | undefined,
  inEnvironment: string | undefined,
  flag: Flag<unknown>,
): string | undefined {
  if (given === true) return flag.takes === undefined ? "true" : "";
  return given ?? (inEnvironment || flag.byDefault);
}

function commandOf(
  { usage, summary, ignores = {} }: { usage: string; summary: string; ignores?: Flags },
  flags: Flags,
): Command {
  const command = new Command()
    .name("ecs-discovery-agent")
    .usage(usage)
    .description(summary)
    .helpOption("--help", "show this help")
    .allowUnknownOption()
    .allowExcessArguments()
    .exitOverride()
    // What there is to say comes back as a value; the caller prints it.
    .configureOutput({ writeOut: () => {}, writeErr: () => {} })
    .configureHelp({
      // A value is read as optional, so that a missing one is one problem among all others; the help says it as it is.
      optionTerm: ({ flags: term }) => term.replace(/\[(.*)\]/, "<$1>"),
    });
  for (const [name, flag] of Object.entries({ ...ignores, ...flags })) {
    const term = flag.takes === undefined ? `--${name}` : `--${name} [${flag.takes}]`;
    const option = new Option(term, describe(name, flag));
    command.addOption(option.hideHelp(!Object.hasOwn(flags, name)));
  }
  return command.addOption(new Option("--version", "show the version"));
}

function describe(name: string, flag: Flag<unknown>): string {
  const requirement = flag.optional
    ? ""
    : flag.byDefault === undefined
      ? ", required"
      : flag.takes === undefined
        ? ""
        : `, default ${flag.byDefault}`;
  if (flag.noEnvironment) return flag.help + (requirement && ` (${requirement.slice(2)})`);
  return `${flag.help} (${environmentName(name)}${requirement})`;
}

function unexpected(word: string, flags: Flags): string {
  const plain = (text: string) => text.replace(/=.*$/s, "").replace(/[-_]/g, "").toLowerCase();
  const near = Object.keys(flags).find((name) => plain(name) === plain(word));
  const kind = word.startsWith("-") ? "flag" : "word";
  const hint = near === undefined ? "see --help" : `did you mean --${near}?`;
  return `unknown ${kind} ${quote(word)}, ${hint}`;
}
