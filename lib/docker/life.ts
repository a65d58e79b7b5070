/** Docker's word for a container's health check; `none` where it has none. */
export type Health = "none" | "starting" | "healthy" | "unhealthy";

/** What can be known of a container's life. */
export interface Vitals {
  readonly running: boolean;
  readonly paused: boolean;
  readonly health: Health;
  /** It was sent its stop signal and has not ended since. */
  readonly stopping: boolean;
}

/** Something that happened to a container, or a look at it. */
export type LifeEvent =
  | { readonly kind: "seen"; readonly vitals: Omit<Vitals, "stopping"> }
  | { readonly kind: "start" | "die" | "pause" | "unpause" }
  | { readonly kind: "health"; readonly health: Health }
  /** Its stop signal was sent; any other signal is none of these. */
  | { readonly kind: "stop-signal" }
  /** It was sent its stop signal, and after the grace it still runs. */
  | { readonly kind: "survived" };

/** What an engine's event says of a container: a signal is a stop signal only by the container's own configuration. */
export type ContainerEvent =
  | Exclude<LifeEvent, { kind: "seen" | "stop-signal" | "survived" }>
  | { readonly kind: "signal"; readonly signal: number }
  | { readonly kind: "other" };

export const LIFELESS: Vitals = { running: false, paused: false, health: "none", stopping: false };

/**
 * The vitals after the event. Docker ends its probes, and calls the container unhealthy, when it dies and while it is
 * paused (seen with Docker 20.10: `test/process/life`).
 *
 * | event       | running | paused | health               | stopping           |
 * |-------------|---------|--------|----------------------|--------------------|
 * | seen        | as seen | as seen| as seen              | kept while running |
 * | start       | true    | false  | starting, or none    | false              |
 * | die         | false   | false  | unhealthy, or none   | false              |
 * | pause       | kept    | true   | unhealthy, or none   | kept               |
 * | unpause     | kept    | false  | kept                 | kept               |
 * | health      | kept    | kept   | as said              | kept               |
 * | stop-signal | kept    | kept   | kept                 | true while running |
 * | survived    | kept    | kept   | kept                 | false              |
 */
export function nextVitals(before: Vitals, event: LifeEvent): Vitals {
  const probed = (health: Health): Health => (before.health === "none" ? "none" : health);
  switch (event.kind) {
    case "seen":
      return { ...event.vitals, stopping: before.stopping && event.vitals.running };
    case "start":
      return { running: true, paused: false, health: probed("starting"), stopping: false };
    case "die":
      return { running: false, paused: false, health: probed("unhealthy"), stopping: false };
    case "pause":
      return { ...before, paused: true, health: probed("unhealthy") };
    case "unpause":
      return { ...before, paused: false };
    case "health":
      return { ...before, health: event.health };
    case "stop-signal":
      return { ...before, stopping: before.running };
    case "survived":
      return { ...before, stopping: false };
  }
}

export type Life = "dead" | "stopping" | "paused" | "starting" | "unhealthy" | "healthy";

/**
 * What the vitals come to, the first that applies: dead, stopping, paused, then its health; a container without a health
 * check is healthy as long as it runs.
 */
export function lifeOf({ running, paused, health, stopping }: Vitals): Life {
  if (!running) return "dead";
  if (stopping) return "stopping";
  if (paused) return "paused";
  return health === "none" ? "healthy" : health;
}

const NUMBERS: Readonly<Record<string, number>> = {
  HUP: 1,
  INT: 2,
  QUIT: 3,
  KILL: 9,
  USR1: 10,
  USR2: 12,
  PIPE: 13,
  ALRM: 14,
  TERM: 15,
  CONT: 18,
  STOP: 19,
  TSTP: 20,
  WINCH: 28,
  PWR: 30,
};
const SIGRTMIN = 34;
const SIGRTMAX = 64;

/**
 * The number of a signal that is written as a number or a name, `SIGTERM`, `term`, `15`, `RTMIN+3`; undefined for
 * anything else. Numbers are Linux's on x86 and ARM. Docker's events say the number, images say either.
 */
export function signalNumber(text: string): number | undefined {
  if (/^\d{1,2}$/.test(text)) return Number(text);
  const name = text.toUpperCase().replace(/^SIG/, "");
  const realTime = /^RTM(IN|AX)(?:([+-])(\d{1,2}))?$/.exec(name);
  if (realTime !== null) {
    const [, end, sign = "+", distance = "0"] = realTime;
    const number = (end === "IN" ? SIGRTMIN : SIGRTMAX) + Number(`${sign}${distance}`);
    return number >= SIGRTMIN && number <= SIGRTMAX ? number : undefined;
  }
  return Object.hasOwn(NUMBERS, name) ? NUMBERS[name] : undefined;
}

/** What `docker stop` and the ECS agent send where an image says nothing else. */
export const DEFAULT_STOP_SIGNAL = 15;
/** Ends any container, whatever its stop signal. */
export const KILL_SIGNAL = 9;
