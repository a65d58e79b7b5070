import { readFileSync } from "node:fs";
import type { Clock, Random } from "../lib/flow/clock.ts";
import type { commonFlags } from "./common-flags.ts";
import { completionMode } from "./completion.ts";
import { type ConfigOf, type Flags, readFlags } from "./flags.ts";
import type { Log } from "./log.ts";
import type { Answer, Stop } from "./supervise.ts";

/** What the process hands to the mode it runs. */
export interface Surroundings {
  readonly stop: Stop;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly env: Environment;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** What every mode's configuration holds: for the process, not for the mode. */
type CommonConfig = ConfigOf<typeof commonFlags>;

export interface ReadyMode {
  readonly common: CommonConfig;
  /** A mode that prints an answer logs beside it, so that the answer can be piped. */
  readonly logsTo: "stdout" | "stderr";
  readonly run: (surroundings: Surroundings) => Promise<void> | Promise<Answer>;
}

type ReadMode =
  | ({ readonly kind: "config" } & ReadyMode)
  | { readonly kind: "help" | "text"; readonly text: string }
  | { readonly kind: "problems"; readonly problems: readonly string[] };

export interface Mode {
  readonly name: string;
  readonly summary: string;
  readonly flags: () => Promise<Flags>;
  /** What may follow the mode's name instead of flags. */
  readonly words?: readonly string[];
  /** Loads the mode's code and reads its flags. */
  readonly read: (argv: readonly string[], env: Environment) => Promise<ReadMode>;
}

/** The mode that runs when none is named. */
export const DEFAULT_MODE = "discover";

/** The one list of what this binary can be. Each is loaded on demand, so none pays for another. */
export const modes: readonly Mode[] = [
  mode(
    "discover",
    "keeps this host's labelled containers as records of a hosted zone",
    async () => {
      const [{ flags }, { discover }] = await Promise.all([
        import("./discover/config.ts"),
        import("./discover/mode.ts"),
      ]);
      return { flags, run: discover };
    },
  ),
  command("plan", "shows what discover would change in the zone now; changes nothing", async () => {
    const [{ flags }, { plan }, { flags: ignores }] = await Promise.all([
      import("./plan/config.ts"),
      import("./plan/mode.ts"),
      import("./discover/config.ts"),
    ]);
    return { flags, run: plan, ignores };
  }),
  command("doctor", "checks all that the agent needs, and says what to do", async () => {
    const [{ flags }, { doctor }, { flags: ignores }] = await Promise.all([
      import("./doctor/config.ts"),
      import("./doctor/mode.ts"),
      import("./discover/config.ts"),
    ]);
    return { flags, run: doctor, ignores };
  }),
  command(
    "status",
    "shows how the running agent is, and why a name is there or missing",
    async () => {
      const [{ flags }, { status }, { flags: ignores }] = await Promise.all([
        import("./status/config.ts"),
        import("./status/mode.ts"),
        import("./discover/config.ts"),
      ]);
      return { flags, run: status, ignores };
    },
  ),
  command("deregister", "removes every record of this host, once", async () => {
    const [{ flags }, { deregister }, { flags: ignores }] = await Promise.all([
      import("./deregister/config.ts"),
      import("./deregister/mode.ts"),
      import("./discover/config.ts"),
    ]);
    return { flags, run: deregister, ignores };
  }),
  command("sweep", "removes the records of hosts and tasks that are dead, once", async () => {
    const [{ flags }, { sweepOnce }] = await Promise.all([
      import("./sweep/config.ts"),
      import("./sweep/mode.ts"),
    ]);
    return { flags, run: sweepOnce };
  }),
  mode(
    "sandbox",
    "shows the agent at work against stand-ins for AWS, on this machine alone",
    async () => {
      const [{ flags }, { sandbox }] = await Promise.all([
        import("./sandbox/config.ts"),
        import("./sandbox/mode.ts"),
      ]);
      return { flags, run: sandbox };
    },
  ),
  completionMode(() => modes),
];

/** A mode that works until it is stopped, or has something done. */
function mode<F extends Flags & typeof commonFlags>(
  name: string,
  summary: string,
  load: () => Promise<{
    readonly flags: F;
    readonly run: (config: ConfigOf<F>, surroundings: Surroundings) => Promise<void>;
  }>,
): Mode {
  return reading(name, summary, "stdout", load);
}

/** A mode that is asked something: stopped before its answer, it has none, and must not look as if all were well. */
function command<F extends Flags & typeof commonFlags>(
  name: string,
  summary: string,
  load: () => Promise<{
    readonly flags: F;
    readonly ignores?: Flags;
    readonly run: (config: ConfigOf<F>, surroundings: Surroundings) => Promise<Answer>;
  }>,
): Mode {
  return reading(name, summary, "stderr", async () => {
    const { run, ...loaded } = await load();
    return {
      ...loaded,
      run: (config: ConfigOf<F>, surroundings: Surroundings) =>
        run(config, surroundings).catch((error: unknown): Answer => {
          const { signal } = surroundings.stop;
          if (!signal.aborted || error !== signal.reason) throw error;
          return { code: 1, why: "stopped before it had an answer" };
        }),
    };
  });
}

function reading<F extends Flags & typeof commonFlags>(
  name: string,
  summary: string,
  logsTo: ReadyMode["logsTo"],
  load: () => Promise<{
    readonly flags: F;
    readonly ignores?: Flags;
    readonly run: (config: ConfigOf<F>, surroundings: Surroundings) => ReturnType<ReadyMode["run"]>;
  }>,
): Mode {
  return {
    name,
    summary,
    flags: async () => (await load()).flags,
    async read(argv, env) {
      const { flags, run, ignores } = await load();
      const about = {
        usage: `${name === DEFAULT_MODE ? `[${name}]` : name} [flags]`,
        summary: `${name}: ${summary}`,
        ...(ignores && { ignores }),
      };
      const line = readFlags(about, flags, argv, env);
      if (line.kind !== "config") return line;
      const { config } = line;
      return {
        kind: "config",
        common: config,
        logsTo,
        run: (surroundings) => run(config, surroundings),
      };
    },
  };
}

/** The version, from package.json, the one place that holds it. */
export const version = (): string =>
  (
    JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
      version: string;
    }
  ).version;
