import { readFileSync } from "node:fs";

const README = new URL("../../README.md", import.meta.url);

/** The README's one command that begins with these words, as one line. Throws when there is none, or several. */
export function readmeCommand(beginning: string): string {
  const blocks = readFileSync(README, "utf8").matchAll(/^```sh\n([\s\S]*?)^```$/gm);
  const commands = [...blocks]
    .flatMap(([, block = ""]) => block.replaceAll("\\\n", " ").split("\n"))
    .map((line) => line.replace(/ {2,}/g, " "))
    .filter((line) => line.startsWith(beginning));
  const [command] = commands;
  if (command === undefined || commands.length > 1) {
    throw new Error(`expected one command "${beginning} …" in README.md, got ${commands.length}`);
  }
  return command;
}

/** The command with each of the texts replaced, each of which it must hold exactly once. */
export function withOthers(
  command: string,
  others: readonly (readonly [text: string, other: string])[],
): string {
  return others.reduce((line, [text, other]) => {
    const parts = line.split(text);
    if (parts.length !== 2) throw new Error(`expected "${text}" once in: ${line}`);
    return parts.join(other);
  }, command);
}
