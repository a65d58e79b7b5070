import type { Metric, Metrics } from "./metrics.ts";

export interface LazyMetrics<Name extends string> {
  /** Applies `act` now, or as soon as the metrics are loaded. */
  count(act: (metrics: Metrics<Name>) => void): void;
  /** The metrics themselves, with all that was counted. */
  load(): Promise<Metrics<Name>>;
}

/** Metrics that are loaded when somebody asks for them or the start is over: loading takes longer than counting. */
export function lazyMetrics<Name extends string>(
  declared: Readonly<Record<Name, Metric>>,
): LazyMetrics<Name> {
  let loaded: Metrics<Name> | undefined;
  let loading: Promise<Metrics<Name>> | undefined;
  let early: ((metrics: Metrics<Name>) => void)[] = [];
  const load = async (): Promise<Metrics<Name>> => {
    const { metrics } = await import("./metrics.ts");
    const made = metrics<Name>(declared);
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
