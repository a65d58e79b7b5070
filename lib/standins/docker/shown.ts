import { type ContainerState, isRunning, networkId, networkOf } from "./state.ts";

/** How the API shows a container: moby's sources at v20.10.24, v25.0.0 and docker-v29.0.0. */

const timestamp = (ms: number | undefined): string =>
  ms === undefined ? "0001-01-01T00:00:00Z" : new Date(ms).toISOString();

const imageIdOf = (container: ContainerState): string =>
  `sha256:${Buffer.from(container.image).toString("hex").padEnd(64, "0").slice(0, 64)}`;

/** The address is the network's only while the container runs. */
const endpoint = (container: ContainerState, network: string, engineMinor: number) => {
  const live = isRunning(container);
  const address = live ? (container.address ?? "") : "";
  return {
    IPAMConfig: null,
    Links: null,
    Aliases: null,
    NetworkID: live ? networkId(network) : "",
    EndpointID: live ? container.id : "",
    Gateway: "",
    IPAddress: address,
    IPPrefixLen: address === "" ? 0 : 16,
    IPv6Gateway: "",
    GlobalIPv6Address: "",
    GlobalIPv6PrefixLen: 0,
    MacAddress: "",
    DriverOpts: null,
    ...(engineMinor >= 44 && { DNSNames: null }),
    ...(engineMinor >= 48 && { GwPriority: 0 }),
  };
};

const networksOf = (container: ContainerState, engineMinor: number) => {
  const network = networkOf(container);
  return network === undefined ? {} : { [network]: endpoint(container, network, engineMinor) };
};

const age = (ms: number): string => {
  const seconds = Math.floor(Math.max(0, ms) / 1000);
  const [count, unit] =
    seconds < 60
      ? [seconds, "second"]
      : seconds < 3600
        ? [Math.floor(seconds / 60), "minute"]
        : [Math.floor(seconds / 3600), "hour"];
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
};

const statusLine = (container: ContainerState, atMs: number): string => {
  switch (container.status) {
    case "created":
      return "Created";
    case "exited":
      return `Exited (${container.exitCode}) ${age(atMs - (container.finishedMs ?? atMs))} ago`;
    case "paused":
      return `Up ${age(atMs - (container.startedMs ?? atMs))} (Paused)`;
    case "running": {
      const health = container.health === "starting" ? "health: starting" : container.health;
      const up = `Up ${age(atMs - (container.startedMs ?? atMs))}`;
      return health === undefined ? up : `${up} (${health})`;
    }
  }
};

const command = ["/app", "serve"] as const;

/** Which API version a client asks for, and the newest that its engine has. */
interface Versions {
  readonly apiMinor: number;
  readonly engineMinor: number;
}

/** One element of GET /containers/json. The health summary came with API 1.52. */
export const summaryOf = (
  container: ContainerState,
  atMs: number,
  { apiMinor, engineMinor }: Versions,
) => ({
  Id: container.id,
  Names: [`/${container.name}`],
  Image: container.image,
  ImageID: imageIdOf(container),
  Command: command.join(" "),
  Created: Math.floor(container.createdMs / 1000),
  Ports: [],
  Labels: container.labels,
  State: container.status,
  Status: statusLine(container, atMs),
  HostConfig: { NetworkMode: container.networkMode },
  ...(apiMinor < 52 ? {} : { Health: { Status: container.health ?? "none", FailingStreak: 0 } }),
  NetworkSettings: { Networks: networksOf(container, engineMinor) },
  Mounts: [],
});

/** What describes the default bridge network outside of `Networks`, empty for a container that is in another one. */
const bridgeFields = (container: ContainerState, engineMinor: number) => {
  const bridge = endpoint(
    networkOf(container) === "bridge" ? container : { ...container, status: "created" },
    "bridge",
    engineMinor,
  );
  return {
    EndpointID: bridge.EndpointID,
    Gateway: bridge.Gateway,
    GlobalIPv6Address: bridge.GlobalIPv6Address,
    GlobalIPv6PrefixLen: bridge.GlobalIPv6PrefixLen,
    IPAddress: bridge.IPAddress,
    IPPrefixLen: bridge.IPPrefixLen,
    IPv6Gateway: bridge.IPv6Gateway,
    MacAddress: bridge.MacAddress,
  };
};

/**
 * The fields that API 1.52 removed: an older engine has them all for every container, a new one fills those of the
 * bridge network in for older clients: moby `daemon/server/router/container/inspect.go` at docker-v29.0.0.
 */
const legacyNetworkSettings = (
  container: ContainerState,
  { apiMinor, engineMinor }: Versions,
): Readonly<Record<string, unknown>> => {
  if (apiMinor >= 52) return {};
  if (engineMinor >= 52) {
    return networkOf(container) === "bridge" ? bridgeFields(container, engineMinor) : {};
  }
  return {
    Bridge: "",
    HairpinMode: false,
    LinkLocalIPv6Address: "",
    LinkLocalIPv6PrefixLen: 0,
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
    ...bridgeFields(container, engineMinor),
  };
};

/** GET /containers/{id}/json. */
export const inspectOf = (container: ContainerState, versions: Versions) => ({
  Id: container.id,
  Created: timestamp(container.createdMs),
  Path: command[0],
  Args: command.slice(1),
  State: {
    Status: container.status,
    Running: isRunning(container),
    Paused: container.status === "paused",
    Restarting: false,
    OOMKilled: container.oomKilled,
    Dead: false,
    Pid: isRunning(container) ? 1000 + (Number.parseInt(container.id.slice(0, 6), 16) % 30_000) : 0,
    ExitCode: container.exitCode,
    Error: "",
    StartedAt: timestamp(container.startedMs),
    FinishedAt: timestamp(container.finishedMs),
    ...(container.health === undefined
      ? {}
      : { Health: { Status: container.health, FailingStreak: 0, Log: [] } }),
  },
  Image: imageIdOf(container),
  Name: `/${container.name}`,
  RestartCount: container.restartCount,
  Driver: "overlay2",
  Platform: "linux",
  ExecIDs: null,
  HostConfig: {
    NetworkMode: container.networkMode,
    RestartPolicy: { Name: "no", MaximumRetryCount: 0 },
    AutoRemove: false,
    PortBindings: {},
  },
  Mounts: [],
  Config: {
    Hostname: container.id.slice(0, 12),
    Env: [],
    Cmd: command,
    Image: container.image,
    Labels: container.labels,
    ...(container.stopSignal === undefined ? {} : { StopSignal: container.stopSignal }),
    ...(container.healthcheck ? { Healthcheck: { Test: ["CMD-SHELL", "true"] } } : {}),
  },
  NetworkSettings: {
    SandboxID: "",
    SandboxKey: "",
    Ports: {},
    ...legacyNetworkSettings(container, versions),
    Networks: networksOf(container, versions.engineMinor),
  },
});
