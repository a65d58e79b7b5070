import { expect, it, test } from "@jest/globals";
import fc from "fast-check";
import { type JsonNode, readJson } from "../../../lib/kit/json-text.ts";

const plain = (node: JsonNode): unknown => {
  if (node.kind === "array") return node.items.map(plain);
  if (node.kind === "plain") return node.value;
  return Object.fromEntries(
    [...node.members].map(([name, { node: inner }]) => [name, plain(inner)]),
  );
};

it("reads what JSON.parse reads, whatever the text", () => {
  fc.assert(
    fc.property(fc.json(), fc.constantFrom(0, 2), (text, indent) => {
      const written = JSON.stringify(JSON.parse(text), null, indent);
      const read = readJson(written);
      expect(read.ok && plain(read.root)).toEqual(JSON.parse(written));
    }),
  );
});

it("refuses what JSON.parse refuses", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom(...'{}[]",:0 -1.e+ntrue\n\\u'.split("")) }),
      (text) => {
        let isJson = true;
        try {
          JSON.parse(text);
        } catch {
          isJson = false;
        }
        expect({ text, ok: readJson(text).ok }).toEqual({ text, ok: isJson });
      },
    ),
    { numRuns: 2_000 },
  );
});

test.each([
  ["", 1, 1, "a value", "the end of the text"],
  ['{\n  "a": 1\n  "b": 2\n}', 3, 3, '"," or "}"', '"\\"b\\":"'],
  ['[\n  {"a": }\n]', 2, 9, "a value", '"}"'],
  ["[1, 2", 1, 6, '"," or "]"', "the end of the text"],
  ['{"a": 1} x', 1, 10, "the end of the text", '"x"'],
  ['["\t"]', 1, 2, "a text without control characters and unknown escapes", '"\\""'],
  [`${"[".repeat(65)}`, 1, 65, "at most 64 levels", '"["'],
])("says where %j stops being JSON", (text, line, column, expected, got) => {
  expect(readJson(text)).toEqual({ ok: false, line, column, expected, got });
});

it("knows the line of each name and value, and names that stand twice", () => {
  const read = readJson('\ufeff{\n "a": [\n  1,\n  2],\n "a": 3\n}');
  expect(read).toMatchObject({
    ok: true,
    root: { kind: "object", line: 1, repeated: [{ name: "a", line: 5 }] },
  });
});
