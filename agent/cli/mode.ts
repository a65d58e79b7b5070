import type { Answer } from "../process/supervise.ts";
import type { Environment, Surroundings } from "../process/surroundings.ts";
import type { commonFlags } from "./common-flags.ts";
import type { ConfigOf, Flags } from "./flag.ts";
import type { About, Words } from "./help.ts";
import { readFlags } from "./read-flags.ts";

/** The mode that runs when none is named. */
export const DEFAULT_MODE = "discover";

/** What every mode's configuration holds: for the process, not for the mode. */
type CommonConfig = ConfigOf<typeof commonFlags>;

/** A mode's configuration: its flags, and the words that stood among them. */
type Config<F extends Flags> = ConfigOf<F> & { readonly words: readonly string[] };

export interface ReadyMode {
  readonly name: string;
  readonly common: CommonConfig;
  /** Every flag with its value, for the log. */
  readonly effective: string;
  /** A mode that prints an answer logs beside it, so that the answer can be piped. */
  readonly logsTo: "stdout" | "stderr";
  readonly run: (surroundings: Surroundings) => Promise<void> | Promise<Answer>;
}

type ReadMode =
  | ({ readonly kind: "config" } & ReadyMode)
  | { readonly kind: "help"; readonly text: string }
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "problems"; readonly problems: readonly string[] };

export interface Mode {
  readonly name: string;
  /** Other names of it, such as an older program's. */
  readonly aliases: readonly string[];
  readonly summary: string;
  readonly flags: () => Promise<Flags>;
  /** What may follow the mode's name instead of flags, where that is a short list. */
  readonly words?: readonly string[];
  /** Reads its flags; its code is loaded when it runs. */
  readonly read: (argv: readonly string[], env: Environment) => Promise<ReadMode>;
}

/** How a mode is loaded: its flags alone for the help, its code when it runs. */
interface Loaded<F extends Flags, Result> {
  readonly config: () => Promise<{
    readonly flags: F;
    readonly examples?: About["examples"];
    /** What is wrong with the flags together, though each of them is right; as sentences. */
    readonly problems?: (config: ConfigOf<F>) => readonly string[];
  }>;
  readonly run: () => Promise<(config: Config<F>, surroundings: Surroundings) => Promise<Result>>;
}

interface Extras {
  readonly aliases?: readonly string[];
  readonly words?: Words;
  /** Loads another mode's flags, which may stand on the command line and mean nothing here. */
  readonly ignores?: () => Promise<{ readonly flags: Flags }>;
}

/**
 * A mode that works until it is stopped, or has something done. With flags for which `answers` is true it prints an answer
 * instead, as a command does.
 */
export function mode<F extends Flags & typeof commonFlags>(
  name: string,
  summary: string,
  loaded: Loaded<F, void> | Loaded<F, Answer | undefined>,
  {
    answers = () => false,
    ...extras
  }: Extras & { answers?: (config: ConfigOf<F>) => boolean } = {},
): Mode {
  const logsTo = (config: ConfigOf<F>) => (answers(config) ? "stderr" : "stdout");
  return reading(name, summary, logsTo, loaded as Loaded<F, Answer | undefined>, extras);
}

/** A command prints one answer. If it is stopped before that, it ends with code 1, not 0. */
export function command<F extends Flags & typeof commonFlags>(
  name: string,
  summary: string,
  { config, run }: Loaded<F, Answer>,
  extras: Extras = {},
): Mode {
  const answering = async () => {
    const act = await run();
    return (given: Config<F>, surroundings: Surroundings) =>
      act(given, surroundings).catch((error: unknown): Answer => {
        const { signal } = surroundings.stop;
        if (!signal.aborted || error !== signal.reason) throw error;
        return { code: 1, why: "stopped before it had an answer" };
      });
  };
  return reading(name, summary, () => "stderr", { config, run: answering }, extras);
}

function reading<F extends Flags & typeof commonFlags, Result>(
  name: string,
  summary: string,
  logsTo: (config: ConfigOf<F>) => ReadyMode["logsTo"],
  { config: load, run }: Loaded<F, Result>,
  { aliases = [], words, ignores }: Extras,
): Mode {
  const mode = name === DEFAULT_MODE ? `[${name}]` : name;
  return {
    name,
    aliases,
    summary,
    ...(words?.choices && { words: words.choices }),
    flags: async () => (await load()).flags,
    async read(argv, env) {
      const [{ flags, examples, problems }, ignored] = await Promise.all([load(), ignores?.()]);
      const about: About = {
        usage: [mode, ...(words ? [words.takes] : []), "[flags]"].join(" "),
        summary: `${name}: ${summary}`,
        more: `agent/${name}/README.md`,
        ...(examples && { examples }),
        ...(words && { words }),
        ...(ignored && { ignores: ignored.flags }),
      };
      const line = readFlags(about, flags, argv, env);
      if (line.kind !== "config") return line;
      const { config, effective } = line;
      const together = problems?.(config) ?? [];
      if (together.length > 0) return { kind: "problems", problems: together };
      return {
        kind: "config",
        name,
        common: config,
        effective,
        logsTo: logsTo(config),
        run: async (surroundings) => (await run())(config, surroundings) as Promise<Answer>,
      };
    },
  };
}
