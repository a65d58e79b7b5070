import { SERVICE_NAME_LABEL } from "../../../lib/discovery/labels.ts";
import { engineCheck } from "../../../lib/docker/flow/engine-check.ts";
import type { DockerEngine } from "../../../lib/docker/io/engine.ts";
import type { Clock } from "../../../lib/kit/flow/clock.ts";
import { overdueAfter } from "../../../lib/route53/overdue.ts";
import type { ChangeState } from "../../host/state.ts";
import { bind } from "../../page/bind.ts";
import { type LazyMetrics, lazyMetrics } from "../../page/lazy-metrics.ts";
import type { Metrics } from "../../page/metrics.ts";
import { neighbours } from "../../page/neighbours.ts";
import type { StatusAddress } from "../../page/status-address.ts";
import type { StatusServer, StatusServerOptions } from "../../page/status-server.ts";
import type { Surroundings } from "../../process/surroundings.ts";
import { version } from "../../process/version.ts";
import type { DiscoverConfig } from "../config.ts";
import type { Observer } from "../observer.ts";
import { page } from "../page/page.ts";
import { counted, type Request } from "./count-requests.ts";
import { problemsOf } from "./health.ts";
import { type MetricName, metricTable } from "./metrics.ts";
import { type StatusModel, statusModel } from "./model.ts";
import {
  fullnessOf,
  livesOf,
  type Snapshot,
  skippedOf,
  stateOf,
  summaryOf,
  unreadyOf,
} from "./view.ts";

/** The metrics are loaded so long after the start, unless somebody asks for them earlier. */
const METRICS_LATER_MS = 2_000;

/** Follows the agent's work, and serves what it knows of it at the address. */
export function status(
  address: StatusAddress,
  config: Pick<DiscoverConfig, "dryRun" | "patience" | "workers">,
  surroundings: Pick<Surroundings, "clock" | "log">,
): Observer {
  const { clock } = surroundings;
  const { dryRun, workers } = config;
  const patienceMs = config.patience * 1000;
  const model = statusModel({ clock, unixMs: Date.now, version: version(), dryRun, workers });
  const counts = lazyMetrics<MetricName>(metricTable);
  let server: StatusServer | undefined;
  let engineProblem: EngineProblem = async () => undefined;

  const changed = () => server?.changed();
  const outside = counted({
    clock,
    read: model.read,
    asked(request) {
      counts.count((metrics) => countRequest(metrics, request));
      model.asked(request);
      changed();
    },
  });
  return {
    docker(engine) {
      // Apart from what the agent itself asks: a check that fails is no request of its work.
      engineProblem = checkOf(engine, model, clock, patienceMs);
      return outside.docker(engine);
    },
    ecsAgent: outside.ecsAgent,
    zone: outside.zone,
    found(what) {
      model.found(what);
      changed();
    },
    streamOpened() {
      model.streamOpened();
      changed();
    },
    heard(id) {
      model.heard(id);
      counts.count(({ count }) => count("ecs_discovery_stream_events_total"));
      changed();
    },
    listed: model.listed,
    seen(id, seen) {
      model.seen(id, seen);
      changed();
    },
    wrote(report, why) {
      if (report.kind === "landed") {
        const { length } = report.changes;
        counts.count(({ observe }) => observe("ecs_discovery_batch_changes", length));
      }
      for (const change of model.wrote(report, why)) {
        counts.count((metrics) => countChange(metrics, change));
        server?.tell("change", change.seq, change);
      }
      changed();
    },
    async serve(stop) {
      // Also where nobody can ask for them yet, so that what is counted until then has an end.
      clock
        .sleep(METRICS_LATER_MS, stop)
        .then(counts.load)
        .catch(() => {});
      const answers = answersOf(model, counts, patienceMs, () => engineProblem());
      server = await bind(address, { ...answers, page }, surroundings, stop);
      if (server === undefined) return;
      surroundings.log.info("the status page is served", { url: server.url });
      if (!stop.aborted) {
        await new Promise((resolve) => stop.addEventListener("abort", resolve, { once: true }));
      }
      await server.close();
    },
  };
}

/** What a check of the engine found wrong. */
type EngineProblem = () => Promise<string | undefined>;

const checkOf = (
  engine: DockerEngine,
  { knows, takenToRun }: StatusModel,
  clock: Clock,
  patienceMs: number,
): EngineProblem =>
  engineCheck({
    answers: engine.version,
    running: (limitMs) => engine.running(SERVICE_NAME_LABEL, limitMs),
    knows,
    takenToRun,
    clock,
    listLimitMs: overdueAfter(patienceMs).overdueMs,
  });

