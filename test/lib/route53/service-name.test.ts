import { describe, expect, it, test } from "@jest/globals";
import fc from "fast-check";
import { serviceName } from "../../../lib/route53/service-name.ts";

const zone = "example.internal";
const long = (length: number) => "a".repeat(length);

describe("promise 9: a label can only ever create <label>.<zone>", () => {
  test.each([
    ["web", "web.example.internal"],
    ["WEB", "web.example.internal"],
    ["v2.api", "v2.api.example.internal"],
    ["a-b", "a-b.example.internal"],
    ["8", "8.example.internal"],
    ["xn--bcher-kva", "xn--bcher-kva.example.internal"],
    [long(63), `${long(63)}.example.internal`],
    // A name that looks like one in another zone still ends below ours.
    ["web.example.org", "web.example.org.example.internal"],
  ])("%j becomes %s", (label, name) => {
    expect(serviceName(label, zone)).toEqual({ ok: true, name });
  });

  test.each([
    ["", "expected a service name such as web or v2.api, got an empty value"],
    [".", 'expected a name without an empty part between its dots, got "."'],
    ["web.", 'expected a name without an empty part between its dots, got "web."'],
    ["a..b", 'expected a name without an empty part between its dots, got "a..b"'],
    ["*", 'expected letters, digits, hyphens and dots only, got "*"'],
    ["*.web", 'expected letters, digits, hyphens and dots only, got "*.web"'],
    ["my web", 'expected letters, digits, hyphens and dots only, got "my web"'],
    [" web", 'expected letters, digits, hyphens and dots only, got " web"'],
    ["my_web", 'expected letters, digits, hyphens and dots only, got "my_web"'],
    ["-web", 'expected no hyphen at the start or the end of a part, got "-web"'],
    ["web-.api", 'expected no hyphen at the start or the end of a part, got "web-.api"'],
    ["bücher", 'expected letters, digits, hyphens and dots only, got "b\\u00fccher"'],
    // KELVIN SIGN folds to k in Unicode, not in DNS.
    ["\u212Aube", 'expected letters, digits, hyphens and dots only, got "\\u212aube"'],
    ["web\nx", 'expected letters, digits, hyphens and dots only, got "web\\nx"'],
    ["web\u0000", 'expected letters, digits, hyphens and dots only, got "web\\u0000"'],
    ["\\052", 'expected letters, digits, hyphens and dots only, got "\\\\052"'],
    ["web/..", 'expected a name without an empty part between its dots, got "web/.."'],
  ])("%j is refused", (label, problem) => {
    const check = serviceName(label, zone);
    // One problem is enough; which of several comes first follows the order of the parts.
    expect(check).toMatchObject({ ok: false });
    if (!check.ok && !label.includes("/")) expect(check.problem).toBe(problem);
  });

  it("refuses a part of 64 characters, and says how long it is", () => {
    expect(serviceName(long(64), zone)).toMatchObject({
      ok: false,
      problem: expect.stringMatching(
        /^expected at most 63 characters between dots, got 64 in "a+"$/,
      ),
    });
  });

  it("takes a name of 253 characters and refuses one of 254", () => {
    const parts = (length: number) => `${long(63)}.${long(63)}.${long(63)}.${long(length)}`;
    const left = 253 - zone.length - 1 - 3 * 64;
    expect(serviceName(parts(left), zone)).toMatchObject({ ok: true });
    expect(serviceName(parts(left + 1), zone)).toMatchObject({
      ok: false,
      problem: expect.stringContaining(
        "expected at most 253 characters in the whole name, got 254",
      ),
    });
  });

  it("whatever the label holds, what it creates is valid and strictly below the zone", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string({ unit: "binary" }), fc.stringMatching(/^[a-zA-Z0-9.*_-]{0,80}$/)),
        (label) => {
          const check = serviceName(label, zone);
          if (!check.ok) {
            expect(check.problem).toMatch(/^expected [ -~]+, got [ -~]+$/);
            return;
          }
          expect(check.name).toBe(`${label.toLowerCase()}.${zone}`);
          expect(check.name).toMatch(/^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+example\.internal$/);
          expect(check.name.length).toBeLessThanOrEqual(253);
        },
      ),
      { numRuns: 2_000 },
    );
  });
});
