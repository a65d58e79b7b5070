/**
 * The life of one container as dockerd lives it: what an action makes of it, and which events it
 * emits in which order. Orders: section 5 of the fact sheet on Docker events (dockerd 20.10.24),
 * network events included. What differs between engines: moby's sources at v20.10.24, v25.0.0 and
 * docker-v29.0.0. Pure: times are given, in milliseconds since the epoch.
 */

import { type ContainerState, isRunning, networkId, networkOf } from "./state.ts";

export type ContainerAction =
  | { readonly verb: "create" | "start" | "restart" | "autoRestart" | "pause" | "unpause" | "oom" }
  | { readonly verb: "stop"; readonly ignoresTerm?: boolean }
  | { readonly verb: "kill"; readonly signal?: number; readonly survives?: boolean }
  | { readonly verb: "crash"; readonly exitCode?: number }
  | { readonly verb: "remove"; readonly force?: boolean }
  | { readonly verb: "health"; readonly health: "healthy" | "unhealthy" };

interface EventDraft {
  readonly Type: "container" | "network";
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> };
}

/** When, and to which engine, something happens. */
interface Moment {
  readonly ms: number;
  /** The minor version of the engine's newest API: 41, 44 or 52. */
  readonly engineMinor: number;
}

/** The container after the action (undefined once removed) and the events, in order. */
export interface Step {
  readonly container: ContainerState | undefined;
  readonly events: readonly EventDraft[];
}

const sorted = (record: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(record).toSorted(([a], [b]) => (a < b ? -1 : 1)));

/** Labels overwrite what the event itself says (`exitCode`, `signal`); image and name win over labels. */
const said = (
  container: ContainerState,
  action: string,
  details: Readonly<Record<string, string>> = {},
): EventDraft => ({
  Type: "container",
  Action: action,
  Actor: {
    ID: container.id,
    Attributes: sorted({
      ...details,
      ...container.labels,
      image: container.image,
      name: container.name,
    }),
  },
});

const driverOf = (network: string): string =>
  network === "none" ? "null" : network === "host" ? "host" : "bridge";

/** Carries no labels of the container, so a label filter never shows it. */
const wired = (
  container: ContainerState,
  action: "connect" | "disconnect",
): readonly EventDraft[] => {
  const network = networkOf(container);
  if (network === undefined) return [];
  const attributes = { container: container.id, name: network, type: driverOf(network) };
  return [
    {
      Type: "network",
      Action: action,
      Actor: { ID: networkId(network), Attributes: attributes },
    },
  ];
};

const signals: Readonly<Record<string, number>> = {
  HUP: 1,
  INT: 2,
  QUIT: 3,
  KILL: 9,
  USR1: 10,
  USR2: 12,
  TERM: 15,
  WINCH: 28,
};

/** The number `kill` events carry for the container's own stop signal; 15 unless configured. */
const stopSignalOf = (container: ContainerState): number => {
  const configured = container.stopSignal ?? "SIGTERM";
  const named = signals[configured.replace(/^SIG/, "")];
  const signal = named ?? (/^\d+$/.test(configured) ? Number(configured) : undefined);
  if (signal === undefined) throw new Error(`expected a stop signal, got ${configured}`);
  return signal;
};

const exitOfKilled = 137;

/** Health starts over with every start, without an event. */
const started = (container: ContainerState, atMs: number): ContainerState => ({
  ...container,
  status: "running",
  startedMs: atMs,
  exitCode: 0,
  oomKilled: false,
  ...(container.healthcheck ? { health: "starting" } : {}),
});

/** A stopped probe leaves "unhealthy" behind, without an event: moby `daemon/container/health.go`. */
const ended = (container: ContainerState, atMs: number, exitCode: number): ContainerState => ({
  ...container,
  status: "exited",
  finishedMs: atMs,
  exitCode,
  ...(container.healthcheck ? { health: "unhealthy" } : {}),
});

/** How long it ran, in whole seconds, is told since Docker 23: moby `daemon/monitor.go`. */
const died = (container: ContainerState, exitCode: number, at: Moment): readonly EventDraft[] => {
  const ranMs = Math.max(0, at.ms - (container.startedMs ?? at.ms));
  return [
    said(container, "die", {
      exitCode: String(exitCode),
      ...(at.engineMinor > 41 && { execDuration: String(Math.floor(ranMs / 1000)) }),
    }),
    ...wired(container, "disconnect"),
  ];
};

const killed = (container: ContainerState, signal: number): EventDraft =>
  said(container, "kill", { signal: String(signal) });

/** Raises Error where dockerd answers 409. */
const mustRun = (container: ContainerState, verb: string): void => {
  if (!isRunning(container)) {
    throw new Error(`${verb}: expected a running container, got ${container.status}`);
  }
};

