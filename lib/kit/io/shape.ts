import type * as z from "zod";

/** What is wrong with an answer's shape, in one line: where, and what was expected. */
export const shapeProblem = (error: z.ZodError): string =>
  error.issues
    .map(({ path, message }) => `${path.map(String).join(".") || "the whole"}: ${message}`)
    .join("; ");
