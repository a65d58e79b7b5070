import { quote } from "../kit/quote.ts";
import { type Context, NAME_LABEL } from "./mapping/context.ts";
import { type Fields, type Manifest, present } from "./mapping/fields.ts";
import { dnsLabel, portName } from "./mapping/names.ts";
import type { PodPort } from "./mapping/ports.ts";

interface ServicePort {
  readonly port: number;
  readonly target: number;
  readonly protocol: "TCP" | "UDP";
  readonly name?: string;
  readonly appProtocol?: string;
}

interface Draft {
  readonly type: string;
  readonly ports: Map<string, ServicePort>;
}

/**
 * The Services that a service's load balancers, registries and Service Connect stand for. Load balancers and registries
 * share the one of the service's name; Service Connect has one for each name that clients use.
 */
export function servicesOf(
  context: Context,
  ports: readonly PodPort[],
): readonly Omit<Manifest, "apiVersion">[] {
  const drafts = new Map<string, Draft>();
  const draft = (name: string, type: string): Draft => {
    const known = drafts.get(name) ?? { type, ports: new Map() };
    drafts.set(name, known);
    return known;
  };
  const put = ({ ports: list }: Draft, port: ServicePort) => {
    const key = `${port.port}/${port.protocol}`;
    if (!list.has(key)) list.set(key, port);
  };
  for (const port of balanced(context, ports)) {
    put(draft(context.name, context.options.serviceType), port);
  }
  const registries = context.service?.serviceRegistries ?? [];
  if (registries.length > 0) {
    const own = draft(context.name, "ClusterIP");
    for (const port of registered(context, ports)) put(own, port);
  }
  for (const [name, port] of connected(context, ports)) put(draft(name, "ClusterIP"), port);
  const selector = { [NAME_LABEL]: dnsLabel(context.name) };
  return [...drafts].map(([name, { type, ports: list }]) => ({
    kind: "Service",
    metadata: { name },
    spec: present({
      type: list.size === 0 ? "ClusterIP" : type,
      // Without a port there is nothing to balance: the name leads to the pods themselves.
      clusterIP: list.size === 0 ? "None" : undefined,
      selector,
      ports: [...list.values()].map((port) => portOf(port, list.size > 1)),
    }),
  }));
}

const portOf = (port: ServicePort, isNamed: boolean): Fields =>
  present({
    name: isNamed ? (port.name ?? `${port.protocol.toLowerCase()}-${port.port}`) : port.name,
    port: port.port,
    protocol: port.protocol,
    targetPort: port.target,
    appProtocol: port.appProtocol,
  });

const sameNumber = (port: PodPort): ServicePort => ({
  port: port.port,
  target: port.port,
  protocol: port.protocol,
  ...(port.name !== undefined && { name: port.name }),
  ...(port.appProtocol !== undefined && { appProtocol: port.appProtocol }),
});

function balanced(context: Context, ports: readonly PodPort[]): readonly ServicePort[] {
  const { service, containers, report } = context;
  return (service?.loadBalancers ?? []).flatMap((balancer, index) => {
    const at = `loadBalancers[${index}]`;
    const { containerName, containerPort } = balancer;
    for (const member of ["targetGroupArn", "loadBalancerName", "advancedConfiguration"] as const) {
      if (balancer[member] === undefined) continue;
      report.unmapped(
        `${at}.${member}`,
        "Kubernetes makes a load balancer of its own for the Service",
        member === "advancedConfiguration"
          ? "shift traffic with a tool for it, such as Argo Rollouts"
          : "point the name that clients use to the new one, or bind the old one with a TargetGroupBinding of the AWS Load Balancer Controller",
      );
    }
    if (containerPort === undefined) {
      report.unmapped(at, "it names no port of a container", "give it a containerPort");
      return [];
    }
    const owner = containers.find(({ original }) => original === containerName);
    if (containerName !== undefined && owner === undefined && containers.length > 0) {
      report.unmapped(
        `${at}.containerName`,
        `no container of the task is called ${quote(containerName)}; the port leads to whichever listens on it`,
        "name the container that listens, as ECS wants it too",
      );
    }
    const found = ports.find(
      (one) => one.port === containerPort && (!owner || one.container === owner),
    );
    if (found !== undefined) return [sameNumber(found)];
    if (containerPort < 1 || containerPort > 65_535) {
      report.refuse(`${at}.containerPort`, `expected 1 to 65535, got ${containerPort}`);
      return [];
    }
    if (containers.length > 0) {
      report.note(
        `${at}.containerPort`,
        `${quote(containerName ?? "")} has no portMapping for ${containerPort}; TCP is taken`,
        "give it one",
      );
    }
    return [{ port: containerPort, target: containerPort, protocol: "TCP" as const }];
  });
}

