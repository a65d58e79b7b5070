import { describe, expect, it, test } from "@jest/globals";
import { dispatch } from "../../../agent/cli/dispatch.ts";
import { modes } from "../../../agent/modes.ts";

const ask = (argv: readonly string[], env = {}, isTerminal = true) =>
  dispatch(argv, env, { modes, version: () => "1.2.3", isTerminal });

describe("the first word", () => {
  test.each([[["version"]], [["-v"]], [["--version"]], [["plan", "--version"]]])(
    "%j prints the version",
    async (argv) => {
      expect(await ask(argv)).toEqual({ kind: "text", text: "1.2.3" });
    },
  );

  test.each([[["help"]], [["-h"]], [["--help"]]])("%j shows every mode", async (argv) => {
    const answer = await ask(argv);
    if (answer.kind !== "text") throw new Error(`expected a text, got ${answer.kind}`);
    for (const { name } of modes) expect(answer.text).toContain(`  ${name} `);
    for (const line of answer.text.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
  });

  test.each(modes.map(({ name }) => name))("help %s is that mode's own --help", async (name) => {
    const answer = await ask(["help", name]);
    expect(answer).toEqual(await ask([name, "--help"]));
    expect(answer).toMatchObject({ kind: "text", text: expect.stringContaining(name) });
  });

  it("by another name is the same mode", async () => {
    for (const { name, aliases } of modes) {
      for (const alias of aliases)
        expect(await ask(["help", alias])).toEqual(await ask(["help", name]));
    }
  });

  test.each([
    ["swep", 'unknown mode "swep", did you mean sweep?'],
    ["docter", 'unknown mode "docter", did you mean doctor?'],
  ])("%j gets a hint", async (word, problem) => {
    expect(await ask([word])).toEqual({ kind: "problems", problems: [problem] });
  });

  it("that is like no mode gets the list", async () => {
    const answer = await ask(["frobnicate"]);
    expect(answer).toMatchObject({
      problems: [expect.stringMatching(/expected one of discover, /)],
    });
  });
});

describe("without any word", () => {
  it("a person at a terminal gets the short help, as a complaint", async () => {
    expect(await ask([])).toMatchObject({ kind: "lost", text: expect.stringContaining("Modes") });
  });

  test.each(["HOSTED_ZONE_ID", "ECS_DISCOVERY_HOSTED_ZONE_ID"])(
    "%s in the environment means discover",
    async (name) => {
      expect(await ask([], { [name]: "Z1" })).toMatchObject({ kind: "config", name: "discover" });
    },
  );

  it("a flag means discover, and so does the lack of a terminal", async () => {
    expect(await ask(["--hostedZoneId=Z1"])).toMatchObject({ kind: "config", name: "discover" });
    expect(await ask([], {}, false)).toMatchObject({
      kind: "problems",
      problems: [expect.stringMatching(/^--hostedZoneId: expected /)],
    });
  });
});
