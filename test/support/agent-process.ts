import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { changes } from "./wait.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
export const MAIN = fileURLToPath(new URL("../../agent/main.ts", import.meta.url));

/** One line of the agent's JSON log. */
export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly [field: string]: unknown;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** The agent as a process of its own. */
export interface AgentProcess {
  readonly pid: number;
  /** Standard output so far, as text. */
  readonly stdout: string;
  /** Standard output so far, of the lines that are JSON. */
  readonly log: readonly LogLine[];
  /** All of standard error, once the process has ended. */
  readonly stderr: Promise<string>;
  /** Of a mode that prints an answer: its log goes to standard error. All of it, once the process has ended. */
  errorLog(): Promise<readonly LogLine[]>;
  /** The first log line, earlier ones included, that the test is looking for. Rejects when the process ends without. */
  until(wanted: (line: LogLine) => boolean): Promise<LogLine>;
  /** The same for a line of any kind: what the pattern's first group holds of it. */
  untilPrinted(pattern: RegExp): Promise<string>;
  exit(): Promise<Exit>;
  /** The same for as long as it takes. */
  readonly ends: Promise<Exit>;
  kill(signal: NodeJS.Signals): void;
  readonly ended: boolean;
}

/** The command that is the agent, before its flags. */
export const AGENT: readonly string[] = [process.execPath, MAIN];

/** Nothing is inherited, so that nothing of this environment leads the agent to a real AWS account. */
export function startAgent(
  flags: readonly string[],
  env: Readonly<Record<string, string>>,
  /** What starts it, before the flags; `AGENT` behind a program that becomes the agent, such as `nsenter` with its flags. */
  [command = process.execPath, ...before]: readonly string[] = AGENT,
): AgentProcess {
  // Where a test plays no ECS, nobody listens.
  const { AWS_ENDPOINT_URL_ECS: ecs = "http://127.0.0.1:9" } = env;
  for (const endpoint of [env["AWS_ENDPOINT_URL_ROUTE_53"], ecs]) {
    if (endpoint === undefined || new URL(endpoint).hostname !== "127.0.0.1") {
      throw new Error(`expected Route 53 and ECS at 127.0.0.1, got ${endpoint}`);
    }
  }
  const agent = spawn(command, [...before, ...flags], {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      AWS_REGION: "eu-west-1",
      AWS_ACCESS_KEY_ID: "test",
      AWS_SECRET_ACCESS_KEY: "test",
      AWS_CONFIG_FILE: "/dev/null",
      AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
      AWS_EC2_METADATA_DISABLED: "true",
      ...env,
      AWS_ENDPOINT_URL_ECS: ecs,
    },
  });
  const moved = changes();
  const lines: string[] = [];
  const log: LogLine[] = [];
  let ended: Exit | undefined;
  const ends = Promise.withResolvers<Exit>();
  const stderr = text(agent.stderr);
  createInterface(agent.stdout).on("line", (line) => {
    lines.push(line);
    if (line.startsWith("{")) log.push(JSON.parse(line) as LogLine);
    moved.tell();
  });
  // "close", not "exit": by then everything that it wrote has been read.
  agent.once("close", (code, signal) => {
    ended = { code, signal };
    ends.resolve(ended);
    moved.tell();
  });
  const seen = () => lines.slice(-40).join("\n");
  const find = <T>(look: () => T | undefined): Promise<T> =>
    moved.until(() => {
      const found = look();
      if (found === undefined && ended !== undefined) {
        throw new Error(`the agent ended, ${JSON.stringify(ended)}; its log:\n${seen()}`);
      }
      return found;
    }, seen);

  return {
    // Without one it did not even start, which `exit` and `until` tell.
    pid: agent.pid ?? Number.NaN,
    get stdout() {
      return lines.join("\n");
    },
    log,
    stderr,
    async errorLog() {
      const lines = (await stderr).split("\n").filter((line) => line.startsWith("{"));
      return lines.map((line) => JSON.parse(line) as LogLine);
    },
    until: (wanted) => find(() => log.find(wanted)),
    untilPrinted: (pattern) =>
      find(() => lines.map((line) => pattern.exec(line)?.[1]).find((text) => text !== undefined)),
    exit: () => moved.until(() => ended, seen),
    ends: ends.promise,
    kill: (signal) => void agent.kill(signal),
    get ended() {
      return ended !== undefined;
    },
  };
}
