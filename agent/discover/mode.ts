import { type Edges, systemEdges } from "../host/edges.ts";
import { together } from "../process/supervise.ts";
import type { Surroundings } from "../process/surroundings.ts";
import type { DiscoverConfig } from "./config.ts";
import { connect } from "./connect.ts";
import { follow } from "./follow.ts";
import { observer } from "./load-observer.ts";
import { containerLooks } from "./looks.ts";
import { publish } from "./publish.ts";
import { runOf } from "./run.ts";

/**
 * Keeps the zone equal to this host's labelled containers: events and the list of running containers mark ids, the pool
 * looks at them, the desired table remembers what they ask for, and the writer sends the difference to Route 53.
 */
export async function discover(
  config: DiscoverConfig,
  surroundings: Surroundings,
  edges: Edges = systemEdges(config, surroundings.env),
): Promise<void> {
  const { stop, log } = surroundings;
  const done = new AbortController();
  const end = AbortSignal.any([stop.signal, done.signal]);
  const observed = await observer(config, surroundings);
  const serving = observed.serve(end);
  const run = runOf({ ...surroundings, config, edges, end, observed });

  const host = await connect(run);
  const looks = containerLooks(run, host);
  const { events, doubts, resync } = follow(run, host, looks);
  // The queue's client is loaded by those alone who hand their records to a writer.
  const publishing = config.via === undefined ? publish : (await import("./via.ts")).publishVia;
  await together(stop, [
    events(),
    doubts(),
    resync(),
    looks.queue.run(),
    publishing(run, host, looks, () => done.abort()),
  ]);
  await looks.queue.drained();
  done.abort();
  await serving;
  host.zone.close();
  log.info("stopped", { skipped: JSON.stringify(looks.log.skipped()) });
}
