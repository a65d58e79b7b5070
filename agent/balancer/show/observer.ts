import { type ModeStatus, modeStatus } from "../../page/mode-status.ts";
import type { Surroundings } from "../../process/surroundings.ts";
import type { BalancerConfig } from "../config.ts";
import type { CycleResult } from "../work/parts.ts";
import type { Count } from "./counted.ts";
import { metricTable } from "./metrics.ts";
import { type Telling, telling } from "./tell.ts";
import { type Known, viewOf } from "./view.ts";

/** What the page shows, beside what the observer itself hears. */
type KnownParts = Pick<
  Known,
  "instance" | "cluster" | "balancers" | "ports" | "begun" | "journalProblem"
>;

/** Hears all that the mode does, for log, page and metrics. */
export interface Observer extends Telling {
  readonly count: Count;
  counted: ModeStatus<keyof typeof metricTable>["count"];
  /** From now on the page shows these parts, as they are when somebody asks. */
  knows(parts: () => Promise<KnownParts>): void;
  cycled(result: CycleResult, sleepSeconds: number): void;
  serve(stop: AbortSignal): Promise<void>;
}

const NOTHING: KnownParts = {
  instance: undefined,
  cluster: undefined,
  balancers: new Map(),
  ports: [],
  begun: [],
  journalProblem: undefined,
};

export function observer(config: BalancerConfig, { clock, log }: Surroundings): Observer {
  let requests = 0;
  let result: CycleResult | undefined;
  let okAtMs: number | undefined;
  let sleepSeconds = 0;
  let parts: () => Promise<KnownParts> = async () => NOTHING;
  const said = telling({
    log,
    nowSeconds: () => Date.now() / 1000,
    onChange: () => status.changed(),
  });
  const ageSeconds = () => (okAtMs === undefined ? undefined : (clock.now() - okAtMs) / 1000);
  const status = modeStatus({
    mode: "balancer",
    address: config.statusAddress,
    clock,
    log,
    metrics: metricTable,
    view: async () =>
      viewOf({
        ...(await parts()),
        result,
        requests,
        sleepSeconds,
        ageSeconds: ageSeconds(),
        changes: said.changes(),
        refusals: said.refusals(),
      }),
    async gauges(metrics) {
      const { begun, ports } = await parts();
      metrics.set("balancer_cycle_age_seconds", ageSeconds() ?? -1);
      metrics.set("balancer_moves_open", begun.length);
      const open = ports.reduce((sum, { figures }) => sum + figures.open, 0);
      metrics.set("balancer_forward_open_connections", open);
      const marks = { good: 0, wait: 0, bad: 0 };
      for (const { mark } of result?.standings.values() ?? []) marks[mark] += 1;
      metrics.setEach("balancer_services", "standing", marks);
    },
  });
  return {
    ...said,
    counted: status.count,
    count(operation, outcome) {
      requests += 1;
      status.count((metrics) =>
        metrics.count("balancer_requests_total", { operation, result: outcome }),
      );
    },
    knows(now) {
      parts = now;
    },
    cycled(now, sleeps) {
      result = now;
      sleepSeconds = sleeps;
      const isOk = now.problems.length === 0;
      if (isOk) okAtMs = clock.now();
      status.count((metrics) =>
        metrics.count("balancer_cycles_total", { result: isOk ? "ok" : "failed" }),
      );
      said.cycle(now);
      status.changed();
    },
    serve: (stop) => status.serve(stop),
  };
}
