import type { StackFile, Template } from "../../lib/cloud/stack.ts";
import templates from "./templates.json" with { type: "json" };

/** A template as JSON holds it: of each map its entries. */
interface Embedded {
  readonly text: string;
  readonly exports: boolean;
  readonly imports: boolean;
  readonly parameters: readonly (readonly [
    string,
    { readonly type: string; readonly hidden: boolean; readonly byDefault?: string },
  ])[];
  readonly outputs: readonly (readonly [string, string])[];
  readonly resources: readonly (readonly [string, string])[];
  readonly retained: readonly string[];
}

const templateOf = (one: Embedded): Template => ({
  ...{ text: one.text, exports: one.exports, imports: one.imports },
  parameters: new Map(one.parameters),
  outputs: new Map(one.outputs),
  resources: new Map(one.resources),
  retained: new Set(one.retained),
});

/**
 * The stacks of a folder that has no templates of its own: those of deploy/cluster, as `node deploy/cluster/embed.ts` has
 * put them into this program.
 */
export const builtInStacks = (prefix: string): readonly StackFile[] =>
  Object.entries(templates as unknown as Readonly<Record<string, Embedded>>).map(([base, one]) => ({
    ...{ base, name: `${prefix}-${base}`, file: `${base} (built in)`, template: templateOf(one) },
  }));
