import { readdirSync } from "node:fs";
import { Counter, Gauge, Histogram, Registry } from "prom-client";

/** One metric as it is declared: its name carries its base unit, its help ends up in the README. */
export interface Metric {
  readonly kind: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly labels?: readonly string[];
  /** Of a histogram: upper bounds. */
  readonly buckets?: readonly number[];
}

type Labels = Readonly<Record<string, string>>;

export interface Metrics<Name extends string> {
  /** Adds to a counter, 1 unless said otherwise. */
  count(name: Name, labels?: Labels, by?: number): void;
  /** One value of a histogram. */
  observe(name: Name, value: number, labels?: Labels): void;
  /** Sets a gauge. */
  set(name: Name, value: number, labels?: Labels): void;
  /** Sets a gauge for each of its label's values, and forgets all others. */
  setEach(name: Name, label: string, values: Readonly<Record<string, number>>): void;
  /** Everything in Prometheus' text format 0.0.4, the process's own metrics included. */
  text(): Promise<{ readonly contentType: string; readonly body: string }>;
}

/** Metrics in a registry of their own. Throws when a metric is used as another kind than it is declared as. */
export function metrics<Name extends string>(
  declared: Readonly<Record<Name, Metric>>,
): Metrics<Name> {
  const register = new Registry();
  processMetrics(register);
  const made = new Map(
    Object.entries<Metric>(declared).map(([name, metric]) => [name, make(name, metric, register)]),
  );
  const the = <T>(name: Name, kind: new (...of: never[]) => T): T => {
    const metric = made.get(name);
    if (metric instanceof kind) return metric;
    throw new Error(`${name} is not a ${kind.name}`);
  };
  return {
    count: (name, labels = {}, by = 1) => the(name, Counter).inc({ ...labels }, by),
    observe: (name, value, labels = {}) => the(name, Histogram).observe({ ...labels }, value),
    set: (name, value, labels = {}) => the(name, Gauge).set({ ...labels }, value),
    setEach(name, label, values) {
      const gauge = the(name, Gauge);
      gauge.reset();
      for (const [value, count] of Object.entries(values)) gauge.set({ [label]: value }, count);
    },
    async text() {
      return { contentType: register.contentType, body: await register.metrics() };
    },
  };
}

/**
 * The process's own, under the names that every Prometheus client gives them. prom-client's default metrics would wake an
 * idle process a hundred times a second, to measure its event loop.
 */
function processMetrics(register: Registry): void {
  const registers = [register];
  const gauge = (name: string, help: string, read: () => number): void => {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  };
  new Counter({
    name: "process_cpu_seconds_total",
    help: "user and system CPU time spent",
    registers,
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc((user + system) / 1_000_000);
    },
  });
  gauge("process_resident_memory_bytes", "resident memory", () => process.memoryUsage.rss());
  const startedSeconds = Date.now() / 1000 - process.uptime();
  gauge("process_start_time_seconds", "when the process began, Unix time", () => startedSeconds);
  gauge("process_open_fds", "open file descriptors, 0 where that can't be known", openFiles);
  gauge("nodejs_heap_used_bytes", "what JavaScript's heap holds, garbage included", () => {
    return process.memoryUsage().heapUsed;
  });
}

/** Linux only. */
function openFiles(): number {
  try {
    return readdirSync("/proc/self/fd").length;
  } catch {
    return 0;
  }
}

function make(name: string, { kind, help, labels = [], buckets }: Metric, register: Registry) {
  const common = { name, help, labelNames: [...labels], registers: [register] };
  switch (kind) {
    case "counter":
      return new Counter(common);
    case "gauge":
      return new Gauge(common);
    case "histogram":
      return new Histogram({ ...common, ...(buckets && { buckets: [...buckets] }) });
  }
}
