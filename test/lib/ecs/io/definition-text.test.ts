import { describe, expect, it, test } from "@jest/globals";
import fc from "fast-check";
import { documentsIn } from "../../../../lib/ecs/io/definition-text.ts";

describe("a text is read", () => {
  test.each([
    ["JSON", '{"a": 1}', [{ a: 1 }]],
    ["JSON with comments and trailing commas", '// x\n{"a": [1, /* y */ 2,],}', [{ a: [1, 2] }]],
    ["JSON behind a byte order mark", '\uFEFF{"a": 1}', [{ a: 1 }]],
    ["YAML", "a: 1\nb: [x]\n", [{ a: 1, b: ["x"] }]],
    ["YAML in braces", "{a: 1}", [{ a: 1 }]],
    ["several documents", "---\na: 1\n---\n---\nb: 2\n", [{ a: 1 }, { b: 2 }]],
    ["a date that stays a text", "a: 2010-09-09", [{ a: "2010-09-09" }]],
    ["!Ref", "a: !Ref B", [{ a: { Ref: "B" } }]],
    ["!GetAtt", "a: !GetAtt B.C.D", [{ a: { "Fn::GetAtt": ["B", "C.D"] } }]],
    [
      "!Sub in !Join",
      `a: !Join ["-", [x, !Sub "\${B}"]]`,
      [{ a: { "Fn::Join": ["-", ["x", { "Fn::Sub": `\${B}` }]] } }],
    ],
    [
      "!If with a map",
      "a: !If [C, {b: !Ref D}, !Ref AWS::NoValue]",
      [{ a: { "Fn::If": ["C", { b: { Ref: "D" } }, { Ref: "AWS::NoValue" }] } }],
    ],
    [
      "a member that objects have",
      '{"__proto__": {"a": 1}}',
      [JSON.parse('{"__proto__": {"a": 1}}')],
    ],
  ])("%s", (_, text, documents) => {
    expect(documentsIn(text)).toEqual({ documents, problems: [] });
  });
});

/** Each line is twice as long as the one before, once its aliases are written out. */
const GROWING = `a0: &a0 [x,x]\n${Array.from(
  { length: 30 },
  (_, n) => `a${n + 1}: &a${n + 1} [*a${n},*a${n}]`,
).join("\n")}`;

describe("a text is refused, in one sentence", () => {
  test.each([
    ["no JSON", '{"a": }', "expected JSON, got ValueExpected at line 1, column 7"],
    ["no YAML", "a: b: c", "expected YAML"],
    ["nothing", " \n", "got an empty file"],
    [
      "a name twice in JSON",
      '{"family": "a",\n "family": "b"}',
      'got "family" twice at line 2, column 2',
    ],
    ["a name twice in YAML", "a: 1\na: 2\n", "expected YAML: Map keys must be unique"],
    ["deep nesting", "[".repeat(100_000), "levels of nesting"],
    ["deep nesting in YAML", `${"- ".repeat(20_000)}a`, "expected"],
    ["aliases that grow", GROWING, "expected"],
  ])("%s", (_, text, expected) => {
    const { documents, problems } = documentsIn(text);
    expect(documents).toEqual([]);
    expect(problems[0]).toContain(expected);
    expect(problems.every((problem) => !problem.includes("\n"))).toBe(true);
  });

  it("and nothing is thrown, whatever it is", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: "binary" }), fc.json()), (text) => {
        const { documents, problems } = documentsIn(text);
        expect(documents.length === 0 || problems.length === 0).toBe(true);
      }),
      { numRuns: 50 },
    );
  });
});
