import { quote } from "./quote.ts";

/** A JSON value and the line of the text where it begins, the first being 1. */
export type JsonNode =
  | {
      readonly kind: "object";
      readonly line: number;
      /** A name that stands twice has its last value, as in every JSON reader. */
      readonly members: ReadonlyMap<string, JsonMember>;
      /** Names that stand more than once, by the line of the later one. */
      readonly repeated: readonly { readonly name: string; readonly line: number }[];
    }
  | { readonly kind: "array"; readonly line: number; readonly items: readonly JsonNode[] }
  | {
      readonly kind: "plain";
      readonly line: number;
      readonly value: string | number | boolean | null;
    };

interface JsonMember {
  /** Of its name. */
  readonly line: number;
  readonly node: JsonNode;
}

export type JsonText =
  | { readonly ok: true; readonly root: JsonNode }
  /** Where the text stops being JSON, and what would have been. */
  | {
      readonly ok: false;
      readonly line: number;
      readonly column: number;
      readonly expected: string;
      readonly got: string;
    };

/** Deeper than any file that people write, and far from the end of the stack. */
const MOST_LEVELS = 64;

const SPACE = /[ \t\r\n]*/y;
const STRING = /"(?:[^"\\\n]|\\.)*"/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORD = /true|false|null/y;

class NotJson extends Error {
  readonly at: number;
  readonly expected: string;
  constructor(at: number, expected: string) {
    super(expected);
    this.at = at;
    this.expected = expected;
  }
}

/** Reads JSON (RFC 8259) with the line of each value, so that a message can lead to it. A byte order mark is passed over. */
export function readJson(text: string): JsonText {
  try {
    return { ok: true, root: parse(text) };
  } catch (error) {
    if (!(error instanceof NotJson)) throw error;
    const before = text.slice(0, error.at).split("\n");
    const rest = text.slice(error.at).trimStart();
    return {
      ok: false,
      line: before.length,
      column: (before.at(-1)?.length ?? 0) + 1,
      expected: error.expected,
      got: rest === "" ? "the end of the text" : quote(/^\S*/.exec(rest)?.[0] ?? "", 20),
    };
  }
}

function parse(text: string): JsonNode {
  let at = text.startsWith("\ufeff") ? 1 : 0;
  let line = 1;

  const taken = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    const [found] = pattern.exec(text) ?? [];
    if (found !== undefined) at += found.length;
    return found;
  };
  const skip = (): void => {
    for (const sign of taken(SPACE) ?? "") if (sign === "\n") line += 1;
  };
  /** Passes the sign, where it is next. */
  const passes = (sign: string): boolean => {
    skip();
    if (text[at] !== sign) return false;
    at += 1;
    return true;
  };
  const string = (expected: string): string => {
    skip();
    const found = taken(STRING);
    if (found === undefined) throw new NotJson(at, expected);
    return stringIn(found, at - found.length);
  };

  const object = (level: number, begins: number): JsonNode => {
    const members = new Map<string, JsonMember>();
    const repeated: { name: string; line: number }[] = [];
    if (passes("}")) return { kind: "object", line: begins, members, repeated };
    do {
      const name = string('a member\'s name in quotes, or "}"');
      const nameLine = line;
      if (!passes(":")) throw new NotJson(at, '":"');
      if (members.has(name)) repeated.push({ name, line: nameLine });
      members.set(name, { line: nameLine, node: value(level) });
    } while (passes(","));
    if (!passes("}")) throw new NotJson(at, '"," or "}"');
    return { kind: "object", line: begins, members, repeated };
  };
  const array = (level: number, begins: number): JsonNode => {
    const items: JsonNode[] = [];
    if (passes("]")) return { kind: "array", line: begins, items };
    do items.push(value(level));
    while (passes(","));
    if (!passes("]")) throw new NotJson(at, '"," or "]"');
    return { kind: "array", line: begins, items };
  };
  const value = (level: number): JsonNode => {
    skip();
    if (level === MOST_LEVELS) throw new NotJson(at, `at most ${MOST_LEVELS} levels`);
    const begins = line;
    if (passes("{")) return object(level + 1, begins);
    if (passes("[")) return array(level + 1, begins);
    if (text[at] === '"') return { kind: "plain", line: begins, value: string("a text that ends") };
    const found = taken(NUMBER) ?? taken(WORD);
    if (found === undefined) throw new NotJson(at, "a value");
    return { kind: "plain", line: begins, value: JSON.parse(found) as number };
  };

  const root = value(0);
  skip();
  if (at < text.length) throw new NotJson(at, "the end of the text");
  return root;
}

function stringIn(quoted: string, at: number): string {
  try {
    return JSON.parse(quoted) as string;
  } catch {
    throw new NotJson(at, "a text without control characters and unknown escapes");
  }
}

/** A value for a message: `"text"`, `7`, `an object`. */
export function shownNode(node: JsonNode): string {
  if (node.kind === "object") return "an object";
  if (node.kind === "array") return node.items.length === 0 ? "an empty list" : "a list";
  return typeof node.value === "string" ? quote(node.value) : String(node.value);
}