/** A registry without a port means the task's addresses; a Service then has every port of the task. */
function registered(context: Context, ports: readonly PodPort[]): readonly ServicePort[] {
  const { service, report, name } = context;
  return (service?.serviceRegistries ?? []).flatMap((registry, index) => {
    const at = `serviceRegistries[${index}]`;
    const { containerName, containerPort, port } = registry;
    report.note(
      `${at}.registryArn`,
      `its name in Cloud Map is not known in the cluster; there it is ${quote(name)}, or ${quote(`${name}.<namespace>.svc.cluster.local`)}`,
      "let clients use that name",
    );
    const number = containerPort ?? port;
    if (
      containerName !== undefined &&
      !ports.some((one) => one.container.original === containerName)
    ) {
      report.unmapped(
        `${at}.containerName`,
        `no container of the task with ports is called ${quote(containerName)}`,
        "name the container that listens",
      );
    }
    if (port !== undefined && port !== number) {
      report.note(
        `${at}.port`,
        `the port of the container counts: ${number}`,
        "nothing is to be done",
      );
    }
    if (number === undefined && containerName === undefined) return ports.map(sameNumber);
    const chosen = ports.filter(
      (one) =>
        (number === undefined || one.port === number) &&
        (containerName === undefined || one.container.original === containerName),
    );
    if (chosen.length > 0) return chosen.map(sameNumber);
    if (number === undefined || number < 1 || number > 65_535) return [];
    return [{ port: number, target: number, protocol: "TCP" as const }];
  });
}

function reportConnect({ service, report }: Context): void {
  if (service?.serviceConnectConfiguration === undefined) return;
  const { enabled = true, services = [] } = service.serviceConnectConfiguration;
  const at = "serviceConnectConfiguration";
  if (!enabled && services.length > 0) {
    report.note(`${at}.services`, "it is not enabled, so they have no effect", "take them away");
  } else if (enabled && services.length === 0) {
    const why = "pods reach Services by their names without a proxy";
    report.note(`${at}.enabled`, why, "nothing is to be done");
  }
}

function connected(
  context: Context,
  ports: readonly PodPort[],
): readonly (readonly [string, ServicePort])[] {
  const { service, report, containers } = context;
  const { enabled = true, services = [] } = service?.serviceConnectConfiguration ?? {};
  reportConnect(context);
  if (!enabled) return [];
  return services.flatMap(({ portName: asked = "", discoveryName, clientAliases = [] }, index) => {
    const at = `serviceConnectConfiguration.services[${index}]`;
    const target = ports.find(({ original }) => original === asked);
    if (target === undefined) {
      if (containers.length > 0) {
        report.refuse(`${at}.portName`, `expected a named port of the task, got ${quote(asked)}`);
      }
      return [];
    }
    const aliases = clientAliases.length > 0 ? clientAliases : [{}];
    if (
      discoveryName !== undefined &&
      clientAliases.every(({ dnsName }) => dnsName) &&
      clientAliases[0]
    ) {
      report.note(
        `${at}.discoveryName`,
        "clients use the names of clientAliases, and no Service is called by this one",
        "nothing is to be done, unless something looks it up in Cloud Map",
      );
    }
    return aliases.map(({ dnsName, port = target.port }, alias) => {
      const wanted = dnsName ?? discoveryName ?? asked;
      const name = dnsLabel(wanted);
      if (name !== wanted) {
        const member =
          dnsName === undefined ? `${at}.discoveryName` : `${at}.clientAliases[${alias}].dnsName`;
        report.unmapped(
          member,
          `a Service can't be called ${quote(wanted)}; it is called ${quote(name)}`,
          "let clients use that name",
        );
      }
      return [
        name,
        {
          ...sameNumber(target),
          port,
          name: target.name ?? portName(asked),
        },
      ] as const;
    });
  });
}
