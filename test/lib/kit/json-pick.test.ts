import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { jsonPicker, type Pick } from "../../../lib/kit/json-pick.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
/** Blanks before and after a text say nothing; so many of them make it a long one. */
const BLANKS = bytes(" ".repeat(65_536));
const read = (pick: Pick, text: string, isLong: boolean): unknown => {
  const picker = jsonPicker(pick);
  if (isLong) picker.write(BLANKS);
  picker.write(bytes(text));
  return picker.end();
};
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value) ?? "null");

const ids: Pick = { each: { members: { Id: true } } };

describe.each([
  ["short", false],
  ["long", true],
] as const)("what is picked of a %s JSON text", (_, isLong) => {
  it.each<readonly [Pick, string, unknown]>([
    [true, ' "a\\u00e9\\n\\"" ', 'aé\n"'],
    [true, "-1.5e+3", -1500],
    [true, "null", null],
    [ids, '[{"Id":"a","Labels":{"Id":"x"}},{"Labels":null,"Id":"b"}]', [{ Id: "a" }, { Id: "b" }]],
    [ids, '[{"Names":["[","]}"],"Id":"a"},7,null,[{"Id":"no"}]]', [{ Id: "a" }]],
    [
      { members: { A: { members: { B: true } } } },
      '{"A":{"B":[1],"C":"d"},"A":{"B":true}}',
      { A: { B: true } },
    ],
    [
      { members: (key) => (key.startsWith("x") ? true : undefined) },
      '{"xa":1,"b":2,"__proto__":3}',
      { xa: 1 },
    ],
  ])("%j of %s", (pick, text, expected) => {
    expect(plain(read(pick, text, isLong))).toEqual(expected);
  });

  const broken = [
    "",
    "[",
    '"a',
    "nul",
    '{"Id"',
    "[1,]",
    '{"a" 1}',
    "[1 2]",
    "]",
    '{"Id":"\\x"}',
    "1 2",
    '"\u0001"',
  ];
  it.each(broken)("throws for %j", (text) => {
    const pick: Pick = text.startsWith("[")
      ? { each: true }
      : text.startsWith("{")
        ? { members: () => true }
        : true;
    expect(() => read(pick, text, isLong)).toThrow(SyntaxError);
  });

  it("is the same however the text is cut", () => {
    const keepAll: Pick = { members: (): Pick => ({ each: true }) };
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.string({ unit: "grapheme" }),
          fc.array(
            fc.oneof(
              fc.string({ unit: "grapheme" }),
              fc.double({ noDefaultInfinity: true, noNaN: true }),
              fc.boolean(),
            ),
          ),
        ),
        fc.array(fc.nat(200)),
        (value, places) => {
          const whole = bytes(JSON.stringify(value));
          const picker = jsonPicker(keepAll);
          if (isLong) picker.write(BLANKS);
          let from = 0;
          for (const place of places.toSorted((a, b) => a - b)) {
            picker.write(whole.subarray(from, place));
            from = Math.max(from, place);
          }
          picker.write(whole.subarray(from));
          expect(plain(picker.end())).toEqual(plain(value));
        },
      ),
    );
  });

  it("keeps the beginning of a string that is too long, wherever that cuts it", () => {
    for (let most = 100; most < 112; most += 1) {
      const picker = jsonPicker(true, { mostOfString: isLong ? most : most / 6 });
      if (isLong) picker.write(BLANKS);
      picker.write(bytes(`"${"\\u00e9".repeat(50)}"`));
      expect(picker.end()).toMatch(/^é{15,19}$/);
    }
  });
});

describe("a long text", () => {
  it("throws once it would keep too much", () => {
    const picker = jsonPicker({ each: true }, { mostKept: 1_000 });
    picker.write(BLANKS);
    expect(() =>
      picker.write(bytes(JSON.stringify(Array.from({ length: 2_000 }, () => "a")))),
    ).toThrow(RangeError);
  });

  it("keeps nothing of what it passes over", () => {
    const picker = jsonPicker(ids);
    picker.write(bytes('[{"Labels":{"a":"'));
    const before = process.memoryUsage().rss;
    const chunk = new Uint8Array(1_048_576).fill(0x78);
    for (let mebibytes = 0; mebibytes < 256; mebibytes += 1) picker.write(chunk);
    picker.write(bytes('"},"Id":"a"}]'));
    expect(plain(picker.end())).toEqual([{ Id: "a" }]);
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1_048_576);
  });
});
