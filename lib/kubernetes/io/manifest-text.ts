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
    : objects.map((object) => `---\n${yamlOf(object)}`).join("");

function yamlOf(object: Manifest): string {
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
