import { describe, expect, it, test } from "@jest/globals";
import fc from "fast-check";
import { apiHostOf, isEcr, parseLogins } from "../../../lib/registry/login-lines.ts";

const HUB = "https://index.docker.io/v1/";
const password = (registry: string, user: string, word: string) => ({
  line: 1,
  login: { registry, how: { kind: "password", user, password: word } },
});
const ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:docker-login/ci-AbCdEf";
const ECR = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";

describe("a line of docker login words", () => {
  test.each([
    // The original's own examples.
    ["-u quay_user -p password quay.io", password("quay.io", "quay_user", "password")],
    ["-u docker_user -p password", password(HUB, "docker_user", "password")],
    ["docker login -u a -p b -e a@b.c quay.io", password("quay.io", "a", "b")],
    ["login -ua -pb quay.io", password("quay.io", "a", "b")],
    ["--username=a --password=b quay.io", password("quay.io", "a", "b")],
    ["--username a --password b https://quay.io/v2/", password("quay.io", "a", "b")],
    ["quay.io -u a -p b", password("quay.io", "a", "b")],
    ["-u a -p b host:5000 # mine", password("host:5000", "a", "b")],
    ["-u a -p b#c quay.io", password("quay.io", "a", "b#c")],
    ["-u a -p '#b c' quay.io", password("quay.io", "a", "#b c")],
    ['-u a -p "b \\"c\\" \\\\ #\'" quay.io', password("quay.io", "a", 'b "c" \\ #\'')],
    ["-u a -p b\\ c\\#d quay.io", password("quay.io", "a", "b c#d")],
    ["-u a -p -b quay.io", password("quay.io", "a", "-b")],
    ["-u a -p=b quay.io", password("quay.io", "a", "b")],
    ["-u a -p b docker.io", password(HUB, "a", "b")],
    ["-u a -p b https://index.docker.io/v1/", password(HUB, "a", "b")],
    [
      `-u a --password-secret=${ARN}#token quay.io`,
      {
        line: 1,
        login: {
          registry: "quay.io",
          how: { kind: "secret", user: "a", arn: ARN, member: "token" },
        },
      },
    ],
    [
      `-p ${ARN} quay.io`,
      { line: 1, login: { registry: "quay.io", how: { kind: "secret", arn: ARN } } },
    ],
    [
      ECR,
      {
        line: 1,
        login: {
          registry: ECR,
          how: { kind: "ecr", account: "123456789012", region: "eu-west-1" },
        },
      },
    ],
  ])("%j", (line, expected) => {
    expect(parseLogins(line)).toEqual([expected]);
  });

  test.each([
    ["-u a -p 'b quay.io", "expected a closing quote"],
    ["-u a -p", "expected a value after -p"],
    ["-u a -p b quay.io docker.io", "expected one registry at most, after the flags"],
    ["-u a -p b --tls quay.io", "expected only -u, -p, -e and --password-secret as flags"],
    [
      "-u a --password-stdin quay.io",
      "--password-stdin has nothing to read from: expected -p, or --password-secret",
    ],
    [
      "-u a quay.io",
      "expected a password (-p) or a secret (--password-secret); only ECR needs none",
    ],
    ["-p b quay.io", "expected a user (-u)"],
    ["-u a: -p b quay.io", "expected a user without a colon"],
    ["-u a -p b bad_host", "expected a registry such as quay.io or host:5000"],
    ["-u a --password-secret=nope quay.io", "expected the ARN of a secret after --password-secret"],
    ["-u a -p b \\", "expected something after the backslash at the line's end"],
  ])("%j is wrong", (line, problem) => {
    expect(parseLogins(line)).toEqual([{ line: 1, problem }]);
  });

  it("is counted among all lines, comments and blank ones too", () => {
    expect(parseLogins("\uFEFF# one\r\n\r\n  \t# two\r\n-x\r\n-u a -p b\r\n")).toMatchObject([
      { line: 4, problem: expect.any(String) },
      { line: 5, login: { registry: HUB } },
    ]);
  });

  it("keeps any password that is in single quotes, and never tells one", () => {
    const secret = fc.string({ minLength: 4 }).filter((text) => !/['\r\n]/.test(text));
    fc.assert(
      fc.property(secret, (word) => {
        expect(parseLogins(`-u a -p '${word}' quay.io`)).toEqual([password("quay.io", "a", word)]);
      }),
    );
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Z0-9]{12}$/), fc.string(), (word, rest) => {
        for (const one of parseLogins(`-u a -p ${word} --x${rest} quay.io`)) {
          if ("problem" in one) expect(one.problem).not.toContain(word);
        }
      }),
    );
  });
});

test("where a registry's API is", () => {
  expect(apiHostOf(HUB)).toBe("registry-1.docker.io");
  expect(apiHostOf("quay.io")).toBe("quay.io");
  expect([isEcr(ECR), isEcr("quay.io")]).toEqual([true, false]);
});