type Answers = Pick<StatusServerOptions, "health" | "readiness" | "notes" | "metrics" | "state">;

/** What the server says; each answer is made of one snapshot. */
function answersOf(
  { snapshot }: StatusModel,
  counts: LazyMetrics<MetricName>,
  patienceMs: number,
  engineProblem: EngineProblem,
): Answers {
  const judged = async (): Promise<{ now: Snapshot; problems: readonly string[] }> => {
    const isOpen = () => snapshot().memory.stream.open;
    const problem = isOpen() ? await engineProblem() : undefined;
    const now = snapshot();
    const { memory, standing, nowMs } = now;
    const problems = problemsOf({
      nowMs,
      patienceMs,
      isStreamOpen: memory.stream.open,
      engineProblem: problem,
      standing,
      lastMiss: memory.lastMiss,
    });
    return { now, problems };
  };
  return {
    health: async () => (await judged()).problems,
    readiness() {
      const { memory, standing } = snapshot();
      return unreadyOf(memory, standing);
    },
    notes: () => snapshot().memory.notes(),
    async state() {
      const [{ now, problems }, others] = await Promise.all([judged(), neighbours("discover")]);
      return { ...stateOf(now, problems), neighbours: others };
    },
    async metrics() {
      const metrics = await counts.load();
      const { now, problems } = await judged();
      setGauges(metrics, now, problems);
      return metrics.text();
    },
  };
}

type Figures = Metrics<MetricName>;

function countChange(figures: Figures, { action, result, seconds }: ChangeState): void {
  figures.count("ecs_discovery_changes_total", { action: action.toLowerCase(), result });
  if (result === "accepted" && seconds !== undefined) {
    figures.observe("ecs_discovery_event_to_accepted_seconds", seconds);
  }
}

function countRequest(figures: Figures, { system, operation, result, seconds }: Request): void {
  const labels = { operation, result };
  switch (system) {
    case "Docker":
      figures.count("ecs_discovery_docker_requests_total", labels);
      return;
    case "the ECS agent":
      figures.count("ecs_discovery_introspection_requests_total", labels);
      return;
    case "Route 53":
      figures.count("ecs_discovery_route53_requests_total", labels);
      figures.observe("ecs_discovery_route53_request_seconds", seconds, { operation });
      if (result === "throttled") figures.count("ecs_discovery_route53_throttles_total");
  }
}

/** Gauges are read at scrape time; counters and histograms are kept as things happen. */
function setGauges({ set, setEach }: Figures, now: Snapshot, problems: readonly string[]): void {
  const { memory, standing, nowMs } = now;
  const { agent, owner, zone, health, flow } = summaryOf(now, problems);
  const { fullest, nearlyFull } = fullnessOf(memory.groups);
  const overdueSinceMs = standing?.overdueSinceMs ?? nowMs;
  set("ecs_discovery_info", 1, {
    version: agent.version,
    container_instance: owner?.instance ?? "",
    cluster: owner?.cluster ?? "",
    zone: zone?.name ?? "",
  });
  set("ecs_discovery_healthy", Number(health.ok));
  set("ecs_discovery_ready", Number(health.ready));
  set("ecs_discovery_stream_open", Number(flow.stream.open));
  setEach("ecs_discovery_containers", "state", livesOf(memory.rows));
  setEach("ecs_discovery_containers_skipped", "reason", skippedOf(memory.rows));
  set("ecs_discovery_queue_length", flow.queue.waiting);
  set("ecs_discovery_queue_working", flow.queue.working);
  set("ecs_discovery_records_desired", flow.records.desired);
  set("ecs_discovery_records_published", flow.records.published);
  set("ecs_discovery_changes_pending", flow.records.pending);
  set("ecs_discovery_changes_quarantined", flow.records.refused);
  set("ecs_discovery_changes_overdue_seconds", (nowMs - overdueSinceMs) / 1000);
  set("ecs_discovery_last_accepted_timestamp_seconds", flow.requests.lastAcceptedAt ?? 0);
  set("ecs_discovery_last_sync_timestamp_seconds", flow.lastSyncAt ?? 0);
  set("ecs_discovery_fullest_name_record_sets", fullest);
  set("ecs_discovery_names_nearly_full", nearlyFull);
}
