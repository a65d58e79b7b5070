import { describe, expect, it, test } from "@jest/globals";
import fc from "fast-check";
import {
  engine,
  engineBatch,
  engineLines,
  enginePayload,
  engineSecret,
  UnsafeToken,
} from "../../../lib/web/engine-text.ts";

describe("a token", () => {
  test.each(["web.example.com", "*.x.com", "172.17.0.2", "s5/c1-172.17.0.2-80", "::1", "a_b"])(
    "%s may go in",
    (token) => {
      expect(engine`add map m ${token}`).toBe(`add map m ${token}`);
    },
  );

  test.each([
    "",
    " ",
    "a b",
    "a;b",
    "a\nb",
    "a\0",
    "a#b",
    'a"b',
    "a'b",
    "a\\b",
    "$a",
    "a{b",
    "%[x]",
    "@1",
    "ä",
    "a".repeat(601),
  ])("%j may not, wherever it comes from", (token) => {
    expect(() => engine`add map m ${token}`).toThrow(UnsafeToken);
  });

  it("is the only thing that may: no text of any kind brings in more than one word", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        try {
          expect(engine`a ${text} b`.split(/[\s;#"'\\{}$%@]+/)).toHaveLength(3);
        } catch (error) {
          expect(error).toBeInstanceOf(UnsafeToken);
        }
      }),
    );
  });
});

it("lines end, commands are parted, a payload ends with a blank line", () => {
  expect(engineLines([engine`a`, engine`b`])).toBe("a\nb\n");
  expect(engineBatch([engine`a`, engine`b`])).toBe("a; b");
  expect(enginePayload(engine`c`, engine`d`)).toBe("c <<\nd\n\n");
});

const PEM = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

describe("a certificate as a payload", () => {
  it("is PEM and ends with a blank line", () => {
    expect(engineSecret(engine`set ssl cert f`, PEM)).toBe(`set ssl cert f <<\n${PEM}\n`);
  });

  test.each([
    `${PEM}\n\nshow info\n`,
    PEM.replace("AAAA", "AAAA\n\nBBBB"),
    `${PEM}show info\n`,
    `# comment\n${PEM}`,
    "",
  ])("is refused when it holds anything else: %j", (pem) => {
    expect(() => engineSecret(engine`set ssl cert f`, pem)).toThrow(UnsafeToken);
  });
});
