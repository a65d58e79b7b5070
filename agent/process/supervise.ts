import type { EventEmitter } from "node:events";
import type { Clock } from "../../lib/kit/flow/clock.ts";

/** The one way to end: a signal that everything listens to, and the way to give it a cause. */
export interface Stop {
  readonly signal: AbortSignal;
  /** Something of ours failed. The first cause is kept; nothing new starts from now on. */
  fail(cause: unknown): void;
  /** True once somebody asked the process to stop, and nothing has failed. */
  wasAsked(): boolean;
}

/** What a command that was asked something says with its exit code, beside what it prints. */
export interface Answer {
  /** 0 all is well, 1 something is wrong, 2 it was asked wrongly, 3 there is a difference. */
  readonly code: 0 | 1 | 2 | 3;
  readonly why: string;
  /** The failure behind code 1, where there is one. */
  readonly cause?: unknown;
}

/** How the process ends: 0 when it was asked to or is done, 1 when something failed, or what its answer says. */
export interface Ending extends Answer {
  /** A command has printed its answer, whatever that says. */
  readonly hasAnswered?: true;
}

/** A stop that somebody asked for. */
class StopRequested extends Error {
  override readonly name = "StopRequested";
}

const SIGNALS = ["SIGTERM", "SIGINT"] as const;

/**
 * Runs until `run` ends by itself, a signal comes or something fails, be it an error that nobody caught; then waits for `run` to drain. A second signal, or
 * a drain longer than `drainMs`, ends it at once.
 */
export async function supervise(
  run: (stop: Stop) => Promise<void> | Promise<Answer>,
  {
    signals,
    early = [],
    clock,
    drainMs,
    onStop,
  }: {
    /** Emits SIGTERM and SIGINT, and errors that nobody caught: the process. */
    readonly signals: EventEmitter;
    /** Signals that came before. */
    readonly early?: readonly string[];
    readonly clock: Clock;
    readonly drainMs: number;
    /** Told once, when the drain begins. */
    readonly onStop: (why: string, cause?: unknown) => void;
  },
): Promise<Ending> {
  const controller = new AbortController();
  const { signal } = controller;
  const atOnce = Promise.withResolvers<Ending>();
  let failure: { readonly cause: unknown } | undefined;

  const stop: Stop = {
    signal,
    fail(cause) {
      // What was only cut short by the stop is no failure of its own.
      if (signal.aborted && cause === signal.reason) return;
      failure ??= { cause };
      if (!signal.aborted) onStop("failed", cause);
      controller.abort(cause);
    },
    wasAsked: () => signal.reason instanceof StopRequested && failure === undefined,
  };
  const onSignal = (name: string) => {
    if (signal.aborted) {
      atOnce.resolve({ code: 1, why: `${name} during the drain` });
      return;
    }
    onStop(name);
    controller.abort(new StopRequested(name));
  };
  const onDrain = () => {
    clock.sleep(drainMs, drained.signal).then(
      () =>
        atOnce.resolve({
          code: 1,
          why: `the drain took longer than ${drainMs / 1000} s`,
          ...failure,
        }),
      () => {},
    );
  };
  const drained = new AbortController();
  for (const name of SIGNALS) signals.on(name, onSignal);
  signals.on("uncaughtException", stop.fail);
  signal.addEventListener("abort", onDrain, { once: true });

  const runToEnd = async (): Promise<Ending> => {
    let answer: Answer | undefined;
    try {
      answer = (await run(stop)) ?? undefined;
    } catch (error) {
      stop.fail(error);
    }
    if (failure !== undefined) return { code: 1, why: "failed", ...failure };
    if (answer !== undefined) return { ...answer, hasAnswered: true };
    return { code: 0, why: signal.aborted ? "asked to stop" : "done" };
  };
  for (const name of early) onSignal(name);
  try {
    return await Promise.race([runToEnd(), atOnce.promise]);
  } finally {
    drained.abort();
    for (const name of SIGNALS) signals.off(name, onSignal);
    signals.off("uncaughtException", stop.fail);
  }
}

/**
 * Waits for all parts to end. The first that fails stops the others, which then drain; so this never rejects, and what
 * failed is known to `stop`.
 */
export async function together(stop: Stop, parts: readonly Promise<void>[]): Promise<void> {
  await Promise.all(parts.map((part) => part.catch(stop.fail)));
}
