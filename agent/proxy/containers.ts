import type { ContainerId } from "../../lib/docker/container.ts";
import { lives } from "../../lib/docker/flow/lives.ts";
import type { DockerEngine } from "../../lib/docker/io/engine.ts";
import { causes, Unavailable } from "../../lib/kit/failure.ts";
import { workQueue } from "../../lib/kit/flow/work-queue.ts";
import { type LookPorts, look, type Seen } from "../../lib/web/flow/look.ts";
import { type Endpoint, readiness } from "../../lib/web/flow/readiness.ts";
import { DNS_HOSTNAME_LABEL, type LabelRules, PROXY_HOST_LABEL } from "../../lib/web/labels.ts";
import type { Claim } from "../../lib/web/virtual-hosts.ts";
import type { Surroundings } from "../process/surroundings.ts";

/** Docker drops events for a reader that it finds too slow, and tells nobody: every container is looked at again. */
const RESYNC_MS = 300_000;
const RECONNECT_MS = 1_000;
const LOOK_AGAIN_MS = 1_000;
const WORKERS = 8;

export interface Containers {
  /** Follows the engine until the stop; one that goes away is waited for. Rejects for what only an operator can mend. */
  run(stop: AbortSignal): Promise<void>;
  /** Resolves when every container that ran at the start was looked at, and what answers at once has answered. */
  lookedAt(stop: AbortSignal): Promise<void>;
  /** What is served or drains now. */
  claims(): readonly Claim[];
  /** Of `dns.hostname`. */
  dnsNames(): readonly string[];
  /** All that were seen and run. */
  seen(): ReadonlyMap<ContainerId, Seen>;
  /** Claims that nobody answers for yet. */
  silent(): readonly Claim[];
  /** Why the engine is not followed; undefined while it is. */
  problem(): string | undefined;
}

interface Options {
  readonly docker: DockerEngine;
  readonly taskOf: LookPorts["taskOf"];
  readonly rules: LabelRules;
  readonly stopGraceMs: number;
  readonly connects: (endpoint: Endpoint) => Promise<boolean>;
  readonly surroundings: Pick<Surroundings, "clock" | "log">;
  readonly onChange: () => void;
  /** An event that may lead to a change. */
  readonly onEvent: (id: ContainerId) => void;
  readonly onSeen: (id: ContainerId, seen: Seen, before: Seen | undefined) => void;
}

