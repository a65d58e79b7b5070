import type { Served } from "../../lib/ecs/service-task.ts";
import type { Clock } from "../../lib/kit/flow/clock.ts";
import { summed } from "../../lib/kit/flow/summed.ts";
import { type Backend, backendKey, endpointOf } from "../../lib/net/backend.ts";
import type { ForwardsEvents } from "../../lib/net/flow/forwards.ts";
import type { Log } from "../process/log.ts";

const WINDOW_MS = 60_000;
/** So many lines one look may cost: a mistake in the task definition is that of every task. */
const MOST_LINES = 10;
/** The everyday life of tasks. */
const EVERYDAY = ["starting", "stopping", "stopped", "other-revision"];
const MOST_CHANGES = 50;

export interface Change {
  /** Unix seconds. */
  readonly at: number;
  readonly text: string;
}

/** What is told of the work, each thing once, and remembered for the page. */
export interface Tell extends ForwardsEvents {
  served(served: Served): void;
  missed(problem: string, pauseMs: number): void;
  /** The newest first. */
  changes(): readonly Change[];
}

interface Options {
  readonly log: Log;
  readonly clock: Clock;
  readonly stop: AbortSignal;
  readonly nowSeconds: () => number;
  readonly onChange: () => void;
}

export function tell(options: Options): Tell {
  let changes: readonly Change[] = [];
  const changed = (text: string): void => {
    changes = [{ at: options.nowSeconds(), text }, ...changes].slice(0, MOST_CHANGES);
    options.onChange();
  };
  return {
    ...tellOfPorts(options, changed),
    ...tellOfTasks(options.log, changed),
    changes: () => changes,
  };
}

function tellOfTasks(log: Log, changed: (text: string) => void): Pick<Tell, "served" | "missed"> {
  let absent = new Map<string, string>();
  let before: ReadonlyMap<number, readonly Backend[]> = new Map();
  let problemBefore: string | undefined;
  let hasRead = false;

  const tellAbsences = (absences: Served["absences"]): void => {
    const now = new Map(absences.map(({ of, reason, detail }) => [of, `${reason}: ${detail}`]));
    const fresh = absences.filter(({ of }) => now.get(of) !== absent.get(of));
    absent = now;
    for (const { of, reason, detail } of fresh.slice(0, MOST_LINES)) {
      const level = EVERYDAY.includes(reason) ? "debug" : "warn";
      log[level](`gets nothing: ${detail}`, { task: of, reason });
    }
    if (fresh.length > MOST_LINES) {
      log.warn("and others get nothing; the status page has them all", {
        tasks: fresh.length - MOST_LINES,
      });
    }
  };

  return {
    served({ ports, absences }) {
      hasRead = true;
      if (problemBefore !== undefined) {
        problemBefore = undefined;
        log.info("the tasks can be read again");
        changed("the tasks can be read again");
      }
      tellAbsences(absences);
      for (const port of new Set([...before.keys(), ...ports.keys()])) {
        const now = ports.get(port) ?? [];
        const text = difference(before.get(port) ?? [], now);
        if (text === undefined) continue;
        log.info(`port ${port}: ${text}`, { port, tasks: now.length });
        changed(`port ${port}: ${text}`);
      }
      before = ports;
    },
    missed(problem, pauseMs) {
      const isNew = problem !== problemBefore;
      problemBefore = problem;
      const fields = { cause: problem, retryInSeconds: Math.round(pauseMs / 100) / 10 };
      const meanwhile = hasRead ? "what was read last is served on" : "nobody is served yet";
      const text = `the tasks can't be read: ${meanwhile}, tries again`;
      if (!isNew) {
        log.debug(text, fields);
        return;
      }
      log.warn(text, fields);
      changed(`the tasks can't be read: ${problem}`);
    },
  };
}

function tellOfPorts(
  { log, clock, stop }: Options,
  changed: (text: string) => void,
): ForwardsEvents {
  const sum = summed<string>({ clock, windowMs: WINDOW_MS, stop });
  return {
    listening(port) {
      log.info("listens", { port });
      changed(`port ${port} is served`);
    },
    closed(port) {
      log.info("listens no longer: no task is left to hand on to", { port });
      changed(`port ${port} has no task left: connects are refused`);
    },
    refused(port, problem) {
      log.warn("can't listen: other ports are served, tries again", { port, cause: problem });
      changed(`port ${port} can't be served: ${problem}`);
    },
    failure(port, backend, problem) {
      sum(`${port} ${backendKey(backend)}`, (again) =>
        log.warn("a task did not take a connection: another one is tried", {
          port,
          task: backend.id,
          address: endpointOf(backend),
          cause: problem,
          ...again,
        }),
      );
    },
    givenUp(port, problem) {
      sum(`${port}`, (again) =>
        log.warn("no task took a connection: its client was reset", {
          port,
          cause: problem,
          ...again,
        }),
      );
    },
  };
}

/** `3 tasks (+1, -1)`; undefined where nothing has changed. */
function difference(before: readonly Backend[], now: readonly Backend[]): string | undefined {
  const old = new Set(before.map(backendKey));
  const fresh = new Set(now.map(backendKey));
  const more = [...fresh].filter((key) => !old.has(key)).length;
  const less = [...old].filter((key) => !fresh.has(key)).length;
  if (more + less === 0) return undefined;
  const parts = [...(more > 0 ? [`+${more}`] : []), ...(less > 0 ? [`-${less}`] : [])];
  return `${now.length} ${now.length === 1 ? "task" : "tasks"} (${parts.join(", ")})`;
}
