import { randomBytes } from "node:crypto";
import { bindings, type Judge } from "../../lib/fleet/flow/bindings.ts";
import { type FleetWriterReport, fleetWriter } from "../../lib/fleet/flow/fleet-writer.ts";
import { summed } from "../../lib/kit/flow/summed.ts";
import type { ZoneCursor } from "../../lib/route53/io/zone.ts";
import { queueUrlOf } from "../../lib/sqs/queue-url.ts";
import { retrying } from "../host/retrying.ts";
import type { Metrics } from "../page/metrics.ts";
import { modeStatus } from "../page/mode-status.ts";
import { together } from "../process/supervise.ts";
import type { Surroundings } from "../process/surroundings.ts";
import type { WriterConfig } from "./config.ts";
import { ecsFacts, systemEdges, type WriterEdges, writerZone } from "./edges.ts";
import { history } from "./history.ts";
import { metricTable, type WriterMetric } from "./metrics.ts";
import { tell } from "./tell.ts";
import { viewOf } from "./view.ts";

/** 5,000 hosts are some 330 messages a second. */
const LOOPS = 8;
const SUMMED_MS = 60_000;

/** Writes hosted zones for every host that sends its set to the queue. */
export async function writer(
  config: WriterConfig,
  { stop, clock, random, log, env }: Surroundings,
  edges: WriterEdges = systemEdges(config, env),
): Promise<void> {
  const insist = retrying(config, { stop, clock, random, log });
  const unixMs = Date.now;
  const done = new AbortController();
  const queueName = queueUrlOf(config.queueUrl)?.name ?? config.queueUrl;
  const known = history({ clock, unixMs });
  const sumUp = summed<string>({ clock, windowMs: SUMMED_MS, stop: stop.signal });
  const say = tell(log, sumUp);

  const [facts, zones] = await Promise.all([
    insist(() => edges.queue.facts()),
    Promise.all(
      edges.zones.map(async ({ id, zone }) => {
        const { name } = await insist(() => zone.facts());
        return writerZone(id, name, zone);
      }),
    ),
  ]);
  const { deadLetterUrl, visibilitySeconds } = facts;
  log.info("found the queue and the zones", {
    queue: queueName,
    messages: facts.waiting,
    zones: zones.map(({ names }) => names.name).join(","),
  });
  if (deadLetterUrl === undefined) {
    log.warn("the queue has no dead-letter queue: what can't be taken is deleted, and only logged");
  }
  const anyone: Judge = async () => ({ kind: "owner" });
  if (config.senders === "anyone") {
    log.warn("takes anyone's word for any host (--senders=anyone)");
  }

  const work = fleetWriter<ZoneCursor>({
    writer: randomBytes(8).toString("hex"),
    zones,
    queue: {
      ...edges.queue,
      bury:
        deadLetterUrl === undefined
          ? undefined
          : (body, reason) => edges.queue.bury(deadLetterUrl, body, reason),
    },
    visibilitySeconds,
    judge: config.senders === "ecs" ? bindings({ ecs: ecsFacts(edges.ecs), clock }) : anyone,
    loops: LOOPS,
    resyncMs: config.resync * 1000,
    force: config.force,
    insist,
    clock,
    random,
    unixMs,
    report(report) {
      say(report);
      known.heard(report);
      status.count((metrics) => count(metrics, report, unixMs()));
      status.changed();
    },
    ready() {
      known.ready();
      log.info("takes messages from now on");
    },
  });
  const status = modeStatus<WriterMetric>({
    mode: "writer",
    address: config.statusAddress,
    clock,
    log,
    view: () => viewOf(work, known, { clock, unixMs, queueName }),
    metrics: metricTable,
    gauges: (metrics) => setGauges(metrics, work, clock.now()),
  });

  const serving = status.serve(AbortSignal.any([stop.signal, done.signal]));
  await together(stop, [work.run(stop.signal)]);
  done.abort();
  await serving;
  edges.queue.close();
  edges.ecs.close();
  for (const { zone } of edges.zones) zone.close();
  log.info("stopped");
}

type Figures = Metrics<WriterMetric>;

function count({ count: add, observe }: Figures, report: FleetWriterReport, nowMs: number): void {
  switch (report.kind) {
    case "asked":
      add("ecs_discovery_writer_route53_requests_total", { result: report.result });
      if (report.result === "ok") observe("ecs_discovery_writer_batch_changes", report.changes);
      return;
    case "took":
      add("ecs_discovery_writer_messages_total", { kind: report.of });
      return;
    case "buried":
      add("ecs_discovery_writer_messages_total", { kind: report.why });
      return;
    case "unknown":
      add("ecs_discovery_writer_messages_total", { kind: "unknown" });
      return;
    case "wrote": {
      const { report: told } = report;
      const changes =
        told.kind === "landed" ? told.changes : told.kind === "refused" ? [told.change] : [];
      const result = told.kind === "landed" ? "accepted" : "refused";
      for (const { action } of changes) {
        add("ecs_discovery_writer_changes_total", { action: action.toLowerCase(), result });
      }
      if (told.kind === "landed" && report.sentMs !== undefined) {
        observe(
          "ecs_discovery_writer_sent_to_accepted_seconds",
          Math.max(0, (nowMs - report.sentMs) / 1000),
        );
      }
      return;
    }
    default:
  }
}

/** What is a state and no sum is looked up when it is asked for. */
function setGauges({ set, setEach }: Figures, work: ReturnType<typeof fleetWriter>, nowMs: number) {
  const parts = work.zones();
  const total = (of: (part: (typeof parts)[number]) => number): number =>
    parts.reduce((sum, part) => sum + of(part), 0);
  const views = parts.flatMap(({ fleet }) => fleet.views());
  setEach("ecs_discovery_writer_owners", "state", {
    heard: total(({ fleet }) => fleet.counts().heard),
    silent: total(({ fleet }) => fleet.counts().silent),
    doubtful: total(({ fleet }) => fleet.counts().doubtful),
  });
  set(
    "ecs_discovery_writer_records",
    total(({ fleet }) => fleet.size()),
  );
  set("ecs_discovery_writer_messages_in_hand", work.inHand());
  set(
    "ecs_discovery_writer_owners_waiting",
    total(({ joint }) => joint.standing().waiting),
  );
  const since = parts.flatMap(({ joint }) => joint.standing().overdueSinceMs ?? []);
  set("ecs_discovery_writer_overdue_seconds", (nowMs - Math.min(nowMs, ...since)) / 1000);
  set("ecs_discovery_writer_deletes_stopped", Number(parts.some(({ fleet }) => fleet.isStopped())));
  set(
    "ecs_discovery_writer_records_held",
    views.reduce((sum, { held }) => sum + held, 0),
  );
  set(
    "ecs_discovery_writer_records_refused",
    views.reduce((sum, { refused }) => sum + refused.length, 0),
  );
}
