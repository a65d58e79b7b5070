import { expect, it, test } from "@jest/globals";
import fc from "fast-check";
import { parse } from "yaml";
import { manifestText } from "../../../../lib/kubernetes/io/manifest-text.ts";

const manifest = (text: string) => ({
  apiVersion: "v1",
  kind: "Pod",
  // No key of ours is `<<`: Kubernetes would not take it.
  metadata: { name: "a", annotations: text === "<<" ? {} : { [text]: text } },
  spec: { list: [text] },
});

// kubectl reads YAML 1.1, and takes `<<` for a merge.
const read = (text: string): unknown => parse(text, { version: "1.1", merge: true });

test.each([
  "yes",
  "on",
  "n",
  "~",
  "null",
  "08",
  "0o14",
  "0755",
  "1:30",
  "1e3",
  "1.",
  ".5",
  ".inf",
  "2001-01-01",
  "<<",
  "=",
  "0x1F",
  "1_000",
  "+1",
  "-",
  "?",
  "a: b",
  "# x",
  " x",
  "",
  "a\nb",
  "%x",
  "@x",
  "---",
  "\ttab",
  "\u0085x",
  "\u2028",
  "\uFEFF",
  "\u0000",
  "é",
])("%j is read as the text that it was", (text) => {
  expect(read(manifestText([manifest(text)], "yaml"))).toEqual(manifest(text));
});

it("any text is read as it was, in YAML and JSON", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 60 }), (text) => {
      fc.pre(text.isWellFormed() && text !== "__proto__");
      expect(read(manifestText([manifest(text)], "yaml"))).toEqual(manifest(text));
      expect(JSON.parse(manifestText([manifest(text)], "json"))).toEqual({
        apiVersion: "v1",
        kind: "List",
        items: [manifest(text)],
      });
    }),
  );
});