/** This host's containers with `proxy.host` or `dns.hostname`, and what they ask for. */
export function containers(options: Options): Containers {
  const { docker, surroundings, onChange } = options;
  const { clock, log } = surroundings;
  const known = lives({ clock, stopGraceMs: options.stopGraceMs, withHealth: true });
  const lookAt = look({
    ports: { inspect: docker.inspect, taskOf: options.taskOf },
    lives: known,
    rules: options.rules,
  });
  const table = new Map<ContainerId, Seen>();
  /** How often each was started: a new process has to answer anew. */
  const starts = new Map<ContainerId, number>();
  const first = firstLook();
  let trouble: string | undefined;

  const keyOf = ({ container, target }: Claim): string =>
    `${container} ${starts.get(container) ?? 0} ${target.address}:${target.port}`;
  const claims = (): readonly Claim[] => [...table.values()].flatMap((seen) => seen.claims);

  const follow = (stop: AbortSignal) => {
    const ready = readiness({
      connects: options.connects,
      clock,
      stop,
      onReady: () => onChange(),
    });
    const queue = workQueue<ContainerId>({
      concurrency: WORKERS,
      clock,
      stop,
      async work(id) {
        try {
          const seen = await lookAt(id);
          const before = table.get(id);
          if (seen.life === "dead") {
            table.delete(id);
            starts.delete(id);
          } else table.set(id, seen);
          ready.want(new Map(claims().map((claim) => [keyOf(claim), claim.target])));
          options.onSeen(id, seen, before);
          first.looked(id);
          onChange();
          return seen.againInMs;
        } catch (error) {
          if (!(error instanceof Unavailable)) throw error;
          return LOOK_AGAIN_MS;
        }
      },
    });
    return { ready, queue };
  };
  let parts: ReturnType<typeof follow> | undefined;

  const watch = async (label: string, stop: AbortSignal): Promise<void> => {
    const events = await docker.events(label, stop);
    const queue = parts?.queue;
    const running = await docker.running(label);
    first.expect(running);
    for (const id of [...running, ...table.keys()]) queue?.mark(id);
    trouble = undefined;
    for await (const event of events) {
      if (event.kind !== "container") {
        for (const id of [...(await docker.running(label)), ...table.keys()]) queue?.mark(id);
        continue;
      }
      const { id } = event;
      // Who has both labels is told of twice: once is enough.
      if (label === DNS_HOSTNAME_LABEL && table.get(id)?.container?.labels.has(PROXY_HOST_LABEL))
        continue;
      if (event.event.kind === "start") starts.set(id, (starts.get(id) ?? 0) + 1);
      known.hear(id, event.event);
      options.onEvent(id);
      queue?.mark(id);
    }
  };

  const watchOn = async (label: string, stop: AbortSignal): Promise<void> => {
    while (!stop.aborted) {
      try {
        await watch(label, stop);
      } catch (error) {
        if (stop.aborted) return;
        if (!(error instanceof Unavailable)) throw error;
        const problem = causes(error);
        if (trouble === undefined) log.warn(`${problem}: serves on as it is, and tries again`);
        trouble = problem;
        await clock.sleep(RECONNECT_MS, stop).catch(() => {});
      }
    }
  };

  const lookAgain = async (stop: AbortSignal): Promise<void> => {
    for (;;) {
      await clock.sleep(RESYNC_MS, stop).catch(() => {});
      if (stop.aborted) return;
      const listed = await Promise.all(
        [PROXY_HOST_LABEL, DNS_HOSTNAME_LABEL].map((label) => docker.running(label)),
      ).catch((error: unknown) => {
        if (!(error instanceof Unavailable)) throw error;
        return [];
      });
      for (const id of [...listed.flat(), ...table.keys()]) parts?.queue.mark(id);
    }
  };

  return {
    async run(stop) {
      parts = follow(stop);
      await Promise.all([
        parts.queue.run(),
        watchOn(PROXY_HOST_LABEL, stop),
        watchOn(DNS_HOSTNAME_LABEL, stop),
        lookAgain(stop),
      ]);
      await parts.queue.drained();
    },
    async lookedAt(stop) {
      await first.done(stop);
      // What listens answers within a moment; what does not must not hold up the rest.
      const untilMs = clock.now() + FIRST_ANSWER_MS;
      while (!stop.aborted && clock.now() < untilMs && silentClaims().length > 0) {
        await clock.sleep(FIRST_ANSWER_MS / 25, stop).catch(() => {});
      }
    },
    claims: () => claims().filter((claim) => parts?.ready.isReady(keyOf(claim))),
    dnsNames: () => [...new Set([...table.values()].flatMap(({ dnsNames }) => dnsNames))],
    seen: () => table,
    silent: silentClaims,
    problem: () => trouble,
  };

  function silentClaims(): readonly Claim[] {
    return claims().filter((claim) => !parts?.ready.isReady(keyOf(claim)));
  }
}

const FIRST_ANSWER_MS = 500;

/** Both lists of the start, and a look at each container that they hold. */
function firstLook() {
  const left = new Set<ContainerId>();
  const looked = new Set<ContainerId>();
  let lists = 0;
  const { promise, resolve } = Promise.withResolvers<void>();
  const tell = (): void => {
    if (lists >= 2 && left.size === 0) resolve();
  };
  return {
    expect(ids: readonly ContainerId[]) {
      lists += 1;
      if (lists <= 2) for (const id of ids) if (!looked.has(id)) left.add(id);
      tell();
    },
    looked(id: ContainerId) {
      if (lists < 2) looked.add(id);
      left.delete(id);
      tell();
    },
    done(stop: AbortSignal): Promise<void> {
      if (stop.aborted) resolve();
      stop.addEventListener("abort", () => resolve(), { once: true });
      return promise;
    },
  };
}
