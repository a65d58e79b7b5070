import type { Clock } from "../../lib/kit/flow/clock.ts";
import type { Log } from "../process/log.ts";
import { version } from "../process/version.ts";
import { bind } from "./bind.ts";
import { lazyMetrics } from "./lazy-metrics.ts";
import type { Metric, Metrics } from "./metrics.ts";
import { modePage } from "./mode-page.ts";
import { type Neighbour, neighbours } from "./neighbours.ts";
import type { StatusAddress } from "./status-address.ts";
import type { StatusServer } from "./status-server.ts";
import { type ModeState, VIEW_SCHEMA_VERSION, type View } from "./view.ts";

/** The metrics are loaded so long after the start, unless somebody asks for them earlier. */
const METRICS_LATER_MS = 2_000;

export interface ModeStatusOptions<Name extends string> {
  /** The mode's name, as on the command line. */
  readonly mode: string;
  /** Where to serve; undefined for nowhere. */
  readonly address: StatusAddress | undefined;
  readonly clock: Clock;
  readonly log: Log;
  /** What there is to show at this moment. It is asked at most twice a second for each open page. */
  readonly view: () => View | Promise<View>;
  /** The metrics that the mode declares, under names of its own. */
  readonly metrics: Readonly<Record<Name, Metric>>;
  /** Sets the gauges when somebody scrapes; counters are kept by `count`. */
  readonly gauges?: (metrics: Metrics<Name>) => void | Promise<void>;
}

export interface ModeStatus<Name extends string> {
  /**
   * Serves /, /healthz, /readyz, /metrics, /v1/state and /v1/events until the signal aborts. Never rejects: the work
   * matters more than its page, so a taken port is told once and tried again.
   */
  serve(stop: AbortSignal): Promise<void>;
  /** The view has changed: open pages get it, at most twice a second. */
  changed(): void;
  /** Counts now, or as soon as the metrics are loaded. */
  count(act: (metrics: Metrics<Name>) => void): void;
}

/** The status server of any mode. */
export function modeStatus<Name extends string>(
  options: ModeStatusOptions<Name>,
): ModeStatus<Name> {
  const { mode, address, clock, log, view, gauges } = options;
  const startedAt = Date.now() / 1000;
  const figures = lazyMetrics<Name>(options.metrics);
  let server: StatusServer | undefined;

  const state = async () => stateOf(mode, startedAt, await Promise.all([view(), neighbours(mode)]));
  const scrape = async () => {
    const metrics = await figures.load();
    await gauges?.(metrics);
    return metrics.text();
  };
  // Readiness is asked for without waiting, so the last view's answer stands for it.
  let unready: readonly string[] = ["nothing was looked at yet"];
  const health = async (): Promise<readonly string[]> => {
    const { health: problems, readiness } = await view();
    unready = readiness;
    return problems;
  };

  const answers = {
    health,
    readiness: async () => {
      await health();
      return unready;
    },
    metrics: scrape,
    state,
    page: modePage,
  };

  return {
    changed: () => server?.changed(),
    count: figures.count,
    async serve(stop) {
      if (address === undefined) return;
      clock
        .sleep(METRICS_LATER_MS, stop)
        .then(figures.load)
        .catch(() => {});
      server = await bind(address, answers, { clock, log }, stop);
      if (server === undefined) return;
      log.info("the status page is served", { url: server.url });
      if (!stop.aborted) {
        await new Promise((resolve) => stop.addEventListener("abort", resolve, { once: true }));
      }
      await server.close();
    },
  };
}

/** The view with what is the same for every mode. */
function stateOf(
  mode: string,
  startedAt: number,
  [view, others]: readonly [View, readonly Neighbour[]],
): ModeState {
  return {
    schema: VIEW_SCHEMA_VERSION,
    agent: { mode, version: version(), startedAt, now: Date.now() / 1000 },
    health: { ok: view.health.length === 0, problems: [...view.health] },
    ready: { ok: view.readiness.length === 0, problems: [...view.readiness] },
    needsYou: [...view.needsYou],
    figures: [...view.figures],
    tables: view.tables.map(({ title, columns, rows, empty }) => ({
      title,
      columns: [...columns],
      rows: rows.map((row) => [...row]),
      empty,
    })),
    changes: [...view.changes],
    neighbours: [...others],
  };
}
