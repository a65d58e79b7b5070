import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it, test } from "@jest/globals";
import { completionScript, shells } from "../../../agent/cli/shell-script.ts";
import { modes } from "../../../agent/modes.ts";

const MAIN = fileURLToPath(new URL("../../../agent/main.ts", import.meta.url));

const printed = (...argv: readonly string[]) => {
  const { stdout, stderr, status } = spawnSync(process.execPath, [MAIN, "completion", ...argv], {
    encoding: "utf8",
    env: {},
  });
  return { stdout, stderr, status };
};

const script = printed("bash").stdout;

/** What bash offers after these words; the last one is being written. It takes words apart at `=`, as readline does. */
function offers(...words: readonly string[]): readonly string[] {
  const apart = words.flatMap((word) =>
    word.split(/(?<=^--[A-Za-z]+)(=)/).filter((one, at) => one !== "" || at === 0),
  );
  const program = `
${script}
COMP_WORDS=(ecs-discovery-agent "$@")
COMP_CWORD=$#
_ecs_discovery_agent
printf '%s\\n' "\${COMPREPLY[@]}"
`;
  const { stdout, stderr, status } = spawnSync("bash", ["-c", program, "bash", ...apart], {
    encoding: "utf8",
  });
  expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
  return stdout.split("\n").filter((one) => one !== "");
}

describe("in bash", () => {
  it("the script is one that bash can read", () => {
    expect(spawnSync("bash", ["-n"], { input: script, encoding: "utf8" })).toMatchObject({
      status: 0,
      stderr: "",
    });
    expect(script).toContain("complete -F _ecs_discovery_agent ecs-discovery-agent");
  });

  it("the first word is a mode, or a flag of the mode that needs no name", () => {
    expect(offers("d")).toEqual(["discover", "doctor", "deregister"]);
    expect(offers("--onSt")).toEqual(["--onStop="]);
    expect(offers("")).toEqual(expect.arrayContaining(modes.map(({ name }) => name)));
  });

  test.each([
    [["plan", "--js"], ["--json"]],
    [["doctor", "--res"], ["--resolver="]],
    [
      ["status", "--h"],
      ["--health", "--help"],
    ],
    [["plan", "--ttl", "5", "--hosted"], ["--hostedZoneId="]],
    [["sandbox", "--hosted"], []],
    [["completion", ""], expect.arrayContaining(["bash", "zsh", "fish"])],
    [["completion", "f"], ["fish"]],
  ])("%j goes on with %j", (words, expected) => {
    expect(offers(...words)).toEqual(expected);
  });

  test.each([
    [
      ["--routing", ""],
      ["weighted", "multivalue"],
    ],
    [["--routing="], ["weighted", "multivalue"]],
    [["--routing=m"], ["multivalue"]],
    [["plan", "--addressSource=ho"], ["host"]],
    [["plan", "--logLevel", "w"], ["warn"]],
    [["plan", "--ttl="], []],
    [["plan", "--ttl=1"], []],
  ])("the value of %j is one of %j", (words, expected) => {
    expect(offers(...words)).toEqual(expected);
  });

  it("every flag of every mode is offered", async () => {
    for (const { name, flags } of modes) {
      const offered = offers(name, "--").map((one) => one.replace(/=$/, ""));
      expect(offered).toEqual(
        [...Object.keys(await flags()), "help", "version"].map((flag) => `--${flag}`),
      );
    }
  });
});

test.each(shells)(
  "%s: a script of every mode and flag is printed, with exit code 0",
  async (shell) => {
    const { stdout, stderr, status } = printed(shell);
    expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
    for (const { name, flags } of modes) {
      expect(stdout).toContain(name);
      for (const flag of Object.keys(await flags())) expect(stdout).toContain(flag);
    }
  },
);

test.each([[], ["tcsh"], ["bash", "zsh"]])(
  "%j: says what it expects, with exit code 2",
  (...words) => {
    const { stdout, stderr, status } = printed(...words);
    expect({ stdout, status }).toEqual({ stdout: "", status: 2 });
    expect(stderr).toContain("expected one of bash, zsh, fish, got");
  },
);

it("--help says how to use it", () => {
  expect(printed("--help")).toMatchObject({
    status: 0,
    stdout: expect.stringContaining("source <(ecs-discovery-agent completion bash)"),
  });
});

it("an apostrophe in a help text does not end it", () => {
  const flags = { it: { help: "it's", expected: "", schema: undefined as never, takes: "x" } };
  for (const shell of shells) {
    const made = completionScript(shell, [{ name: "one", summary: "it's one", flags, words: [] }]);
    if (shell !== "bash") expect(made).toContain("it'\\''s");
  }
});
