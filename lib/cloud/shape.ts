import { nearest } from "../kit/nearest.ts";
import { quote } from "../kit/quote.ts";
import type { JsonNode } from "./json-node.ts";

/** What an API takes: of each kind of value, what may be in it. Members are asked for when needed, as shapes may nest. */
export type Shape =
  | { readonly kind: "text" | "number" | "truth" | "anything" }
  | { readonly kind: "list" | "map"; readonly of: () => Shape }
  | {
      readonly kind: "members";
      readonly members: ReadonlyMap<string, () => Shape>;
      readonly required: readonly string[];
    };

interface LineProblem {
  readonly line: number;
  readonly text: string;
}

/**
 * What of a value the API does not take, all of it, each with its line: unknown members (the API's client would leave
 * them out without a word), values of another type, and, where `asks` says so, required members that are missing.
 */
export function misfits(node: JsonNode, shape: Shape, path = ""): readonly LineProblem[] {
  const wrong = (expected: string): readonly LineProblem[] => [
    { line: node.line, text: `${path || "the file"}: expected ${expected}, got ${shown(node)}` },
  ];
  switch (shape.kind) {
    case "anything":
      return [];
    case "text":
      return isPlain(node, "string") ? [] : wrong("a text in quotes");
    case "number":
      return isPlain(node, "number") ? [] : wrong("a number");
    case "truth":
      return isPlain(node, "boolean") ? [] : wrong("true or false");
    case "list":
      if (node.kind !== "array") return wrong("a list, [ … ]");
      return node.items.flatMap((item, index) => misfits(item, shape.of(), `${path}[${index}]`));
    case "map":
      if (node.kind !== "object") return wrong("names and values, { … }");
      return node.members.flatMap(({ name, node: value }) =>
        misfits(value, shape.of(), `${path}[${quote(name)}]`),
      );
    case "members":
      if (node.kind !== "object") return wrong("members, { … }");
      return inMembers(node, shape, path);
  }
}

function inMembers(
  node: Extract<JsonNode, { kind: "object" }>,
  { members, required }: Extract<Shape, { kind: "members" }>,
  path: string,
): readonly LineProblem[] {
  const below = (name: string) => (path === "" ? name : `${path}.${name}`);
  const missing = required
    .filter((name) => !node.members.some((one) => one.name === name))
    .map((name) => ({ line: node.line, text: `${path || "the file"}: ${name} is missing` }));
  return [
    ...missing,
    ...node.members.flatMap(({ name, line, node: value }) => {
      const of = members.get(name);
      if (of !== undefined) return misfits(value, of(), below(name));
      const near = nearest(name, [...members.keys()]);
      const hint =
        near === undefined
          ? `expected some of ${[...members.keys()].toSorted().join(", ")}`
          : `did you mean ${near}?`;
      return [{ line, text: `${path || "the file"}: unknown key ${quote(name)}, ${hint}` }];
    }),
  ];
}

const isPlain = (node: JsonNode, type: "string" | "number" | "boolean"): boolean =>
  node.kind === "plain" && typeof node.value === type;

function shown(node: JsonNode): string {
  if (node.kind === "array") return "a list";
  if (node.kind === "object") return "members";
  return typeof node.value === "string" ? quote(node.value) : String(node.value);
}
