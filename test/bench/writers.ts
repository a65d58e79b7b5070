import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { until, type World, ZONE } from "./world.ts";

export type Kind = "agent" | "baseline";

/** A process that keeps the zone. */
export interface Writer extends AsyncDisposable {
  readonly pid: number;
  /** Rejects when the process ends before it was asked to. */
  readonly failure: Promise<never>;
  /** Resolves when it listens for events. */
  watches(): Promise<void>;
  /** Resolves when it has written a line that holds `text`. */
  says(text: string): Promise<void>;
}

/** As the image runs it; see Dockerfile. */
export const NODE_FLAGS = ["--max-semi-space-size=1", "--max-old-space-size=64"];
/** The rest of what the image gives Node; these are not allowed in NODE_OPTIONS. */
export const LEAN_FLAGS = ["--no-sparkplug", "--no-maglev"];
const LEAN_ENVIRONMENT = { MALLOC_ARENA_MAX: "1" };
/** The line after which the agent's start is over. */
export const FOLLOWS = "the zone follows from now on";

/** With these, a process collects its garbage at SIGUSR2: what it keeps is told apart from what it has not dropped yet. */
export const COLLECTS_AT_SIGUSR2 = [
  "--expose-gc",
  '--import=data:text/javascript,process.on("SIGUSR2",()=>gc())',
];

/** The real agent, or the baseline. Nothing of this environment could lead them to a real AWS account. */
export function startWriter(
  kind: Kind,
  world: World,
  {
    agent = fileURLToPath(import.meta.resolve("../../agent/main.ts")),
    nodeFlags = [] as readonly string[],
    statusAddress = "off",
  } = {},
): Writer {
  const command = {
    agent: [
      agent,
      "discover",
      `--hostedZoneId=${ZONE.id}`,
      `--stateDir=${world.stateDir}`,
      `--statusAddress=${statusAddress}`,
    ],
    baseline: [fileURLToPath(import.meta.resolve("./baseline.ts"))],
  }[kind];
  const child = spawn(
    process.execPath,
    [
      ...NODE_FLAGS,
      ...LEAN_FLAGS,
      ...nodeFlags,
      ...command,
      `--introspectionUrl=${world.introspectionUrl}`,
    ],
    {
      stdio: ["ignore", "pipe", "inherit"],
      env: {
        ...world.environment,
        ...LEAN_ENVIRONMENT,
        AWS_REGION: "eu-west-1",
        AWS_EC2_METADATA_DISABLED: "true",
        AWS_ACCESS_KEY_ID: "bench",
        AWS_SECRET_ACCESS_KEY: "bench",
        AWS_CONFIG_FILE: "/dev/null",
        AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
      },
    },
  );
  const lines = linesOf(child);
  const ended = once(child, "exit");
  const failure = ended.then(([code, signal]) => {
    throw new Error(`the ${kind} ended, with ${code ?? signal}: ${lines.last()}`);
  });
  // Whoever waits for the writer sees it; at the end nobody does.
  failure.catch(() => {});
  return {
    pid: child.pid ?? 0,
    failure,
    watches: () =>
      until(
        "a writer to listen",
        () => world.engine.openStreams === 1,
        (look) => world.engine.onStreams(look),
        failure,
      ),
    says: (text) => Promise.race([lines.with(text), failure]),
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await ended;
    },
  };
}

/** Reads what the process writes, so that it never waits for a reader; keeps the end of it. */
export function linesOf({ stdout }: ChildProcess) {
  let seen = "";
  let hear = () => {};
  stdout?.setEncoding("utf8").on("data", (text: string) => {
    seen = (seen + text).slice(-20_000);
    hear();
  });
  return {
    last: () => seen.trimEnd().split("\n").at(-1) ?? "",
    with: (text: string): Promise<void> =>
      new Promise((resolve) => {
        hear = () => {
          if (seen.includes(text)) resolve();
        };
        hear();
      }),
  };
}
