import { type Node, type ParseError, parseTree, printParseErrorCode } from "jsonc-parser";
import type { JsonNode } from "../json-node.ts";
import type { Problem } from "../variables.ts";

/** What the parser's codes mean to whoever wrote the file. */
const EXPECTED: Readonly<Record<string, string>> = {
  InvalidSymbol: "expected a name or text in double quotes, a number, true, false or null",
  InvalidNumberFormat: "expected a number",
  PropertyNameExpected: "expected a name in double quotes",
  ValueExpected: "expected a value",
  ColonExpected: "expected a colon",
  CommaExpected: "expected a comma",
  CloseBraceExpected: "expected a closing brace }",
  CloseBracketExpected: "expected a closing bracket ]",
  EndOfFileExpected: "expected the end of the file",
  InvalidCommentToken: "expected no comment like this",
  UnexpectedEndOfComment: "expected the end of a comment, */",
  UnexpectedEndOfString: "expected a closing quote",
  UnexpectedEndOfNumber: "expected a number",
  InvalidUnicode: "expected four hex digits after \\u",
  InvalidEscapeCharacter: "expected a known escape after the backslash",
  InvalidCharacter: "expected no control character in a text",
};

/**
 * JSON with comments and trailing commas, with the line of each piece. The first thing that is wrong is told with its
 * line: what follows from it would only mislead.
 */
export function parseJsonc(
  file: string,
  text: string,
): { readonly node: JsonNode } | { readonly problems: readonly Problem[] } {
  const bare = text.replace(/^\uFEFF/, "");
  if (bare.trim() === "")
    return { problems: [{ file, line: 1, text: "expected JSON, got nothing" }] };
  const lines = lineFinder(bare);
  const errors: ParseError[] = [];
  const tree = parseTree(bare, errors, { allowTrailingComma: true });
  const [first] = errors;
  if (first !== undefined) {
    const what = EXPECTED[printParseErrorCode(first.error)] ?? "expected JSON";
    return { problems: [{ file, line: lines(first.offset), text: what }] };
  }
  if (tree === undefined) return { problems: [{ file, line: 1, text: "expected a value" }] };
  const problems: Problem[] = [];
  const read = (node: Node): JsonNode => {
    const line = lines(node.offset);
    if (node.type === "array")
      return { kind: "array", line, items: (node.children ?? []).map(read) };
    if (node.type !== "object") {
      return { kind: "plain", line, value: node.value as string | number | boolean | null };
    }
    const seen = new Map<string, number>();
    const members = (node.children ?? []).flatMap(({ children: [key, value] = [], offset }) => {
      if (key === undefined || value === undefined) return [];
      const name = String(key.value);
      const at = lines(offset);
      const earlier = seen.get(name);
      if (earlier !== undefined) {
        problems.push({
          file,
          line: at,
          text: `${JSON.stringify(name)} stands in line ${earlier} already`,
        });
      }
      seen.set(name, at);
      return [{ name, line: at, node: read(value) }];
    });
    return { kind: "object", line, members };
  };
  const node = read(tree);
  return problems.length > 0 ? { problems } : { node };
}

function lineFinder(text: string): (offset: number) => number {
  const starts = [0];
  for (const { index } of text.matchAll(/\n/g)) starts.push(index + 1);
  return (offset) => {
    let [low, high] = [0, starts.length];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle;
    }
    return low + 1;
  };
}
