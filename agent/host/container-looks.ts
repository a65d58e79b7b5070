import { labelledTask } from "../../lib/discovery/endpoint.ts";
import { type DesiredTable, desiredTable } from "../../lib/discovery/flow/desired-table.ts";
import { look, type Seen } from "../../lib/discovery/flow/look.ts";
import type { ContainerId } from "../../lib/docker/container.ts";
import { type Lives, lives } from "../../lib/docker/flow/lives.ts";
import type { DockerEngine } from "../../lib/docker/io/engine.ts";
import type { Owner, TaskId } from "../../lib/ecs/arn.ts";
import type { EcsAgent } from "../../lib/ecs/io/introspection.ts";
import type { Clock, Random } from "../../lib/kit/flow/clock.ts";
import type { Addresses } from "../../lib/net/address.ts";
import type { Edges } from "./edges.ts";
import type { HostConfig } from "./host-flags.ts";
import type { RecordConfig } from "./record-flags.ts";

/** This host's containers as the flags have them judged. Nothing is looked at before it is asked for. */
export interface Containers {
  /** What the engine tells of them besides what a look shows. */
  readonly known: Lives;
  /** What those that were looked at ask of the zone. */
  readonly desired: DesiredTable;
  /** Tasks of which the engine has shown a container so far, in whatever state. */
  readonly shown: ReadonlySet<TaskId>;
  /** Stops recording tasks: only the start asks for them, and over the months there would be many. */
  readonly forgetShown: () => void;
  /** Looks at one; the table learns of it from the caller. */
  readonly lookAt: (id: ContainerId) => Promise<Seen>;
}

/** The one place where flags become rules, so that whatever says what discover would do says what it does. */
export function containersOf(
  config: RecordConfig & Pick<HostConfig, "patience">,
  host: {
    readonly docker: DockerEngine;
    readonly agent: EcsAgent;
    readonly owner: Owner;
    readonly zoneName: string;
    readonly edges: Pick<Edges, "hostAddresses">;
    readonly clock: Clock;
    readonly random: Random;
  },
): Containers {
  const { docker, agent, owner, zoneName, edges, clock, random } = host;
  const known = lives({
    clock,
    stopGraceMs: config.stopGrace * 1000,
    withHealth: config.health === "docker",
  });
  const shown = new Set<TaskId>();
  let areShownAskedFor = true;
  const lookAt = look({
    inspect: docker.inspect,
    taskOf: agent.taskOf,
    lives: known,
    hostAddresses: shared(async () => config.hostAddress ?? (await edges.hostAddresses()), clock),
    rules: {
      zoneName,
      owner,
      ttlSeconds: config.ttl,
      weight: config.weight,
      allowedNames: config.allowedNames,
      routing: config.routing,
      addressSource: config.addressSource,
      srv: config.srv,
      srvNames: config.srvNames,
    },
    clock,
    random,
    patienceMs: config.patience * 1000,
  });
  return {
    known,
    desired: desiredTable({ keepUnhealthy: config.allUnhealthy === "keep" }),
    shown,
    forgetShown() {
      areShownAskedFor = false;
      shown.clear();
    },
    async lookAt(id) {
      const seen = await lookAt(id);
      const task = seen.container && labelledTask(seen.container);
      if (task !== undefined && areShownAskedFor) shown.add(task);
      return seen;
    },
  };
}

/** So long nobody asks again where there was no answer: instance metadata out of reach takes a second to say so. */
const NONE_MS = 30_000;

/** Calls `ask` on first use and keeps the first answer that holds an address. All who wait share one question. */
function shared(ask: () => Promise<Addresses>, clock: Clock): () => Promise<Addresses> {
  let last: { readonly answer: Promise<Addresses>; untilMs: number } | undefined;
  return () => {
    if (last !== undefined && clock.now() < last.untilMs) return last.answer;
    const asked = { answer: ask(), untilMs: Number.POSITIVE_INFINITY };
    last = asked;
    asked.answer.then(
      (addresses) => {
        if (Object.keys(addresses).length === 0) asked.untilMs = clock.now() + NONE_MS;
      },
      () => {
        asked.untilMs = 0;
      },
    );
    return asked.answer;
  };
}
