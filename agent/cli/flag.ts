import type { ZodType } from "zod";

/** One flag of a mode: what it takes, what it is when it is not given, and what the help says. */
export interface Flag<T> {
  /** The name of its value in the help, such as `seconds`; a switch has none. */
  readonly takes?: string;
  /** For the message about a bad value: `expected <this>, got …`. */
  readonly expected: string;
  readonly help: string;
  /** Text to value; throws for a bad one. */
  readonly schema: ZodType<T>;
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

/** `hostedZoneId` is ECS_DISCOVERY_HOSTED_ZONE_ID in the environment. */
export const environmentName = (flag: string): string =>
  `ECS_DISCOVERY_${flag.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;

/** All variables that a flag hears, the first that is set counts. */
export const environmentNames = (name: string, flag: Flag<unknown>): readonly string[] =>
  flag.noEnvironment ? [] : [environmentName(name), ...(flag.environment ?? [])];
