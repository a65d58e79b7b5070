import { labelledTask } from "../../lib/discovery/endpoint.ts";
import { causes } from "../../lib/discovery/flow/causes.ts";
import { heldDeletes } from "../../lib/discovery/flow/held-deletes.ts";
import { SERVICE_NAME_LABEL } from "../../lib/discovery/labels.ts";
import type { ContainerId } from "../../lib/docker/container.ts";
import { Fatal } from "../../lib/kit/failure.ts";
import { doorbell } from "../../lib/kit/flow/doorbell.ts";
import { persist, throttleWaits } from "../../lib/kit/flow/persist.ts";
import { summed } from "../../lib/kit/flow/summed.ts";
import { workQueue } from "../../lib/kit/flow/work-queue.ts";
import { ROUTE53_BATCH } from "../../lib/route53/batches.ts";
import { type WriterPorts, zoneWriter } from "../../lib/route53/flow/zone-writer.ts";
import type { ZoneCursor } from "../../lib/route53/io/zone.ts";
import { doubtfulDeletes } from "../host/bulk-deletes.ts";
import { containersOf } from "../host/containers.ts";
import { type Edges, systemEdges } from "../host/edges.ts";
import { removeFormerSelves, sameInstance } from "../host/former-self.ts";
import { findPublished, openJournal } from "../host/published.ts";
import { together } from "../process/supervise.ts";
import type { Surroundings } from "../process/surroundings.ts";
import type { DiscoverConfig } from "./config.ts";
import { observer } from "./load-observer.ts";
import { tell, times } from "./tell.ts";

/** A refused record may be refused because of somebody else's, which may be gone by then. */
const REFUSED_RETRY_MS = 300_000;
/** The same failure again is told once in this time. */
const SUMMED_MS = 60_000;

/**
 * Keeps the zone equal to this host's labelled containers: events and the list of running containers mark ids, the pool
 * looks at them, the desired table remembers what they ask for, and the writer sends the difference to Route 53.
 */
