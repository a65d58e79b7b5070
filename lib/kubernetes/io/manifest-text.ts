import { Document, isScalar, visit } from "yaml";
import type { Manifest } from "../mapping/fields.ts";

/** Texts that kubectl takes for something else (octals of YAML 1.2 too), and signs that are line ends to it: the library writes both as they are. */
const MERGE_OR_VALUE = /^(?:<<|=|[-+]?0o[0-7_]+)$/;
const UNPRINTABLE = /[\p{Cc}\u2028\u2029\uFEFF]/u;
const LINE_ENDS = /[\u007F-\u009F\u2028\u2029\uFEFF]/g;

/**
 * The objects as text that `kubectl apply -f -` takes: YAML documents, or one JSON list. kubectl reads YAML 1.1, where
 * `on` and `1:30` are no texts, so that is what is written.
 */
export const manifestText = (objects: readonly Manifest[], output: "yaml" | "json"): string =>
  output === "json"
    ? `${JSON.stringify({ apiVersion: "v1", kind: "List", items: objects }, null, 2)}\n`
    : objects.map((object) => `---\n${plainYaml(object) ?? yamlOf(object)}`).join("");

/** Texts that mean themselves without quotes, in every YAML; not those that YAML 1.1 takes for a flag, nothing or a number. */
const PLAIN = /^(?:[A-Za-z/](?:[\w./-]|[: ](?=[\w./-]))*|\d+(?:m|[KMGT]i|%))$/;
const WORDS = /^(?:y|n|yes|no|on|off|true|false|null|e\d+)$/i;
const DIGITS = /^\d+$/;
const LONGEST_KEY = 200;

/**
 * The same text as the library's, many times as fast, for an object of nothing but simple texts, numbers and flags; what
 * else there is has its own rules, and gives undefined.
 */
export function plainYaml(object: Manifest): string | undefined {
  const lines: string[] = [];
  return addMap(object, "", "", lines) ? `${lines.join("\n")}\n` : undefined;
}

type Members = Readonly<Record<string, unknown>>;

/** Adds the members of an object, the first behind `lead`; false for what is not simple. */
function addMap(object: Members, indent: string, lead: string, lines: string[]): boolean {
  let before = lead;
  for (const [name, value] of Object.entries(object)) {
    if (value === undefined) continue;
    const key = name.length > LONGEST_KEY ? undefined : scalar(name);
    if (key === undefined || !addValue(value, `${before}${key}:`, indent, lines)) return false;
    before = indent;
  }
  return true;
}

/** Adds a value behind its key. */
function addValue(value: unknown, key: string, indent: string, lines: string[]): boolean {
  const inner = `${indent}  `;
  if (Array.isArray(value)) {
    lines.push(value.length === 0 ? `${key} []` : key);
    return value.every((item: unknown) => {
      if (isMembers(item) && Object.keys(item).length > 0) {
        return addMap(item, `${inner}  `, `${inner}- `, lines);
      }
      return !Array.isArray(item) && addValue(item, `${inner}-`, inner, lines);
    });
  }
  if (isMembers(value)) {
    if (Object.keys(value).length > 0) {
      lines.push(key);
      return addMap(value, inner, inner, lines);
    }
    lines.push(`${key} {}`);
    return true;
  }
  const text = scalar(value);
  if (text !== undefined) lines.push(`${key} ${text}`);
  return text !== undefined;
}

const isMembers = (value: unknown): value is Members =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function scalar(value: unknown): string | undefined {
  if (typeof value === "boolean" || Number.isSafeInteger(value)) return String(value);
  if (typeof value !== "string") return undefined;
  if (DIGITS.test(value)) return `"${value}"`;
  return PLAIN.test(value) && !WORDS.test(value) ? value : undefined;
}

export function yamlOf(object: Manifest): string {
  const document = new Document(object, { version: "1.1", aliasDuplicateObjects: false });
  visit(document, {
    Scalar(_, node) {
      if (!isScalar(node) || typeof node.value !== "string") return;
      const isPlain =
        !MERGE_OR_VALUE.test(node.value) && !UNPRINTABLE.test(node.value.replaceAll("\n", ""));
      if (!isPlain) node.type = "QUOTE_DOUBLE";
    },
  });
  // The version is for how texts are written; nobody needs it said.
  document.directives = undefined;
  // They stand between double quotes only, where their escapes mean the same.
  return document
    .toString({ lineWidth: 0 })
    .replace(LINE_ENDS, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
