import { type Node, type ParseError, parseTree, printParseErrorCode } from "jsonc-parser";
import { isCollection, parseAllDocuments, type ScalarTag, type Tags } from "yaml";
import { causes } from "../../kit/failure.ts";
import { quote } from "../../kit/quote.ts";

/** What a file says; `problems` are sentences, and then there are no documents. */
export interface Documents {
  readonly documents: readonly unknown[];
  readonly problems: readonly string[];
}

const MAX_LENGTH = 16 * 1_048_576;
const MAX_DEPTH = 200;

/**
 * The documents of a text in JSON, JSON with comments and trailing commas, or YAML (several, and CloudFormation's short
 * forms such as `!Ref`, which become `{ Ref: … }`). One name twice in an object is a problem, never the last one's win.
 */
export function documentsIn(text: string): Documents {
  const plain = text.replace(/^\uFEFF/, "");
  if (plain.length > MAX_LENGTH) {
    return failed(`expected at most ${MAX_LENGTH} characters, got ${plain.length}`);
  }
  if (plain.trim() === "") return failed("expected a definition, got an empty file");
  try {
    return /^\s*(?:[[{]|\/[/*])/.test(plain) ? fromJson(plain) : fromYaml(plain);
  } catch (error) {
    // Such as a text nested beyond what any definition is.
    return failed(`expected JSON or YAML: ${causes(error)}`);
  }
}

const failed = (...problems: string[]): Documents => ({ documents: [], problems });

function fromJson(text: string): Documents {
  if (nesting(text) > MAX_DEPTH) return failed(`expected at most ${MAX_DEPTH} levels of nesting`);
  const errors: ParseError[] = [];
  const tree = parseTree(text, errors, { allowTrailingComma: true });
  const [error] = errors;
  if (error !== undefined || tree === undefined) {
    // `{a: 1}` and a YAML list in brackets begin as JSON does; what goes on with a quote was meant as JSON.
    if (!/^[\s[{]*"/.test(text)) {
      const yaml = fromYaml(text);
      if (yaml.problems.length === 0) return yaml;
    }
    const code = error === undefined ? "nothing" : printParseErrorCode(error.error);
    return failed(`expected JSON, got ${code} at ${place(text, error?.offset ?? 0)}`);
  }
  const problems: string[] = [];
  const document = plainOf(tree, text, problems);
  return problems.length > 0 ? failed(...problems) : { documents: [document], problems };
}

function plainOf(node: Node, text: string, problems: string[]): unknown {
  const { children = [] } = node;
  if (node.type === "array") return children.map((child) => plainOf(child, text, problems));
  if (node.type !== "object") return node.value as unknown;
  const seen = new Set<string>();
  return Object.fromEntries(
    children.flatMap(({ children: [key, value] = [] }): [string, unknown][] => {
      if (key === undefined || value === undefined) return [];
      const name = String(key.value);
      if (seen.has(name)) {
        problems.push(
          `expected each name once, got ${quote(name)} twice at ${place(text, key.offset)}`,
        );
      }
      seen.add(name);
      return [[name, plainOf(value, text, problems)]];
    }),
  );
}

function fromYaml(text: string): Documents {
  const problems: string[] = [];
  const documents = parseAllDocuments(text, { customTags, logLevel: "silent" });
  if (!Array.isArray(documents)) return failed("expected a definition, got an empty file");
  const values = documents.flatMap((document) => {
    for (const error of document.errors) {
      const [first = ""] = error.message.split("\n");
      problems.push(`expected YAML: ${first.replace(/:$/, "")}`);
    }
    if (document.errors.length > 0) return [];
    const value: unknown = document.toJS({ maxAliasCount: 1_000 });
    return value === null || value === undefined ? [] : [value];
  });
  return problems.length > 0 ? failed(...problems) : { documents: values, problems };
}

const place = (text: string, offset: number): string => {
  const before = text.slice(0, offset).split("\n");
  return `line ${before.length}, column ${(before.at(-1) ?? "").length + 1}`;
};

/** How deep brackets are nested, strings left out of account: an upper bound is enough. */
function nesting(text: string): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let at = 0; at < text.length; at += 1) {
    const sign = text[at];
    if (sign === "\\" && inString) at += 1;
    else if (sign === '"') inString = !inString;
    else if (inString) continue;
    else if (sign === "{" || sign === "[") deepest = Math.max(deepest, ++depth);
    else if (sign === "}" || sign === "]") depth -= 1;
  }
  return deepest;
}

// ── CloudFormation's short forms ──

const FUNCTIONS = [
  "And",
  "Base64",
  "Cidr",
  "Equals",
  "FindInMap",
  "GetAtt",
  "GetAZs",
  "If",
  "ImportValue",
  "Join",
  "Not",
  "Or",
  "Ref",
  "Condition",
  "Select",
  "Split",
  "Sub",
  "Transform",
  "ForEach",
  "ToJsonString",
  "Length",
];

const longForm = (name: string): string =>
  name === "Ref" || name === "Condition" ? name : `Fn::${name}`;

interface Wrapping {
  toJSON(argument?: unknown, context?: unknown): unknown;
}

/** The node's value is wrapped when it is turned into plain data, so that what lies inside is resolved as well. */
function wrapped(node: object, name: string): object {
  const inner = node as Wrapping;
  const plain = inner.toJSON.bind(inner);
  inner.toJSON = (argument, context) => ({ [longForm(name)]: plain(argument, context) });
  return node;
}

const customTags: Tags = FUNCTIONS.flatMap((name) => [
  {
    tag: `!${name}`,
    identify: () => false,
    resolve: (text: string) => {
      const argument = name === "GetAtt" && text.includes(".") ? splitOnce(text) : text;
      return { [longForm(name)]: argument };
    },
  } satisfies ScalarTag,
  ...(["seq", "map"] as const).map((collection) => ({
    tag: `!${name}`,
    collection,
    identify: () => false,
    resolve: (node: unknown) => (isCollection(node) ? wrapped(node, name) : node),
  })),
]) as Tags;

const splitOnce = (text: string): readonly string[] => {
  const dot = text.indexOf(".");
  return [text.slice(0, dot), text.slice(dot + 1)];
};
