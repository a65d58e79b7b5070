import type { Answer } from "../process/supervise.ts";
import type { Environment, Surroundings } from "../process/surroundings.ts";
import type { commonFlags } from "./common-flags.ts";
import { type ConfigOf, type Flags, readFlags } from "./flags.ts";

/** The mode that runs when none is named. */
export const DEFAULT_MODE = "discover";

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

/** A mode that works until it is stopped, or has something done. */
export function mode<F extends Flags & typeof commonFlags>(
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
export function command<F extends Flags & typeof commonFlags>(
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
