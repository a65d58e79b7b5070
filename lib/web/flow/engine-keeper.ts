import { causes } from "../../kit/failure.ts";
import type { Clock } from "../../kit/flow/clock.ts";
import type { Doorbell } from "../../kit/flow/doorbell.ts";
import { type Certificate, certificateCommands } from "../certificates.ts";
import { certificateList, configFile, type EngineSettings, mapFiles } from "../engine-files.ts";
import { type EngineText, engine } from "../engine-text.ts";
import {
  ACME_MAP,
  commandsBetween,
  deletionsIn,
  EMPTY,
  type Layout,
  type Leaver,
  nextLayout,
  without,
} from "../layout.ts";
import { TLS_PORT } from "../ports.ts";
import type { Hosts } from "../virtual-hosts.ts";

/** What the engine reads when it starts, by name within its folder. */
export interface EngineFiles {
  readonly config: string;
  readonly maps: ReadonlyMap<string, string>;
  readonly list: string;
  readonly certificates: readonly Certificate[];
}

/** The engine as its keeper needs it. What it rejects with is told, and tried again. */
export interface EnginePorts {
  /** Writes the files, then has the engine read them: one that runs goes on without a cut, else one is started. */
  readonly load: (files: EngineFiles) => Promise<void>;
  /** Writes the files for whoever starts the engine next. */
  readonly write: (files: EngineFiles) => Promise<void>;
  /** Runs the commands, in order. Rejects when one of them is not done. */
  readonly run: (commands: readonly EngineText[]) => Promise<void>;
  /** Runs commands that may be refused; whether each was done. */
  readonly try: (commands: readonly EngineText[]) => Promise<readonly boolean[]>;
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
  /** Resolves when the engine serves what is desired. */
  settled(stop: AbortSignal): Promise<void>;
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

/** A port in use is tried again. */
const PORT_RETRY_MS = 10_000;
const FAILED_RETRY_MS = 2_000;
const DELETE_RETRY_MS = 1_000;
/** The files follow the commands; nobody reads them before the engine is started again, and then they are written anew. */
const WRITE_MS = 1_000;
/** A port that nobody asks for any more is closed so much later: whoever asked may only be starting anew. */
const PORT_LINGER_MS = 30_000;
/** Each is a listener with maps of its own. */
const MOST_PORTS = 128;

/**
 * Keeps the engine equal to the hosts that are desired: by commands, or, where those can't do it, by files that it reads
 * anew. What an engine holds is known only from what this keeper gave it; so whatever goes wrong ends in files read anew.
 */
export function engineKeeper(options: EngineKeeperOptions): EngineKeeper {
  const { engine: port, desired, certificates, settings, bell, clock, report } = options;
  let layout: Layout = EMPTY;
  let loaded: readonly Certificate[] = [];
  let mustLoad: string | undefined = "start";
  let problem: string | undefined;
  let loads = 0;
  let unwrittenSinceMs: number | undefined;
  let deleteAtMs = 0;
  let failedAtMs: number | undefined;
  const blocked = new Map<number, { readonly problem: string; readonly untilMs: number }>();
  const unusedSinceMs = new Map<number, number>();
  const challenges = new Map<string, string>();
  const known = new Map<string, string>();
  let waiting: (() => void)[] = [];

  const filesOf = (of: Layout): EngineFiles => ({
    config: configFile(of, settings),
    maps: mapFiles(of, challenges),
    list: certificateList(certificates()),
    certificates: certificates(),
  });

  const portsFor = async (hosts: Hosts): Promise<readonly number[]> => {
    const wanted = new Set([...options.alwaysOn, ...hosts.hosts.map(({ listen }) => listen)]);
    const ours = mustLoad === "start" ? await port.heldPorts() : layout.ports;
    const held = new Set(port.isRunning() ? ours : []);
    const nowMs = clock.now();
    const usable: number[] = [];
    for (const one of held) {
      if (wanted.has(one)) unusedSinceMs.delete(one);
      else if (mustLoad === undefined) {
        const sinceMs = unusedSinceMs.get(one) ?? nowMs;
        unusedSinceMs.set(one, sinceMs);
        if (nowMs - sinceMs < PORT_LINGER_MS) wanted.add(one);
        else unusedSinceMs.delete(one);
      }
    }
    for (const [one] of blocked) if (!wanted.has(one)) blocked.delete(one);
    for (const one of wanted) {
      const known = blocked.get(one);
      if (known !== undefined && nowMs < known.untilMs) continue;
      const problem =
        usable.length === MOST_PORTS
          ? `a host listens on at most ${MOST_PORTS} ports`
          : held.has(one)
            ? undefined
            : await port.listenProblem(one);
      if (problem === undefined) {
        usable.push(one);
        blocked.delete(one);
      } else {
        if (known?.problem !== problem) report({ kind: "port", port: one, problem });
        blocked.set(one, { problem, untilMs: nowMs + PORT_RETRY_MS });
      }
    }
    return usable.toSorted((a, b) => a - b);
  };

  const load = async (next: Layout, why: string): Promise<void> => {
    const files = filesOf(next);
    const answers = new Map(challenges);
    await port.load(files);
    layout = next;
    loaded = files.certificates;
    known.clear();
    for (const [token, answer] of answers) known.set(token, answer);
    mustLoad = undefined;
    unusedSinceMs.clear();
    unwrittenSinceMs = undefined;
    loads += 1;
    report({ kind: "loaded", why });
  };

  const apply = async (next: Layout): Promise<void> => {
    const wanted = certificates();
    const commands = [
      ...commandsBetween(layout, next),
      ...challengeCommands(known, challenges),
      // Without a TLS port the engine has no list of them: the next load reads the files.
      ...(next.ports.includes(TLS_PORT) ? certificateCommands(loaded, wanted).flat() : []),
    ];
    layout = next;
    if (commands.length === 0) return;
    const startedMs = clock.now();
    await port.run(commands);
    loaded = wanted;
    known.clear();
    for (const [token, answer] of challenges) known.set(token, answer);
    unwrittenSinceMs ??= clock.now();
    report({
      kind: "applied",
      commands: commands.length,
      seconds: (clock.now() - startedMs) / 1000,
    });
  };

  const deleteLeavers = async (): Promise<void> => {
    const leavers = deletionsIn(layout);
    if (leavers.length === 0 || clock.now() < deleteAtMs) return;
    const done = await port.try(leavers.map(({ command }) => command));
    const deleted: Leaver[] = leavers.filter((_, index) => done[index] === true);
    layout = without(layout, deleted);
    deleteAtMs = clock.now() + DELETE_RETRY_MS;
  };

  /** Does what is to be done now; returns when to look again though nobody rings. */
  const step = async (): Promise<number> => {
    const before = waiting;
    waiting = [];
    try {
      const nextMs = await work();
      for (const resolve of before) resolve();
      return nextMs;
    } catch (error) {
      waiting.push(...before);
      throw error;
    }
  };

  const work = async (): Promise<number> => {
    if (!port.isRunning()) mustLoad ??= "the engine had ended";
    const hosts = desired();
    const ports = await portsFor(hosts);
    const next = nextLayout(layout, hosts, ports);
    const why = mustLoad ?? next.reload;
    if (why !== undefined) {
      await load(
        next.reload === undefined ? nextLayout(EMPTY, hosts, ports).layout : next.layout,
        why,
      );
    } else {
      await apply(next.layout);
      await deleteLeavers();
    }
    problem = undefined;
    failedAtMs = undefined;
    const nowMs = clock.now();
    if (unwrittenSinceMs !== undefined && nowMs - unwrittenSinceMs >= WRITE_MS) {
      await port.write(filesOf(layout));
      unwrittenSinceMs = undefined;
    }
    return Math.min(
      deletionsIn(layout).length > 0 ? Math.max(deleteAtMs, nowMs + 1) : Number.POSITIVE_INFINITY,
      unwrittenSinceMs === undefined ? Number.POSITIVE_INFINITY : unwrittenSinceMs + WRITE_MS,
      ...[...blocked.values()].map(({ untilMs }) => untilMs),
      ...[...unusedSinceMs.values()].map((sinceMs) => sinceMs + PORT_LINGER_MS),
    );
  };

  /** How long to wait, whoever rings. */
  const failed = (error: unknown): number => {
    problem = causes(error);
    mustLoad ??= "a command was not done";
    // At once for the first time: a load mends what a command could not do.
    const retryMs = failedAtMs === undefined ? 0 : FAILED_RETRY_MS;
    failedAtMs = clock.now();
    report({ kind: "failed", problem, retryMs });
    return retryMs;
  };

  return {
    async run(stop) {
      while (!stop.aborted) {
        try {
          const nextMs = await step();
          if (nextMs > clock.now()) await rest(bell, clock, nextMs, stop);
        } catch (error) {
          await clock.sleep(failed(error), stop).catch(() => {});
        }
      }
    },
    async challenge(token, answer) {
      if (answer === undefined) challenges.delete(token);
      else challenges.set(token, answer);
      const done = settledSoon();
      bell.ring();
      await done;
    },
    async settled(stop) {
      const done = settledSoon();
      bell.ring();
      const stopped = new Promise<void>((resolve) => {
        if (stop.aborted) resolve();
        stop.addEventListener("abort", () => resolve(), { once: true });
      });
      await Promise.race([done, stopped]);
    },
    standing: () => ({
      layout,
      isRunning: port.isRunning(),
      problem,
      blocked: new Map([...blocked].map(([one, { problem }]) => [one, problem])),
      loads,
    }),
  };

  /** At the end of a step that begins after now. */
  function settledSoon(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    waiting.push(resolve);
    return promise;
  }
}

/** Until the moment, a ring or the stop. */
async function rest(
  bell: Doorbell,
  clock: Clock,
  untilMs: number,
  stop: AbortSignal,
): Promise<void> {
  const woken = new AbortController();
  if (Number.isFinite(untilMs)) {
    const timer = AbortSignal.any([woken.signal, stop]);
    clock.sleep(Math.max(0, untilMs - clock.now()), timer).then(bell.ring, () => {});
  }
  await bell.rung(stop);
  woken.abort();
}

function challengeCommands(
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): readonly EngineText[] {
  const comes = [...after]
    .filter(([token]) => !before.has(token))
    .map(([token, answer]) => engine`add map ${ACME_MAP} ${token} ${answer}`);
  const goes = [...before.keys()]
    .filter((token) => !after.has(token))
    .map((token) => engine`del map ${ACME_MAP} ${token}`);
  return [...comes, ...goes];
}