const start = (container: ContainerState, atMs: number): Step => {
  if (container.status === "paused") {
    throw new Error("start: expected a stopped container, got paused");
  }
  if (container.status === "running") return { container, events: [] };
  return {
    container: started(container, atMs),
    events: [...wired(container, "connect"), said(container, "start")],
  };
};

const stop = (container: ContainerState, ignoresTerm: boolean, at: Moment): Step => {
  if (!isRunning(container)) return { container, events: [] };
  const paused = container.status === "paused";
  // A paused process cannot act on the first signal; observed were two kills around the unpause.
  const forced = ignoresTerm || paused;
  const exitCode = forced ? exitOfKilled : 0;
  return {
    container: ended(container, at.ms, exitCode),
    events: [
      killed(container, stopSignalOf(container)),
      ...(paused ? [said(container, "unpause")] : []),
      ...(forced ? [killed(container, 9)] : []),
      ...died(container, exitCode, at),
      said(container, "stop"),
    ],
  };
};

/** Signal 9 ends it, and its own stop signal unless it is in no hurry; it survives every other. */
const kill = (
  container: ContainerState,
  signal: number,
  at: Moment,
  { survives = false }: { readonly survives?: boolean } = {},
): Step => {
  mustRun(container, "kill");
  const ends = signal === 9 || (signal === stopSignalOf(container) && !survives);
  if (!ends) return { container, events: [killed(container, signal)] };
  const exitCode = signal === 9 ? exitOfKilled : 0;
  return {
    container: ended(container, at.ms, exitCode),
    events: [
      killed(container, signal),
      ...(container.status === "paused" ? [said(container, "unpause")] : []),
      ...died(container, exitCode, at),
    ],
  };
};

/** Without container: nothing is left to act on. */
const then = (step: Step, next: (container: ContainerState) => Step): Step => {
  if (step.container === undefined) return step;
  const after = next(step.container);
  return { container: after.container, events: [...step.events, ...after.events] };
};

const remove = (container: ContainerState, force: boolean, at: Moment): Step => {
  if (isRunning(container) && !force) {
    throw new Error(`remove: expected a stopped container or force, got ${container.status}`);
  }
  const still: Step = { container, events: [] };
  return then(isRunning(container) ? kill(container, 9, at) : still, (dead) => ({
    container: undefined,
    events: [said(dead, "destroy")],
  }));
};

const crash = (container: ContainerState, exitCode: number, at: Moment): Step => {
  mustRun(container, "crash");
  return { container: ended(container, at.ms, exitCode), events: died(container, exitCode, at) };
};

const pause = (container: ContainerState): Step => {
  if (container.status !== "running") {
    throw new Error(`pause: expected a running container, got ${container.status}`);
  }
  // The probe stops while paused: `updateHealthMonitor` in moby `daemon/health.go`.
  const health = container.healthcheck ? { health: "unhealthy" as const } : {};
  return {
    container: { ...container, status: "paused", ...health },
    events: [said(container, "pause")],
  };
};

const unpause = (container: ContainerState): Step => {
  if (container.status !== "paused") {
    throw new Error(`unpause: expected a paused container, got ${container.status}`);
  }
  return { container: { ...container, status: "running" }, events: [said(container, "unpause")] };
};

/** An event on a transition only. */
const changeHealth = (container: ContainerState, health: "healthy" | "unhealthy"): Step => {
  if (!container.healthcheck) throw new Error("health: expected a container with a health check");
  if (container.status !== "running") {
    throw new Error(`health: expected a running container, got ${container.status}`);
  }
  if (container.health === health) return { container, events: [] };
  return {
    container: { ...container, health },
    events: [said(container, `health_status: ${health}`)],
  };
};

/** What the action makes of the container. Raises Error for what dockerd refuses with 409. */
export const act = (
  container: ContainerState,
  action: ContainerAction,
  atMs: number,
  engineMinor = 52,
): Step => {
  const at: Moment = { ms: atMs, engineMinor };
  switch (action.verb) {
    case "create":
      return { container, events: [said(container, "create")] };
    case "start":
      return start(container, atMs);
    case "stop":
      return stop(container, action.ignoresTerm ?? false, at);
    case "kill":
      return kill(container, action.signal ?? 9, at, action);
    case "crash":
      return crash(container, action.exitCode ?? 1, at);
    case "oom": {
      const dead = crash(container, exitOfKilled, at);
      return {
        container: dead.container && { ...dead.container, oomKilled: true },
        events: [said(container, "oom"), ...dead.events],
      };
    }
    case "restart":
      return then(
        then(stop(container, false, at), (stopped) => start(stopped, atMs)),
        (running) => ({ container: running, events: [said(running, "restart")] }),
      );
    case "autoRestart":
      return then(crash(container, 1, at), (dead) =>
        start({ ...dead, restartCount: dead.restartCount + 1 }, atMs),
      );
    case "remove":
      return remove(container, action.force ?? false, at);
    case "pause":
      return pause(container);
    case "unpause":
      return unpause(container);
    case "health":
      return changeHealth(container, action.health);
  }
};
