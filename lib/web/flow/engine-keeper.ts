import { causes } from "../../kit/failure.ts";
import type { Clock } from "../../kit/flow/clock.ts";
import type { Doorbell } from "../../kit/flow/doorbell.ts";
import { rest } from "../../kit/flow/rest.ts";
import type { Certificate } from "../certificates.ts";
import type { EngineSettings } from "../engine-files.ts";
import { EMPTY, type Layout, nextLayout } from "../layout.ts";
import type { Hosts } from "../virtual-hosts.ts";
import { type ContentPorts, type EngineContent, engineContent } from "./engine-content.ts";
import { listenPorts } from "./listen-ports.ts";

/** The engine as its keeper needs it. What it rejects with is told, and tried again. */
interface EnginePorts extends ContentPorts {
  /** Whether it runs now. */
  readonly isRunning: () => boolean;
  /** What an engine that was found running listens on. */
  readonly heldPorts: () => Promise<readonly number[]>;
  /** Why nobody can listen there; undefined when somebody can. */
  readonly listenProblem: (port: number) => Promise<string | undefined>;
}

export type EngineReport =
  | { readonly kind: "loaded"; readonly why: string }
  | { readonly kind: "applied"; readonly commands: number; readonly seconds: number }
  | { readonly kind: "failed"; readonly problem: string; readonly retryMs: number }
  | { readonly kind: "port"; readonly port: number; readonly problem: string };

export interface EngineStanding {
  readonly layout: Layout;
  readonly isRunning: boolean;
  /** Why it does not serve what it should; undefined when it does. */
  readonly problem: string | undefined;
  /** Ports that can't be listened on, and why. */
  readonly blocked: ReadonlyMap<number, string>;
  readonly loads: number;
}

export interface EngineKeeper {
  /** Until the stop. Never rejects for what the engine does. */
  run(stop: AbortSignal): Promise<void>;
  /** An answer to a challenge, or its end; resolves once the engine gives it. */
  challenge(token: string, answer: string | undefined): Promise<void>;
  standing(): EngineStanding;
}

export interface EngineKeeperOptions {
  readonly engine: EnginePorts;
  readonly desired: () => Hosts;
  readonly certificates: () => readonly Certificate[];
  /** Listened on whether or not somebody asks for it. */
  readonly alwaysOn: readonly number[];
  readonly settings: EngineSettings;
  readonly bell: Doorbell;
  readonly clock: Clock;
  readonly report: (report: EngineReport) => void;
}

const FAILED_RETRY_MS = 2_000;

/**
 * Keeps the engine equal to the hosts that are desired: by commands, or, where those can't do it, by files that it reads
 * anew. What an engine holds is known only from what this keeper gave it; so whatever goes wrong ends in files read anew.
 */
export function engineKeeper(options: EngineKeeperOptions): EngineKeeper {
  const { engine, desired, bell, clock, report } = options;
  const challenges = new Map<string, string>();
  const content = engineContent({ ...options, ports: engine, challenges });
  const ports = listenPorts({
    listenProblem: engine.listenProblem,
    clock,
    onBlocked: (port, problem) => report({ kind: "port", port, problem }),
  });
  let mustLoad: string | undefined = "start";
  let problem: string | undefined;
  let loads = 0;
  const waiting: (() => void)[] = [];

  const held = async (): Promise<ReadonlySet<number>> => {
    if (!engine.isRunning()) return new Set();
    return new Set(loads === 0 ? await engine.heldPorts() : content.layout().ports);
  };

  /** Makes the engine hold what is desired now. */
  const work = async (): Promise<void> => {
    if (!engine.isRunning()) mustLoad ??= "the engine had ended";
    const hosts = desired();
    const wanted = new Set([...options.alwaysOn, ...hosts.hosts.map(({ listen }) => listen)]);
    const usable = await ports.usable(wanted, await held());
    const next = nextLayout(content.layout(), hosts, usable);
    const why = mustLoad ?? next.reload;
    if (why === undefined) {
      await applied(content, next.layout, clock, report);
    } else {
      const fresh = next.reload === undefined ? nextLayout(EMPTY, hosts, usable) : next;
      await content.load(fresh.layout);
      mustLoad = undefined;
      loads += 1;
      report({ kind: "loaded", why });
    }
    problem = undefined;
  };

  /** How long to wait, whoever rings: not at all for the first time, as a load mends what a command could not do. */
  const failed = (error: unknown): number => {
    const retryMs = problem === undefined ? 0 : FAILED_RETRY_MS;
    problem = causes(error);
    mustLoad ??= "a command was not done";
    report({ kind: "failed", problem, retryMs });
    return retryMs;
  };

  return {
    async run(stop) {
      while (!stop.aborted) {
        try {
          const asked = waiting.length;
          await work();
          for (const resolve of waiting.splice(0, asked)) resolve();
          await rest({ clock, bell }, Math.min(content.nextMs(), ports.nextMs()), stop);
        } catch (error) {
          await clock.sleep(failed(error), stop).catch(() => {});
        }
      }
    },
    challenge(token, answer) {
      if (answer === undefined) challenges.delete(token);
      else challenges.set(token, answer);
      return new Promise((resolve) => {
        waiting.push(resolve);
        bell.ring();
      });
    },
    standing: () => ({
      layout: content.layout(),
      isRunning: engine.isRunning(),
      problem,
      blocked: ports.blocked(),
      loads,
    }),
  };
}

async function applied(
  content: EngineContent,
  layout: Layout,
  clock: Clock,
  report: EngineKeeperOptions["report"],
): Promise<void> {
  const startedMs = clock.now();
  const commands = await content.apply(layout);
  const seconds = (clock.now() - startedMs) / 1000;
  if (commands > 0) report({ kind: "applied", commands, seconds });
  await content.tidy();
}
