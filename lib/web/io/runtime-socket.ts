import { connect } from "node:net";
import type { EngineText } from "../engine-text.ts";

const ANSWER_LIMIT_MS = 5_000;
/** A command line must fit into one of the engine's buffers, which hold 16 KiB. */
const MAX_LINE = 8_000;
const MAX_ANSWER = 16 * 1_048_576;

/** What the engine says when a command is done. Anything else is a failure, in its words. */
const DONE = [
  /^$/,
  /^New server registered\.$/,
  /^Server deleted\.$/,
  /^New version created: \d+$/,
  /^New empty certificate store '.*'!$/,
  /^Transaction (?:created|updated) for certificate .*!$/,
  /^Committing .*$/,
  /^Inserting certificate .*$/,
  /^Certificate '.*' deleted!$/,
  /^Entry '.*' deleted in crtlist '.*'!$/,
  /^\.*$/,
  /^Success!$/,
];

/** A command that the engine would not do, in its words. */
export class EngineRefused extends Error {
  override readonly name = "EngineRefused";
}

/**
 * What the engine answers to one line. Each has a connection of its own that is half closed behind it: an open one would
 * hold a worker that is to end. Rejects when there is no whole answer within 5 s.
 */
export function ask(socketPath: string, line: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket = connect(socketPath);
  const chunks: Buffer[] = [];
  let length = 0;
  const timer = setTimeout(() => {
    socket.destroy(new Error(`the engine did not answer within ${ANSWER_LIMIT_MS / 1000} s`));
  }, ANSWER_LIMIT_MS);
  socket.on("data", (chunk) => {
    length += chunk.length;
    if (length > MAX_ANSWER) socket.destroy(new Error("the engine's answer has no end"));
    else chunks.push(chunk);
  });
  socket.on("error", reject);
  socket.on("close", () => {
    clearTimeout(timer);
    resolve(Buffer.concat(chunks).toString("utf8"));
  });
  socket.end(`${line}\n`);
  return promise;
}

/** Runs the commands in order, many at a time. Rejects with `EngineRefused` when one of them is not done. */
export async function run(socketPath: string, commands: readonly EngineText[]): Promise<void> {
  for (const line of linesOf(commands)) {
    const answer = await ask(socketPath, line);
    const refusal = refusalIn(answer);
    if (refusal !== undefined) throw new EngineRefused(`the engine says: ${refusal}`);
  }
}

/** Runs commands that may be refused, each by itself; whether it was done. */
export async function attempt(
  socketPath: string,
  commands: readonly EngineText[],
): Promise<readonly boolean[]> {
  const done: boolean[] = [];
  for (const command of commands)
    done.push(refusalIn(await ask(socketPath, command)) === undefined);
  return done;
}

/** The first line that is no word of success. */
function refusalIn(answer: string): string | undefined {
  const lines = answer.split("\n").map((line) => line.trim());
  return lines.find((line) => !DONE.some((words) => words.test(line)))?.slice(0, 300);
}

/** As many commands on a line as fit. One with a payload stands alone. */
function linesOf(commands: readonly EngineText[]): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const command of commands) {
    const isAlone = command.includes("<<");
    if (line !== "" && (isAlone || line.length + command.length > MAX_LINE)) {
      lines.push(line);
      line = "";
    }
    if (isAlone) lines.push(command);
    else line = line === "" ? command : `${line}; ${command}`;
  }
  return line === "" ? lines : [...lines, line];
}
