import type { Metrics } from "../page/metrics.ts";
import { type MetricName, metricTable } from "./metrics.ts";

export interface Figures {
  /** Counts now, or, before the metrics are loaded, then. */
  count(act: (figures: Metrics<MetricName>) => void): void;
  /** The metrics themselves, with all that was counted. */
  load(): Promise<Metrics<MetricName>>;
}

/**
 * The metrics, loaded when somebody asks for them or when the start is over: they take longer to load than to count, and
 * a start has better things to do.
 */
export function figures(): Figures {
  let loaded: Metrics<MetricName> | undefined;
  let loading: Promise<Metrics<MetricName>> | undefined;
  let early: ((figures: Metrics<MetricName>) => void)[] = [];
  const load = async (): Promise<Metrics<MetricName>> => {
    const { metrics } = await import("../page/metrics.ts");
    const made = metrics<MetricName>(metricTable);
    loaded = made;
    for (const act of early) act(made);
    early = [];
    return made;
  };
  return {
    count(act) {
      if (loaded === undefined) early.push(act);
      else act(loaded);
    },
    load() {
      loading ??= load();
      return loading;
    },
  };
}
