import * as z from "zod";
import type { Pick } from "../../kit/json-pick.ts";

export const Labels = z.record(z.string(), z.unknown()).nullish().catch(null);

const keyOf = (label: string): string => label.replace(/=.*/s, "").toLowerCase();

/** Of a container's labels the one that is asked for, and what else lies beside them. */
export const labelled = (label: string, ...others: readonly string[]): Pick => ({
  members: (key) => (others.includes(key) || key.toLowerCase() === keyOf(label) ? true : undefined),
});

export function hasLabel(labels: z.output<typeof Labels>, label: string): boolean {
  const [, value] = /=(.*)/s.exec(label) ?? [];
  return Object.entries(labels ?? {}).some(
    ([key, text]) => key.toLowerCase() === keyOf(label) && (value === undefined || text === value),
  );
}
