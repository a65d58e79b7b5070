/** A piece of a JSON text that knows its line. */
export type JsonNode =
  | {
      readonly kind: "object";
      readonly line: number;
      readonly members: readonly {
        readonly name: string;
        readonly line: number;
        readonly node: JsonNode;
      }[];
    }
  | { readonly kind: "array"; readonly line: number; readonly items: readonly JsonNode[] }
  | {
      readonly kind: "plain";
      readonly line: number;
      readonly value: string | number | boolean | null;
    };

export type JsonObject = Readonly<Record<string, unknown>>;

/** The value without its lines. `__proto__` is a name as any other. */
export function plainOf(node: JsonNode): unknown {
  if (node.kind === "plain") return node.value;
  if (node.kind === "array") return node.items.map(plainOf);
  return Object.fromEntries(node.members.map(({ name, node: of }) => [name, plainOf(of)]));
}

/** A member of an object, by its name. */
export const memberOf = (node: JsonNode | undefined, name: string): JsonNode | undefined =>
  node?.kind === "object" ? node.members.find((one) => one.name === name)?.node : undefined;

/** The items of a list; none for anything else. */
export const itemsOf = (node: JsonNode | undefined): readonly JsonNode[] =>
  node?.kind === "array" ? node.items : [];

/** A text; undefined for anything else, and for an empty one. */
export const textOf = (node: JsonNode | undefined): string | undefined =>
  node?.kind === "plain" && typeof node.value === "string" && node.value !== ""
    ? node.value
    : undefined;
