import type { Log } from "../../process/log.ts";
import type { CycleResult } from "../work/parts.ts";
import type { Tell, Told } from "../work/standing.ts";

const MOST_KEPT = 50;

interface Kept {
  readonly at: number;
  readonly about: string;
  readonly text: string;
}

/** What is told goes to the log, and the last of it to the page. What stays as it is is told once. */
export interface Telling {
  readonly tell: Tell;
  /** What a cycle has found, as far as it differs from the one before. */
  cycle(result: CycleResult): void;
  changes(): readonly Kept[];
  refusals(): readonly Kept[];
}

export function telling({
  log,
  nowSeconds,
  onChange,
}: {
  readonly log: Log;
  readonly nowSeconds: () => number;
  readonly onChange: () => void;
}): Telling {
  let changes: readonly Kept[] = [];
  let refusals: readonly Kept[] = [];
  /** By what it is about: the text told last. */
  let standing = new Map<string, string>();

  const tell = ({ level, about, text }: Told): void => {
    log[level](text, { about });
    const kept = { at: nowSeconds(), about, text };
    if (level === "info") changes = [kept, ...changes].slice(0, MOST_KEPT);
    else refusals = [kept, ...refusals].slice(0, MOST_KEPT);
    onChange();
  };

  return {
    tell,
    cycle({ standings, files, problems }) {
      const now = new Map<string, string>();
      const say = (level: Told["level"], about: string, text: string): void => {
        const key = `${about} ${text}`;
        now.set(key, text);
        if (!standing.has(key)) tell({ level, about, text });
      };
      for (const [key, { mark, text }] of standings) {
        say(mark === "bad" ? "warn" : "info", key, `service ${key}: ${text}`);
      }
      for (const { why, isKept } of files.problems)
        say("warn", "files", isKept ? `${why}; what it said last still counts` : why);
      for (const { name, problem } of files.broken) say("warn", name, problem);
      for (const note of files.notes) say("warn", "files", note);
      for (const problem of problems)
        say("warn", "look", `${problem}; tries again with the next cycle`);
      standing = now;
    },
    changes: () => changes,
    refusals: () => refusals,
  };
}
