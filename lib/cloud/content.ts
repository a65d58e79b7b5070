import { createHash } from "node:crypto";

/** The same value is the same text, whatever the order of its members. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    const members = Object.entries(value)
      .filter(([, one]) => one !== undefined)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, one]) => `${JSON.stringify(name)}:${canonical(one)}`);
    return `{${members.join(",")}}`;
  }
  return JSON.stringify(value) ?? "null";
}

/** What a tag says of content: 32 hex digits that are the same for the same value. */
export const contentHash = (value: unknown): string =>
  createHash("sha256").update(canonical(value)).digest("hex").slice(0, 32);

/** One place where two values differ; a side that is undefined has nothing there. */
export interface Difference {
  readonly path: string;
  readonly before: string | undefined;
  readonly after: string | undefined;
}

const SHOWN = 120;
const show = (value: unknown): string | undefined => {
  if (value === undefined) return undefined;
  const text = canonical(value);
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
};

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** True for what an API gives back for nothing: it fills in empty lists, empty texts, zeros and falsehoods. */
const isNothing = (value: unknown): boolean =>
  value === undefined ||
  value === null ||
  value === "" ||
  value === 0 ||
  value === false ||
  (Array.isArray(value) && value.length === 0) ||
  (isObject(value) && Object.values(value).every(isNothing));

/** Items that have a name are compared with those of the same name, others by their place. */
const keyed = (items: readonly unknown[]): ReadonlyMap<string, unknown> | undefined => {
  const names = items.map((item) => (isObject(item) ? (item["name"] ?? item["key"]) : undefined));
  const all = new Map(items.map((item, at) => [String(names[at]), item]));
  return names.every((name) => typeof name === "string") && all.size === items.length
    ? all
    : undefined;
};

/**
 * Where what a file asks for differs from what an API says there is. What the API says beyond the file, with `covers`,
 * is its default and no difference.
 */
export function differences(
  live: unknown,
  asked: unknown,
  { covers, path = "" }: { readonly covers: boolean; readonly path?: string },
): readonly Difference[] {
  const below = (name: string) => (path === "" ? name : `${path}.${name}`);
  if (isObject(asked) && isObject(live)) {
    const names = new Set([...Object.keys(asked), ...(covers ? [] : Object.keys(live))]);
    return [...names].flatMap((name) =>
      differences(live[name], asked[name], { covers, path: below(name) }),
    );
  }
  if (Array.isArray(asked) && Array.isArray(live)) {
    const [before, after] = [keyed(live), keyed(asked)];
    if (before !== undefined && after !== undefined) {
      return [...new Set([...after.keys(), ...before.keys()])].flatMap((name) =>
        differences(before.get(name), after.get(name), { covers, path: `${path}[${name}]` }),
      );
    }
    const length = Math.max(live.length, asked.length);
    return Array.from({ length }, (_, at) =>
      differences(live[at], asked[at], { covers, path: `${path}[${at}]` }),
    ).flat();
  }
  if (canonical(live) === canonical(asked) || (isNothing(live) && isNothing(asked))) return [];
  return [{ path, before: show(live ?? undefined), after: show(asked) }];
}
