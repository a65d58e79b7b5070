import type { PortState } from "../../lib/net/flow/forwards.ts";
import type { Metrics } from "../page/metrics.ts";

const perPort = ["port"];

/** All metrics of the mode; the names are an interface. */
export const metricTable = {
  ambassador_state_age_seconds: {
    kind: "gauge",
    help: "seconds since the tasks were last read, -1 before the first time",
  },
  ambassador_reads_total: {
    kind: "counter",
    help: "attempts to read the tasks, by their result: read or missed",
    labels: ["result"],
  },
  ambassador_tasks: {
    kind: "gauge",
    help: "tasks behind each port that get new connections",
    labels: perPort,
  },
  ambassador_tasks_out: {
    kind: "gauge",
    help: "tasks behind each port that are set aside or fail their check",
    labels: perPort,
  },
  ambassador_port_kernel: {
    kind: "gauge",
    help: "1 where the kernel hands a port's connections on, 0 where the proxy does",
    labels: perPort,
  },
  ambassador_open_connections: {
    kind: "gauge",
    help: "connections that are open in the proxy",
    labels: perPort,
  },
  ambassador_connections_total: {
    kind: "counter",
    help: "connections that tasks took, over the proxy and, as of the last look, over the kernel",
    labels: perPort,
  },
  ambassador_failed_dials_total: {
    kind: "counter",
    help: "times that a task did not take a connection in the proxy",
    labels: perPort,
  },
  ambassador_rescued_connections_total: {
    kind: "counter",
    help: "connections that another task than the first one took",
    labels: perPort,
  },
  ambassador_lost_connections_total: {
    kind: "counter",
    help: "connections that no task took",
    labels: perPort,
  },
  ambassador_sent_bytes_total: {
    kind: "counter",
    help: "bytes to tasks over the proxy",
    labels: perPort,
  },
  ambassador_received_bytes_total: {
    kind: "counter",
    help: "bytes from tasks over the proxy",
    labels: perPort,
  },
} as const;

type Name = keyof typeof metricTable;

/** Brings the metrics up to what the ports count; what has grown since the last time is added. */
export function gauges(): (
  metrics: Metrics<Name>,
  now: { readonly ageSeconds: number | undefined; readonly ports: readonly PortState[] },
) => void {
  const before = new Map<string, number>();
  return (metrics, { ageSeconds, ports }) => {
    metrics.set("ambassador_state_age_seconds", ageSeconds ?? -1);
    const each = (name: Name, value: (port: PortState) => number) =>
      metrics.setEach(
        name,
        "port",
        Object.fromEntries(ports.map((one) => [String(one.port), value(one)])),
      );
    each("ambassador_tasks", ({ backends }) => count(backends, ["serving"]));
    each("ambassador_tasks_out", ({ backends }) => count(backends, ["aside", "down"]));
    each("ambassador_port_kernel", ({ plane }) => Number(plane === "kernel"));
    each("ambassador_open_connections", ({ figures }) => figures.open);
    for (const one of ports) {
      const grown = (name: Name, value: number) => {
        const key = `${name} ${one.port}`;
        const more = value - (before.get(key) ?? 0);
        before.set(key, value);
        // A task that has gone takes its count along.
        metrics.count(name, { port: String(one.port) }, Math.max(0, more));
      };
      const sum = (value: (backend: PortState["backends"][number]) => number) =>
        one.backends.reduce((all, backend) => all + value(backend), 0);
      grown(
        "ambassador_connections_total",
        sum(({ connections }) => connections),
      );
      grown(
        "ambassador_failed_dials_total",
        sum(({ failures }) => failures),
      );
      grown("ambassador_rescued_connections_total", one.figures.rescued);
      grown("ambassador_lost_connections_total", one.figures.givenUp);
      grown(
        "ambassador_sent_bytes_total",
        sum(({ bytesSent }) => bytesSent),
      );
      grown(
        "ambassador_received_bytes_total",
        sum(({ bytesReceived }) => bytesReceived),
      );
    }
  };
}

const count = (backends: PortState["backends"], states: readonly string[]): number =>
  backends.filter(({ state }) => states.includes(state)).length;
