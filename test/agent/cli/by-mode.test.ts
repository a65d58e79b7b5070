import { expect, test } from "@jest/globals";
import { dispatch } from "../../../agent/cli/dispatch.ts";
import { examined } from "../../../agent/doctor/names.ts";
import { modes } from "../../../agent/modes.ts";

const ask = (argv: readonly string[]) =>
  dispatch(argv, {}, { modes, version: () => "1", isTerminal: false });

test.each([
  [["doctor", "--mode=proxy"], "--mode=proxy"],
  [["doctor", "proxy"], "--mode=proxy"],
  [["doctor", "--json", "-mode", "proxy"], "--mode=proxy"],
  [["doctor", "kite", "--name=web", "--service=shop"], "--mode=ambassador"],
  [["doctor", "--hostedZoneId=Z1"], "--mode=discover"],
])("%j examines that mode", async (argv, flag) => {
  const read = await ask(argv);
  expect(read).toMatchObject({ kind: "config", name: "doctor" });
  expect((read as { readonly effective: string }).effective).toContain(flag);
});

test.each([
  [["doctor", "--mode=prxy"], 'got "prxy", did you mean proxy?'],
  [["doctor", "--mode"], "got nothing"],
  [["doctor", "constructor"], 'got "constructor"'],
])("%j is no mode", async (argv, problem) => {
  const read = await ask(argv);
  expect(read).toEqual({ kind: "problems", problems: [expect.stringContaining(problem)] });
});

test("the flags are those of the mode, with all that is wrong with them", async () => {
  expect(await ask(["doctor", "ambassador", "--service=a", "--family=b"])).toMatchObject({
    kind: "problems",
    problems: [expect.stringContaining("exactly one of"), expect.stringContaining("--name")],
  });
});

test.each(examined)("doctor --mode=%s --help shows that mode's flags, and --mode", async (mode) => {
  const read = await ask(["doctor", `--mode=${mode}`, "--help"]);
  expect(read).toMatchObject({ kind: "text", text: expect.stringContaining("--mode <discover|") });
});
