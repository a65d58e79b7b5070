import { expect, it, test } from "@jest/globals";
import fc from "fast-check";
import { parse } from "yaml";
import { manifestText, plainYaml, yamlOf } from "../../../../lib/kubernetes/io/manifest-text.ts";

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

test.each([
  "80",
  "a b",
  "a: b",
  "a:b",
  "a :b",
  "yes",
  "No",
  "250m",
  "1Mi",
  "100%",
  "/x",
  "-x",
  "x-",
  "a #b",
  "e3",
  "nginx:1.27",
  "a ",
  "",
])("%j is written the same way by the fast writer, or left to the library", (text) => {
  const fast = plainYaml(manifest(text));
  expect([undefined, yamlOf(manifest(text))]).toContain(fast);
});

it("the fast writer writes what the library writes", () => {
  const text = fc.oneof(
    fc.stringMatching(/^[A-Za-z0-9:./ %_-]{0,12}$/),
    fc.constantFrom("on", "80", "5Gi", "nginx:1.27", "ecs agent 0.1.0"),
  );
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: "small" },
      text,
      fc.integer(),
      fc.boolean(),
      fc.array(tie("value"), { maxLength: 3 }),
      fc.dictionary(text, tie("value"), { maxKeys: 3 }),
    ),
  }));
  let fast = 0;
  fc.assert(
    fc.property(fc.dictionary(text, value, { minKeys: 1, maxKeys: 3 }), (members) => {
      const object = members as unknown as Parameters<typeof yamlOf>[0];
      const plain = plainYaml(object);
      if (plain === undefined) return;
      fast += 1;
      expect(plain).toBe(yamlOf(object));
    }),
    { numRuns: 1_000 },
  );
  expect(fast).toBeGreaterThan(50);
});
