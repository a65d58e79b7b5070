import { EventEmitter } from "node:events";
import type { DiscoverConfig } from "../../agent/discover/config.ts";
import { discover } from "../../agent/discover/mode.ts";
import type { Edges } from "../../agent/host/edges.ts";
import type { Log } from "../../agent/process/log.ts";
import { type Ending, supervise } from "../../agent/process/supervise.ts";
import type { Clock } from "../../lib/kit/flow/clock.ts";
import { chance } from "../support/chance.ts";
import { type Gate, gate } from "./gate.ts";
import type { Life } from "./zone.ts";

/** The outside world of one life of the agent, as the host gives it; each call of it is one at which it can be killed. */
export type EdgesOf = (life: Life) => Edges;

/** The agent of one host, under Docker's `--restart always`: however it ends, it comes back. */
export interface AgentHost {
  start(): void;
  /** Ends at once, and comes back after Docker's delay. */
  kill(): void;
  /** Ends at the n-th call into the world from now on. */
  killAt(calls: number, phase: "before" | "after"): void;
  /** A kill that has not come yet never comes. */
  spare(): void;
  signal(name: "SIGTERM" | "SIGINT"): void;
  /** No agent of this host has run for so long, in ms, just now or at the end of its last absence, in the clock's ms. */
  lastAway(): { readonly forMs: number; readonly untilMs: number };
  /** Is asked to stop, and its successor starts at once, while it still waits for what is under way. */
  replace(): void;
}

/** Docker's restart policy: 100 ms doubled each time, no more than a minute; forgotten after 10 s of running. */
const RESTART_MS = { base: 150, cap: 60_000, forgetAfter: 10_000 };
export const LONGEST_RESTART_MS = RESTART_MS.cap;

export function agentHost({
  host,
  seed,
  config,
  clock,
  log,
  edgesOf,
  ended,
}: {
  readonly host: number;
  readonly seed: number;
  readonly config: DiscoverConfig;
  readonly clock: Clock & { at(ms: number, act: () => void): void };
  readonly log: Log;
  readonly edgesOf: EdgesOf;
  /** How a life ended by itself; a killed one tells nothing. */
  readonly ended: (ending: Ending) => void;
}): AgentHost {
  let current:
    | { readonly gate: Gate; readonly kill: () => void; readonly signals: EventEmitter }
    | undefined;
  let lives = 0;
  let delayMs = RESTART_MS.base;
  let awaySinceMs = Number.POSITIVE_INFINITY;
  let lastAway = { forMs: 0, untilMs: Number.NEGATIVE_INFINITY };

  const over = (life: Gate, sinceMs: number): void => {
    // Somebody else has its place already.
    if (current?.gate !== life) return;
    current = undefined;
    awaySinceMs = clock.now();
    if (clock.now() - sinceMs >= RESTART_MS.forgetAfter) delayMs = RESTART_MS.base;
    clock.at(clock.now() + delayMs, start);
    delayMs = Math.min(RESTART_MS.cap, delayMs * 2);
  };

  function start(): void {
    if (current !== undefined) return;
    lives += 1;
    lastAway = { forMs: clock.now() - awaySinceMs, untilMs: clock.now() };
    const sinceMs = clock.now();
    let diedAtMs: number | undefined;
    const dead = new AbortController();
    const life: Life = {
      dead: dead.signal,
      deadForMs: () => (diedAtMs === undefined ? 0 : Math.max(1, clock.now() - diedAtMs)),
    };
    const end = (): void => {
      diedAtMs ??= clock.now();
      dead.abort();
      over(through, sinceMs);
    };
    const through: Gate = gate(end);
    const own: Clock = {
      now: clock.now,
      sleep: (ms, signal) => through.call(() => clock.sleep(ms, signal)),
    };
    const signals = new EventEmitter();
    current = {
      gate: through,
      kill() {
        through.close();
        end();
      },
      signals,
    };
    const random = chance(seed + 1_000 * host + lives);
    const edges = gated(edgesOf(life), through);
    supervise((stop) => discover(config, { stop, clock: own, random, log, env: {} }, edges), {
      signals,
      clock: own,
      drainMs: config.drainTimeout * 1000,
      onStop() {},
    }).then(
      (ending) => {
        if (!through.isOpen()) return;
        // The process ends here, whatever is still open in it.
        through.close();
        ended(ending);
        end();
      },
      (error: unknown) => ended({ code: 1, why: "supervise threw", cause: error }),
    );
  }

  return {
    start,
    lastAway: () =>
      current === undefined ? { forMs: clock.now() - awaySinceMs, untilMs: clock.now() } : lastAway,
    kill: () => current?.kill(),
    killAt: (calls, phase) => current?.gate.closeAt(calls, phase),
    spare: () => current?.gate.spare(),
    signal: (name) => void current?.signals.emit(name, name),
    replace() {
      const old = current;
      if (old === undefined) return;
      old.gate.spare();
      old.signals.emit("SIGTERM", "SIGTERM");
      current = undefined;
      awaySinceMs = clock.now();
      start();
    },
  };
}

/** The same edges, each call of them through the gate. */
function gated(edges: Edges, { call }: Gate): Edges {
  return {
    docker() {
      const docker = edges.docker();
      return {
        version: () => call(() => docker.version()),
        running: (label) => call(() => docker.running(label)),
        inspect: (id) => call(() => docker.inspect(id)),
        events: async (label, stop) => {
          const events = await call(() => docker.events(label, stop));
          const read = events[Symbol.asyncIterator]();
          const next = () => call(() => read.next());
          return { [Symbol.asyncIterator]: () => ({ next }) };
        },
      };
    },
    async findEcsAgent() {
      const { agent, ...found } = await call(edges.findEcsAgent);
      return {
        ...found,
        agent: {
          url: agent.url,
          metadata: () => call(() => agent.metadata()),
          taskOf: (id) => call(() => agent.taskOf(id)),
          liveTasks: () => call(() => agent.liveTasks()),
        },
      };
    },
    async hostedZone(of) {
      const zone = await edges.hostedZone(of);
      return {
        close: zone.close,
        facts: () => call(() => zone.facts()),
        as(owner, name) {
          const owned = zone.as(owner, name);
          return {
            group: (one) => call(() => owned.group(one)),
            page: (cursor) => call(() => owned.page(cursor)),
            submit: (batch) => call(() => owned.submit(batch)),
          };
        },
      };
    },
    hostAddresses: () => call(edges.hostAddresses),
    bootId: () => call(edges.bootId),
    journalNames: () => call(edges.journalNames),
    journal(name) {
      const store = edges.journal(name);
      return {
        read: () => call(() => store.read()),
        isOurs: () => call(() => store.isOurs()),
        write: (text) => call(() => store.write(text)),
        remove: () => call(() => store.remove()),
        sign: {
          show: () => call(() => store.sign.show()),
          see: () => call(() => store.sign.see()),
          remove: () => call(() => store.sign.remove()),
        },
      };
    },
  };
}
