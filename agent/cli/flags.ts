import * as z from "zod";
import type { Flag } from "./flag.ts";

export type { ConfigOf, Flag, Flags } from "./flag.ts";
export { environmentName } from "./flag.ts";

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
