import { quote } from "../../kit/quote.ts";
import { type Context, isHostNetwork, type NamedContainer } from "./context.ts";
import { type Fields, present } from "./fields.ts";
import { portName } from "./names.ts";

export interface PodPort {
  readonly container: NamedContainer;
  readonly at: string;
  readonly port: number;
  readonly protocol: "TCP" | "UDP";
  readonly hostPort?: number;
  /** As the definition calls it, and as a port may be called. */
  readonly original?: string;
  readonly name?: string;
  readonly appProtocol?: string;
}

const MAX_RANGE = 100;

/** Every port of every container, each once. */
export function portsOf(context: Context): readonly PodPort[] {
  return context.containers.flatMap((container) => containerPorts(container, context));
}

function containerPorts(container: NamedContainer, context: Context): readonly PodPort[] {
  const { report } = context;
  const ports = new Map<string, PodPort>();
  const taken = new Set<string>();
  for (const [index, mapping] of (container.definition.portMappings ?? []).entries()) {
    const at = `${container.at}.portMappings[${index}]`;
    const protocol = protocolOf(mapping, at, context);
    const numbers = numbersOf(mapping, at, context);
    const name = mapping.name === undefined ? undefined : portName(mapping.name);
    const own = name === undefined || taken.has(name) || numbers.length > 1 ? undefined : name;
    if (mapping.name !== undefined && own !== mapping.name) {
      report.note(
        `${at}.name`,
        own === undefined
          ? `the port has no name: ${quote(mapping.name)} is taken, or stands for a range`
          : `the port is called ${quote(own)}: ${quote(mapping.name)} is no name of a port in Kubernetes`,
        "refer to the port by that name or by its number",
      );
    }
    if (own !== undefined) taken.add(own);
    const appProtocol = appProtocolOf(mapping.appProtocol, at, context);
    for (const port of numbers) {
      const key = `${port}/${protocol}`;
      if (ports.has(key)) {
        report.unmapped(
          at,
          `port ${key.toLowerCase()} of the container stands there twice`,
          "remove one",
        );
        continue;
      }
      const hostPort = numbers.length > 1 ? undefined : hostPortOf(mapping, at, context);
      ports.set(key, {
        container,
        at,
        port,
        protocol,
        ...(hostPort !== undefined && { hostPort }),
        ...(mapping.name !== undefined && { original: mapping.name }),
        ...(own !== undefined && { name: own }),
        ...(appProtocol !== undefined && { appProtocol }),
      });
    }
  }
  return [...ports.values()];
}

function protocolOf({ protocol = "tcp" }: Mapping, at: string, { report }: Context): "TCP" | "UDP" {
  const upper = protocol.toUpperCase();
  if (upper === "TCP" || upper === "UDP") return upper;
  report.unmapped(
    `${at}.protocol`,
    `expected tcp or udp, got ${quote(protocol)}; the port is taken as TCP`,
    "write tcp or udp; what speaks over it is appProtocol's to say",
  );
  return "TCP";
}

type Mapping = NonNullable<NamedContainer["definition"]["portMappings"]>[number];

function numbersOf(mapping: Mapping, at: string, { report }: Context): readonly number[] {
  const { containerPort, containerPortRange: range } = mapping;
  if (containerPort !== undefined) {
    if (isPort(containerPort)) return [containerPort];
    report.refuse(`${at}.containerPort`, `expected 1 to 65535, got ${containerPort}`);
    return [];
  }
  if (range === undefined) {
    report.unmapped(at, "it names no container port", "give it a containerPort");
    return [];
  }
  const [, first, last] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(range) ?? [];
  const from = Number(first);
  const to = Number(last ?? first);
  if (!isPort(from) || !isPort(to) || to < from) {
    report.refuse(
      `${at}.containerPortRange`,
      `expected a range such as 8000-8010, got ${quote(range)}`,
    );
    return [];
  }
  if (to - from >= MAX_RANGE) {
    report.unmapped(
      `${at}.containerPortRange`,
      `${to - from + 1} ports are too many for a pod's list (at most ${MAX_RANGE})`,
      "the container can still listen on them; name those that a Service is to reach",
    );
    return [];
  }
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

const isPort = (port: number): boolean => Number.isInteger(port) && port >= 1 && port <= 65_535;

function hostPortOf(
  { hostPort, containerPort }: Mapping,
  at: string,
  context: Context,
): number | undefined {
  const { task, options, report } = context;
  if (hostPort === undefined || hostPort === 0) return undefined;
  const isOwnAddress = task.networkMode === "awsvpc" || isHostNetwork(context);
  if (isOwnAddress && hostPort === containerPort) return undefined;
  if (options.hostPorts === "keep" && !isOwnAddress) {
    if (isPort(hostPort)) return hostPort;
    report.refuse(`${at}.hostPort`, `expected 1 to 65535, got ${hostPort}`);
    return undefined;
  }
  report.unmapped(
    `${at}.hostPort`,
    isOwnAddress
      ? `in network mode ${task.networkMode} a port of the host can't differ from the container's`
      : `a fixed port ${hostPort} of the node would allow one pod a node, and stop rolling updates`,
    isOwnAddress
      ? "let a Service map the port"
      : "reach it through a Service (loadBalancers), or keep it with --hostPorts=keep",
  );
  return undefined;
}

function appProtocolOf(
  text: string | undefined,
  at: string,
  { report, service }: Context,
): string | undefined {
  if (text === undefined) return undefined;
  const known = APP_PROTOCOLS.get(text.toLowerCase());
  if (known === undefined || service === undefined) {
    report.unmapped(
      `${at}.appProtocol`,
      known === undefined
        ? `${quote(text)} is none of ${[...APP_PROTOCOLS.keys()].join(", ")}`
        : "only the port of a Service has a protocol of its application, and no Service is asked for",
      known === undefined ? "set appProtocol of the Service's port" : "convert the service as well",
    );
  }
  return known;
}

/** Kubernetes documentation, application protocol: names without a prefix are IANA's. */
const APP_PROTOCOLS: ReadonlyMap<string, string> = new Map([
  ["http", "http"],
  ["http2", "kubernetes.io/h2c"],
  ["grpc", "kubernetes.io/h2c"],
]);

/** Containers of a pod share its address, so a port belongs to one of them; the API server does not look. */
export function refuseClashes(
  ports: readonly PodPort[],
  runsBeside: (container: NamedContainer) => boolean,
  { report }: Context,
): void {
  const owners = new Map<string, PodPort>();
  for (const port of ports) {
    if (!runsBeside(port.container)) continue;
    const key = `${port.port}/${port.protocol.toLowerCase()}`;
    const owner = owners.get(key);
    if (owner === undefined) owners.set(key, port);
    else {
      report.refuse(
        port.at,
        `containers ${quote(owner.container.original)} and ${quote(port.container.original)} both listen on ${key}, and the containers of a pod share one address: let one of them listen on another port`,
      );
    }
  }
}

export const portFields = ({ port, protocol, name, hostPort }: PodPort): Fields =>
  present({ name, containerPort: port, hostPort, protocol });