export async function discover(
  config: DiscoverConfig,
  { stop, clock, random, log, env }: Surroundings,
  edges: Edges = systemEdges(config, env),
): Promise<void> {
  const patienceMs = config.patience * 1000;
  const sumUp = summed<string>({ clock, windowMs: SUMMED_MS, stop: stop.signal });
  const throttled = throttleWaits({ random });
  const insistUntil =
    (signal: AbortSignal) =>
    <T>(act: () => Promise<T>): Promise<T> =>
      persist(act, {
        clock,
        random,
        limitMs: patienceMs,
        stop: signal,
        throttled,
        onMiss: (problem) =>
          sumUp(problem, (again) => log.warn(`${problem}; tries again${times(again)}`)),
      });
  const insist = insistUntil(stop.signal);
  const insistToTheEnd = insistUntil(new AbortController().signal);
  // Ends the parts below: by a stop, or because all is done (--once).
  const done = new AbortController();
  const end = AbortSignal.any([stop.signal, done.signal]);

  const observed = await observer(config, { clock, log });
  const serving = observed.serve(end);

  const docker = observed.docker(edges.docker());
  const [engine, found] = await Promise.all([
    insist(() => docker.version()),
    insist(edges.findEcsAgent),
  ]);
  const { owner, cluster, version } = found;
  const agent = observed.ecsAgent(found.agent);
  observed.found({ kind: "host", owner, cluster });
  log.info("found the Docker engine and the ECS agent", {
    docker: engine.engine,
    dockerApi: engine.api,
    ecsAgent: version,
    introspection: agent.url,
    cluster,
    instance: owner.instance,
  });

  const zone = observed.zone(edges.hostedZone(owner));
  // Subscribed before listed, so that nothing that starts in between is missed.
  const [{ name: zoneName, size: zoneSize }, events] = await Promise.all([
    insist(() => zone.facts()),
    insist(() => docker.events(SERVICE_NAME_LABEL, end)),
  ]);
  observed.streamOpened();
  observed.found({ kind: "zone", id: config.hostedZoneId, name: zoneName, recordSets: zoneSize });
  const running = await insist(() => docker.running(SERVICE_NAME_LABEL));
  observed.listed(running);
  log.info("found the zone and the running containers", {
    zone: zoneName,
    recordSets: zoneSize,
    containers: running.length,
  });

  const say = tell(log, { ...config, zoneName, sumUp });
  const causeOf = causes({ clock });
  const { known, desired, shown, forgetShown, lookAt } = containersOf(config, {
    docker,
    agent,
    owner,
    zoneName,
    edges,
    clock,
    random,
  });
  const changed = doorbell();
  const firstLooks = countdown(running);
  const held = heldDeletes({ liveTasks: agent.liveTasks, clock, released: changed.ring });
  const queue = workQueue<ContainerId>({
    concurrency: config.workers,
    clock,
    stop: end,
    async work(id) {
      const seen = await lookAt(id);
      const task = seen.container && labelledTask(seen.container);
      if (task !== undefined) held.shown(task);
      causeOf.seen(id, seen);
      say.seen(id, seen);
      observed.seen(id, seen);
      if (seen.desired !== undefined) {
        desired.put(id, seen.desired);
        firstLooks.tick(id);
        if (firstLooks.isReached()) say.unhealthy(desired.unhealthyNames());
        changed.ring();
      }
      return seen.againInMs;
    },
  });
  observed.found({ kind: "parts", queue, desired });
  observed.found({ kind: "notes", notes: () => [held.problem() ?? []].flat() });
  const doubt = doorbell();
  /** What the stream holds that can't be read, since every container was looked at. */
  let unreadable: string | undefined;
  /** Waits for nothing: what it does not read in time, Docker drops. */
  const watch = async (): Promise<void> => {
    for await (const event of events) {
      if (event.kind === "container") {
        known.hear(event.id, event.event);
        causeOf.heard(event.id);
        observed.heard(event.id);
        queue.mark(event.id);
      } else {
        unreadable ??= event.problem;
        doubt.ring();
      }
    }
  };
  const lookAtAll = async (): Promise<void> => {
    for (;;) {
      await doubt.rung(end);
      if (end.aborted) return;
      if (unreadable !== undefined) {
        log.warn(`Docker's event stream holds ${unreadable}; looks at every container`);
        unreadable = undefined;
      }
      known.doubt();
      const ids = await insist(() => docker.running(SERVICE_NAME_LABEL));
      observed.listed(ids);
      for (const id of [...known.ids(), ...queue.working(), ...ids]) queue.mark(id);
    }
  };
  /** Docker drops events for a reader that it finds too slow, and tells nobody. */
  const lookAgain = async (): Promise<void> => {
    if (config.resync === 0) return;
    for (;;) {
      const pauseMs = config.resync * 1000 * (0.5 + random() / 2);
      await clock.sleep(pauseMs, end).catch(() => {});
      if (end.aborted) return;
      await sameInstance(agent, owner);
      doubt.ring();
    }
  };
  const publish = async (): Promise<void> => {
    await firstLooks.reached(end);
    // A stop that is to remove the records must know them, too; the drain's deadline bounds it.
    const isToRemove = () => config.onStop === "remove" && stop.wasAsked();
    if (end.aborted && !isToRemove()) return;
    const owned = zone.as(owner.instance, zoneName);
    const journal = await openJournal(config, { zoneName, instance: owner.instance }, edges, {
      clock,
      random,
      log,
      stop,
    });
    const found = await findPublished({
      journal,
      zone: owned,
      zoneSize,
      names: new Set([...desired.records().values()].map(({ name }) => name)),
      whole: config.once || end.aborted,
      insist: config.onStop === "remove" ? insistToTheEnd : insist,
    });
    log.info(`knows this host's records from ${found.from}`, { ownRecords: found.published.size });
    const pretend: WriterPorts<ZoneCursor>["submit"] = async () => ({ kind: "accepted" });
    const writer = zoneWriter<ZoneCursor>({
      published: found.published,
      desired: desired.records,
      kept: () => new Set([...desired.kept(), ...held.keys()]),
      bell: changed,
      zone: {
        ...owned,
        ...(config.dryRun && { submit: pretend }),
        remember: async (published, hosts) => journal?.remember({ published, hosts }),
        isReplaced: () => journal?.isReplaced() === true,
      },
      limits: ROUTE53_BATCH,
      clock,
      random,
      patienceMs,
      refusedRetryMs: REFUSED_RETRY_MS,
      auditMs: config.dryRun ? 0 : config.resync * 1000,
      leftoverPages: found.unreadPages,
      doubtful: found.doubtful,
      hosts: found.hosts,
      caughtUp: () => causeOf.done("all"),
      report(report) {
        say.wrote(report, causeOf.of);
        observed.wrote(report, causeOf.of);
        if (report.kind === "landed") causeOf.done(report.changes);
      },
    });
    observed.found({ kind: "writer", ...writer });
    if (!config.force && !end.aborted) {
      const doubtful = await insist(() =>
        doubtfulDeletes(writer.difference(), found.published.size, { agent, shown }),
      );
      if (doubtful !== undefined) {
        // Nobody would be there to see the ECS agent agree.
        if (config.once) throw new Fatal(doubtful.refusal);
        held.hold(doubtful.deletes, found.published.size);
        log.warn(held.problem() ?? "", { records: doubtful.deletes.length });
      }
    }
    forgetShown();
    if (!end.aborted) log.info("every container is looked at once, the zone follows from now on");
    const finish = async (): Promise<void> => {
      if (config.once) await queue.idle();
      await writer.settled(end);
      const { hosts } = found;
      const surroundings = { clock, random, log };
      await removeFormerSelves({
        ...{ config, owner, zoneName, zone, hosts, edges, surroundings, end },
      });
      if (config.once) done.abort();
    };
    await Promise.all([writer.run(end), held.run(end), finish()]);
    if (isToRemove()) {
      log.info("removes this host's records (--onStop=remove)");
      desired.close();
      held.letGo();
      await writer.flush().catch((error: unknown) => {
        if (journal?.isReplaced() !== true) throw error;
        log.info("leaves them: another agent of this host has taken them over");
      });
    }
  };

  for (const id of running) queue.mark(id);
  await together(stop, [watch(), lookAtAll(), lookAgain(), queue.run(), publish()]);
  await queue.drained();
  done.abort();
  await serving;
  zone.close();
  log.info("stopped", { skipped: JSON.stringify(say.skipped()) });
}

/** Reached once every id has ticked. */
function countdown(ids: readonly ContainerId[]) {
  const left = new Set(ids);
  const zero = Promise.withResolvers<void>();
  if (left.size === 0) zero.resolve();
  return {
    tick(id: ContainerId) {
      left.delete(id);
      if (left.size === 0) zero.resolve();
    },
    isReached: () => left.size === 0,
    /** Resolves at zero, or when the signal aborts. */
    reached(stop: AbortSignal): Promise<void> {
      if (stop.aborted) zero.resolve();
      stop.addEventListener("abort", () => zero.resolve(), { once: true });
      return zero.promise;
    },
  };
}
