import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { environmentName, type Flags } from "../../agent/cli/flags.ts";
import { readFlags } from "../../agent/cli/read-flags.ts";
import { flags as deregisterFlags } from "../../agent/deregister/config.ts";
import { flags as discoverFlags } from "../../agent/discover/config.ts";
import { flags as sandboxFlags } from "../../agent/sandbox/config.ts";
import { cases, FUZZ_LIMIT_MS } from "./cases.ts";
import { hostileText } from "./hostile.ts";

const modes: readonly (readonly [string, Flags])[] = [
  ["discover", discoverFlags],
  ["deregister", deregisterFlags],
  ["sandbox", sandboxFlags],
];
const ONE_LINE = /^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+$/u;

const value = fc.oneof(
  hostileText,
  fc.constantFrom("true", "1", "0", "Z0123456789", "http://h:1", "/x", "10.0.0.1", "::1", "docker"),
  fc.integer().map(String),
  fc.double().map(String),
);
const word = (names: readonly string[]) =>
  fc.oneof(
    fc.tuple(fc.constantFrom(...names), value).map(([name, text]) => `--${name}=${text}`),
    fc.constantFrom(...names).map((name) => `--${name}`),
    fc.constantFrom("--", "-", "-h", "--no-dryRun", "--help", "--version", "--version=1", "-x"),
    fc.constantFrom("--__proto__=1", "--constructor", "--toString=x", "--help=x"),
    fc.constantFrom(...names).map((name) => `--${name.toLowerCase()}=1`),
    value,
  );

describe.each(modes)("the flags of %s", (_, flags) => {
  const names = Object.keys(flags);
  const members = [...names, "words"];
  const argv = fc.oneof(
    fc.array(word(names), { maxLength: 6 }),
    fc.constantFrom(["--hostedZoneId=Z0123456789"], ["--logFormat=json"], []),
  );
  const hostile = fc.dictionary(
    fc.oneof(
      fc.constantFrom(...names.map(environmentName), "__proto__", "constructor", "PATH"),
      hostileText,
    ),
    value,
    { maxKeys: 3 },
  );
  const env = fc.oneof(
    hostile,
    hostile.map((one) => ({ ...one, HOSTED_ZONE_ID: "Z0123456789" })),
    fc.constant({ HOSTED_ZONE_ID: "Z0123456789" }),
  );

  test(
    "and any environment come to a configuration, the help, or problems of one line each",
    () => {
      const kinds = new Set<string>();
      fc.assert(
        fc.property(argv, env, (words, surroundings) => {
          const read = readFlags({ usage: "u", summary: "s" }, flags, words, surroundings);
          kinds.add(read.kind);
          if (read.kind === "problems") {
            expect(read.problems.length).toBeGreaterThan(0);
            for (const problem of read.problems) expect(problem).toMatch(ONE_LINE);
          }
          if (read.kind === "config") {
            // Nothing but what the table names, each as its own schema lets it through.
            expect(members).toEqual(expect.arrayContaining(Object.keys(read.config)));
            expect(Object.getPrototypeOf(read.config)).toBe(Object.prototype);
          }
        }),
        cases(0.5),
      );
      expect([...kinds]).toEqual(expect.arrayContaining(["config", "help", "problems"]));
    },
    FUZZ_LIMIT_MS,
  );
});
