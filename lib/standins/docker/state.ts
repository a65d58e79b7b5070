/** One container of the engine, as it is between two actions. Times are given, in milliseconds since the epoch. */

export type Health = "starting" | "healthy" | "unhealthy";

export interface ContainerState {
  /** 64 hex digits. */
  readonly id: string;
  /** Without the leading slash. */
  readonly name: string;
  readonly image: string;
  readonly labels: Readonly<Record<string, string>>;
  /** `container:<id>` (a task with its own network interface), `bridge`, `host`, `none`, or a network's name. */
  readonly networkMode: string;
  /** As configured: a name (`SIGINT`) or a number. */
  readonly stopSignal?: string;
  readonly address?: string;
  readonly status: "created" | "running" | "paused" | "exited";
  readonly exitCode: number;
  readonly oomKilled: boolean;
  readonly createdMs: number;
  readonly startedMs?: number;
  readonly finishedMs?: number;
  /** Absent without a health check, and before the first start. */
  readonly health?: Health;
  readonly healthcheck: boolean;
  readonly restartCount: number;
}

export const isRunning = (container: ContainerState): boolean =>
  container.status === "running" || container.status === "paused";

/** The network that is the container's own; undefined when it lives in another container's. */
export const networkOf = (container: ContainerState): string | undefined => {
  if (container.networkMode.startsWith("container:")) return undefined;
  return container.networkMode === "default" ? "bridge" : container.networkMode;
};

/** 64 hex digits, the same for the same name. */
export const networkId = (name: string): string =>
  Buffer.from(name).toString("hex").padEnd(64, "0").slice(0, 64);
