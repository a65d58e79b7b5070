import type { ContainerId } from "../../lib/docker/container.ts";
import type { DockerEngine, EngineEvent } from "../../lib/docker/io/engine.ts";
import { causes, Unavailable } from "../../lib/kit/failure.ts";
import { DNS_HOSTNAME_LABEL, PROXY_HOST_LABEL } from "../../lib/web/labels.ts";
import type { Surroundings } from "../process/surroundings.ts";

/** Docker drops events for a reader that it finds too slow, and tells nobody: every container is looked at again. */
const RESYNC_MS = 300_000;
const RECONNECT_MS = 1_000;
const LABELS = [PROXY_HOST_LABEL, DNS_HOSTNAME_LABEL] as const;

/** What is told of the engine's containers. */
export interface Audience {
  /** The list of the containers with one of the labels, at the start and whenever the stream begins anew. */
  listed(ids: readonly ContainerId[]): void;
  heard(id: ContainerId, event: Extract<EngineEvent, { kind: "container" }>["event"]): void;
  /** Whether the container has the other label, too: then it is told of twice. */
  hasHostLabel(id: ContainerId): boolean;
}

export interface DockerWatch {
  /** Follows the engine until the stop; one that goes away is waited for. Rejects for what only an operator can mend. */
  run(stop: AbortSignal): Promise<void>;
  /** Why the engine is not followed; undefined while it is. */
  problem(): string | undefined;
}

/** The events and lists of the containers with `proxy.host` or `dns.hostname`: subscribed before listed, both times. */
export function dockerWatch(
  docker: Pick<DockerEngine, "events" | "running">,
  audience: Audience,
  { clock, log }: Pick<Surroundings, "clock" | "log">,
): DockerWatch {
  let trouble: string | undefined;

  const watch = async (label: string, stop: AbortSignal): Promise<void> => {
    const events = await docker.events(label, stop);
    audience.listed(await docker.running(label));
    trouble = undefined;
    for await (const event of events) {
      if (event.kind !== "container") audience.listed(await docker.running(label));
      else if (label === PROXY_HOST_LABEL || !audience.hasHostLabel(event.id)) {
        audience.heard(event.id, event.event);
      }
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
      for (const label of LABELS) {
        const ids = await docker.running(label).catch((error: unknown) => {
          if (!(error instanceof Unavailable)) throw error;
          return [];
        });
        audience.listed(ids);
      }
    }
  };

  return {
    run: async (stop) => {
      await Promise.all([...LABELS.map((label) => watchOn(label, stop)), lookAgain(stop)]);
    },
    problem: () => trouble,
  };
}
