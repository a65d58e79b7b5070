import { VARIABLE_NAMES, type Variables, variableOf } from "../../lib/cloud/variables.ts";
import { quote } from "../../lib/kit/quote.ts";
import type { Words } from "../cli/help.ts";

/** What this mode can be asked to do; the first is done when nothing is asked. */
export const acts = ["plan", "apply", "destroy", "info", "templates", "drain", "cleanup"] as const;
export type Act = (typeof acts)[number];

export const clusterWords: Words = {
  takes: "[plan|apply|destroy|info|templates|drain <service>|cleanup] [NAME=value...]",
  help: "what to do, plan when nothing is said; and the original's make variables, as behind make",
  check: (words) => askedBy(words).problems,
};

/** What the words ask for. */
export interface Asked {
  /** Undefined where a flag may have taken the word for its value. */
  readonly act: Act | undefined;
  readonly service: string | undefined;
  readonly variables: Variables;
}

/** The words of the command line, and what is wrong with them. */
export function askedBy(
  words: readonly string[],
): Asked & { readonly problems: readonly string[] } {
  const variables: Partial<Record<keyof Variables, string>> = {};
  const problems: string[] = [];
  const plain: string[] = [];
  for (const word of words) {
    const variable = variableOf(word);
    if (variable !== undefined) variables[variable.name] = variable.value;
    else if (/^[A-Za-z_]+=/.test(word)) {
      problems.push(`expected a variable of ${VARIABLE_NAMES.join(", ")}, got ${quote(word)}`);
    } else plain.push(word);
  }
  const { CONFIRM: confirm } = variables;
  if (confirm !== undefined && confirmation(confirm) === undefined) {
    problems.push(`CONFIRM: expected true or yes, got ${quote(confirm)}`);
  }
  const [first, ...rest] = plain;
  const act = acts.find((one) => one === first);
  // What a flag took for its value was the act; then a service may stand alone.
  const service = act === undefined ? first : rest[0];
  const more = act === undefined ? rest : rest.slice(1);
  const isService = act === "drain";
  if (first !== undefined && act === undefined) {
    problems.push(`expected ${acts.join(", ")}, got ${quote(first)}`);
  } else if (more.length > 0 || (service !== undefined && !isService)) {
    problems.push(`expected nothing after ${act}, got ${quote(rest.join(" "))}`);
  } else if (isService && service === undefined) {
    problems.push("expected the name of a service after drain");
  }
  return { act, service, variables, problems };
}

/** What CONFIRM may be; undefined for anything else. */
export function confirmation(given: string): boolean | undefined {
  if (/^(?:true|yes|1|)$/i.test(given)) return true;
  return /^(?:false|no|0)$/i.test(given) ? false : undefined;
}
