import * as z from "zod";

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
  /** It is given on the command line only. */
  readonly noEnvironment?: true;
  /** Plain names of variables beside the prefixed one, for what can't be set by accident. */
  readonly environment?: readonly string[];
  /** Other names on the command line, such as an older program's. */
  readonly aliases?: readonly string[];
  /** The heading under which the help lists it. */
  readonly group?: string;
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

/** `hostedZoneId` is ECS_DISCOVERY_HOSTED_ZONE_ID in the environment. */
export const environmentName = (flag: string): string =>
  `ECS_DISCOVERY_${flag.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;

/** All variables that a flag hears, the first that is set counts. */
export const environmentNames = (name: string, flag: Flag<unknown>): readonly string[] =>
  flag.noEnvironment ? [] : [environmentName(name), ...(flag.environment ?? [])];
