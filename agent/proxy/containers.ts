import type { ContainerId } from "../../lib/docker/container.ts";
import { lives } from "../../lib/docker/flow/lives.ts";
import type { DockerEngine } from "../../lib/docker/io/engine.ts";
import { Unavailable } from "../../lib/kit/failure.ts";
import { type WorkQueue, workQueue } from "../../lib/kit/flow/work-queue.ts";
import { type LookPorts, look, type Seen } from "../../lib/web/flow/look.ts";
import { type Endpoint, type Readiness, readiness } from "../../lib/web/flow/readiness.ts";
import { type LabelRules, PROXY_HOST_LABEL } from "../../lib/web/labels.ts";
import type { Claim } from "../../lib/web/virtual-hosts.ts";
import type { Surroundings } from "../process/surroundings.ts";
import { dockerWatch } from "./docker-watch.ts";

const LOOK_AGAIN_MS = 1_000;
/** What listens answers within a moment; at the start, what does not must not hold up the rest. */
const FIRST_ANSWER_MS = 500;
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
  const { docker, surroundings } = options;
  const { clock } = surroundings;
  const known = lives({ clock, stopGraceMs: options.stopGraceMs, withHealth: true });
  const table = new Map<ContainerId, Seen>();
  /** How often each was started: a new process has to answer anew. */
  const starts = new Map<ContainerId, number>();
  const first = firstLook();
  let ready: Readiness | undefined;
  let queue: WorkQueue<ContainerId> | undefined;

  const keyOf = ({ container, target }: Claim): string =>
    `${container} ${starts.get(container) ?? 0} ${target.address}:${target.port}`;
  const asked = (): readonly Claim[] => [...table.values()].flatMap(({ claims }) => claims);
  const isReady = (claim: Claim): boolean => ready?.isReady(keyOf(claim)) === true;
  const silent = (): readonly Claim[] => asked().filter((claim) => !isReady(claim));

  const watch = dockerWatch(
    docker,
    {
      listed(ids) {
        first.expect(ids);
        for (const id of new Set([...ids, ...table.keys()])) queue?.mark(id);
      },
      heard(id, event) {
        if (event.kind === "start") starts.set(id, (starts.get(id) ?? 0) + 1);
        known.hear(id, event);
        options.onEvent(id);
        queue?.mark(id);
      },
      hasHostLabel: (id) => table.get(id)?.container?.labels.has(PROXY_HOST_LABEL) === true,
    },
    surroundings,
  );
  const lookAt = look({
    ports: { inspect: docker.inspect, taskOf: options.taskOf },
    lives: known,
    rules: options.rules,
  });
  const work = async (id: ContainerId): Promise<number | undefined> => {
    try {
      const seen = await lookAt(id);
      const before = table.get(id);
      if (seen.life !== "dead") table.set(id, seen);
      else {
        table.delete(id);
        starts.delete(id);
      }
      ready?.want(new Map(asked().map((claim) => [keyOf(claim), claim.target])));
      options.onSeen(id, seen, before);
      first.looked(id);
      options.onChange();
      return seen.againInMs;
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      return LOOK_AGAIN_MS;
    }
  };

  return {
    async run(stop) {
      const { connects, onChange } = options;
      ready = readiness({ connects, clock, stop, onReady: onChange });
      queue = workQueue({ concurrency: WORKERS, clock, stop, work });
      await Promise.all([queue.run(), watch.run(stop)]);
      await queue.drained();
    },
    async lookedAt(stop) {
      await first.done(stop);
      await untilAnswered(silent, clock, stop);
    },
    claims: () => asked().filter(isReady),
    dnsNames: () => [...new Set([...table.values()].flatMap(({ dnsNames }) => dnsNames))],
    seen: () => table,
    silent,
    problem: watch.problem,
  };
}

/** Until nobody is silent any more, for a moment at most. */
async function untilAnswered(
  silent: () => readonly Claim[],
  clock: Surroundings["clock"],
  stop: AbortSignal,
): Promise<void> {
  const untilMs = clock.now() + FIRST_ANSWER_MS;
  while (!stop.aborted && clock.now() < untilMs && silent().length > 0) {
    await clock.sleep(FIRST_ANSWER_MS / 25, stop).catch(() => {});
  }
}

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
