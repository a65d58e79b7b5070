import { SERVICE_NAME_LABEL } from "../../lib/discovery/labels.ts";
import type { ContainerId } from "../../lib/docker/container.ts";
import type { DockerEngine, EngineEvent } from "../../lib/docker/io/engine.ts";
import type { Owner } from "../../lib/ecs/arn.ts";
import type { EcsAgent } from "../../lib/ecs/io/introspection.ts";
import type { HostedZone } from "../../lib/route53/io/zone.ts";
import type { Run } from "./run.ts";

/** This host and its zone, found. */
export interface Host {
  readonly docker: DockerEngine;
  readonly agent: EcsAgent;
  readonly owner: Owner;
  readonly cluster: string;
  readonly zone: HostedZone;
  readonly zoneName: string;
  /** Record sets in the zone. */
  readonly zoneSize: number;
  /** Open since before `running` was listed, so that nothing that starts in between is missed. */
  readonly stream: EventStream;
  readonly running: readonly ContainerId[];
}

export interface EventStream {
  readonly events: AsyncIterable<EngineEvent>;
  /** Ends it quietly. */
  readonly close: () => void;
}

/** Finds the engine, the ECS agent and the zone, opens the event stream and lists what runs. */
export async function connect(run: Run): Promise<Host> {
  const { config, edges, log, observed, retry } = run;
  const docker = observed.docker(edges.docker());
  const [engine, { agent: found, owner, cluster, version }] = await Promise.all([
    retry(() => docker.version()),
    retry(edges.findEcsAgent),
  ]);
  const agent = observed.ecsAgent(found);
  observed.found({ kind: "host", owner, cluster });
  log.info("found the Docker engine and the ECS agent", {
    docker: engine.engine,
    dockerApi: engine.api,
    ecsAgent: version,
    introspection: agent.url,
    cluster,
    instance: owner.instance,
  });

  // From here on nothing that starts is missed, however long the zone's part takes.
  const stream = await openStream(run, docker);
  const zone = observed.zone(await edges.hostedZone(owner));
  const { name: zoneName, size: zoneSize } = await zoneFacts(run, zone);
  observed.found({ kind: "zone", id: config.hostedZoneId, name: zoneName, recordSets: zoneSize });
  const running = await retry(() => docker.running(SERVICE_NAME_LABEL));
  observed.listed(running);
  log.info("found the zone and the running containers", {
    zone: zoneName,
    recordSets: zoneSize,
    containers: running.length,
  });
  return { docker, agent, owner, cluster, zone, zoneName, zoneSize, stream, running };
}

/**
 * The zone's name and size. A host that hands its records to a writer may not ask Route 53: where nobody has told it the
 * name, its records end in the zone's id instead, and only what stands before that is handed over.
 */
async function zoneFacts(
  { config, retry }: Run,
  zone: HostedZone,
): Promise<{ readonly name: string; readonly size: number }> {
  const { via, zoneName, fallback, hostedZoneId } = config;
  // Who may have to write it must know its name.
  if (via === undefined || (zoneName === undefined && fallback === "direct")) {
    return retry(() => zone.facts());
  }
  return { name: zoneName ?? hostedZoneId.toLowerCase(), size: 0 };
}

/** A stream of events, open by the time that it comes back. */
export async function openStream(
  { end, observed, retry }: Run,
  docker: Pick<DockerEngine, "events">,
): Promise<EventStream> {
  const closed = new AbortController();
  const events = await retry(() =>
    docker.events(SERVICE_NAME_LABEL, AbortSignal.any([end, closed.signal])),
  );
  observed.streamOpened();
  return { events, close: () => closed.abort() };
}
