import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** One command of a document, as somebody would type it, and the lines that it shall print. */
export interface Step {
  readonly command: string;
  readonly expected: readonly string[];
}

/** The blocks of this kind, in their order. */
export const blocksIn = (document: string, kind: string): readonly string[] =>
  [
    ...readFileSync(join(ROOT, document), "utf8").matchAll(
      new RegExp(`^\`\`\`${kind}\\n([\\s\\S]*?)^\`\`\`$`, "gm"),
    ),
  ].map(([, block = ""]) => block);

/** The steps of a block: `$ ` begins a command, `> ` goes on with it, every other line is output. */
export function stepsIn(block: string): readonly Step[] {
  const steps: { command: string; expected: string[] }[] = [];
  for (const line of block.trimEnd().split("\n")) {
    const last = steps.at(-1);
    // A line of output may begin with a dollar sign as well: where one is shown, an act of a story goes before it.
    const isTyped = line.startsWith("$ ") && !last?.expected.some((one) => one.startsWith("* "));
    if (isTyped) steps.push({ command: line.slice(2), expected: [] });
    else if (last === undefined) throw new Error(`a line without a command: ${line}`);
    else if (line.startsWith("> ") && last.expected.length === 0) {
      last.command += `\n${line.slice(2)}`;
    } else last.expected.push(line);
  }
  return steps;
}

/**
 * What is wrong with the output; undefined when it is as shown. `…` within a line stands for any text, and alone on a line
 * for any lines, none included.
 */
export function difference(expected: readonly string[], output: string): string | undefined {
  const lines = output.split("\n").map((line) => line.trimEnd());
  while (lines.at(-1) === "") lines.pop();
  while (lines[0] === "") lines.shift();
  if (expected.length === 0) return undefined;
  let at = 0;
  let isOpen = false;
  for (const line of expected) {
    if (line === "…") {
      isOpen = true;
      continue;
    }
    const pattern = patternOf(line);
    const found = isOpen
      ? lines.findIndex((one, index) => index >= at && pattern.test(one))
      : pattern.test(lines[at] ?? "")
        ? at
        : -1;
    if (found === -1) return `expected ${JSON.stringify(line)} from line ${at + 1} on`;
    at = found + 1;
    isOpen = false;
  }
  return isOpen || at === lines.length ? undefined : `expected no more, got ${lines[at]}`;
}

const patternOf = (line: string): RegExp =>
  new RegExp(
    `^${line
      .trimEnd()
      .split("…")
      // How wide a column is hangs on what else stands in it.
      .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replace(/ {2,}/g, " +"))
      .join(".*")}$`,
  );

const MARK = "\u0001";

/**
 * Runs the steps in one shell, behind the lines that set it up. Comes back with a sentence for each step whose output is
 * another than shown. Nothing of this environment reaches it but PATH and what `env` says.
 */
export async function runSteps(
  setUp: string,
  steps: readonly Step[],
  env: Readonly<Record<string, string>> = {},
): Promise<readonly string[]> {
  const home = await mkdtemp(join(tmpdir(), "eda-tutorial-"));
  await mkdir(join(home, "tmp"));
  const script = [
    // Only a shell that somebody types into expands aliases by itself.
    "shopt -s expand_aliases",
    `mark() { local code=$?; printf '\\n${MARK}%s\\n' "$1"; return $code; }`,
    setUp,
    ...steps.flatMap(({ command }, at) => [`mark ${at}`, command]),
    "mark end",
  ].join("\n");
  const shell = spawn("bash", ["-s"], {
    cwd: ROOT,
    // A group of its own, so that nothing it started outlives it.
    detached: true,
    stdio: ["pipe", "pipe", "pipe"],
    env: {
      PATH: process.env["PATH"] ?? "",
      HOME: home,
      TMPDIR: join(home, "tmp"),
      AWS_CONFIG_FILE: "/dev/null",
      AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
      AWS_EC2_METADATA_DISABLED: "true",
      AWS_PAGER: "",
      ...env,
    },
  });
  // Both streams in one, as a terminal shows them.
  shell.stdin.end(`exec 2>&1\n${script}\n`);
  shell.once("exit", () => {
    try {
      process.kill(-(shell.pid ?? 0), "SIGKILL");
    } catch {
      // Nobody is left.
    }
  });
  const output = await text(shell.stdout);
  await rm(home, { recursive: true, force: true });
  const parts = output.split(new RegExp(`\\n?${MARK}(?:\\d+|end)\\n`)).slice(1);
  return steps.flatMap(({ command, expected }, at) => {
    const printed = parts[at] ?? "";
    const wrong = parts.length <= at + 1 ? "the shell ended before" : difference(expected, printed);
    return wrong === undefined ? [] : [`$ ${command}\n${wrong}; it printed\n${printed}`];
  });
}
