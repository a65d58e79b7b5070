import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { expect, it } from "@jest/globals";

const MAIN = fileURLToPath(new URL("../soak/main.ts", import.meta.url));

async function soak(...flags: readonly string[]) {
  const process_ = spawn(process.execPath, [MAIN, ...flags], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = new Promise<number | null>((resolve) => {
    process_.once("exit", resolve);
  });
  const [stdout, stderr, code] = await Promise.all([
    text(process_.stdout),
    text(process_.stderr),
    ended,
  ]);
  return { stdout, stderr, code };
}

it("a soak of a few seconds ends with the zone right, and says what happened", async () => {
  const { stdout, stderr, code } = await soak("--minutes=0.1", "--containers=3", "--seed=1");
  expect(stderr).toBe("");
  expect(stdout.trimEnd().split("\n")).toEqual([
    expect.stringMatching(
      /^the end, seed 1: \d+ container operations, \d+ events, \d+ records written in \d+ requests/,
    ),
    "difference: none; untouched records rewritten: 0",
    "slopes: not measured in the first 2 minutes",
  ]);
  expect(code).toBe(0);
});
