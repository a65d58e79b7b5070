import { quote } from "../../kit/quote.ts";
import { type Context, DOMAIN, isHostNetwork, type NamedContainer } from "./context.ts";
import { environmentFilesOf, environmentOf } from "./environment.ts";
import { type Fields, type Manifest, present, unlessEmpty } from "./fields.ts";
import { hostsOf } from "./hosts.ts";
import { commandOf, gracePeriodOf, probesOf, type Roles, restartsOf, rolesOf } from "./life.ts";
import { dnsLabel, isAnnotationKey } from "./names.ts";
import { placementOf } from "./placement.ts";
import { type PodPort, portFields, portsOf, refuseClashes } from "./ports.ts";
import { resourcesOf, taskResourcesOf } from "./resources.ts";
import { securityOf } from "./security.ts";
import { type PodVolumes, volumesOf } from "./volumes.ts";

export interface Pod {
  readonly spec: Fields;
  readonly annotations: Readonly<Record<string, string>>;
  readonly ports: readonly PodPort[];
  /** PersistentVolumes and claims. */
  readonly claims: readonly Manifest[];
  /** Something waits for a container to be healthy. */
  readonly isProbed: boolean;
}

/** The pod that is a task, as far as one can be; what it can't be is in the report. */
export function podOf(context: Context): Pod {
  const roles = rolesOf(context);
  const ports = portsOf(context);
  // A container that has ended when the others start holds no port any more.
  refuseClashes(ports, (container) => roles.of(container) !== "init", context);
  const volumes = volumesOf(context);
  const fields = new Map(
    context.containers.map((one) => [one, containerOf(one, roles, ports, volumes, context)]),
  );
  const inOrder = (containers: readonly NamedContainer[]) =>
    containers.map((container) => fields.get(container));
  const spec = present({
    serviceAccountName: context.task.taskRoleArn === undefined ? undefined : context.name,
    // A task has no credentials of Kubernetes, and no variables of other services.
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    imagePullSecrets: pullSecretsOf(context),
    ...hostsOf(context),
    ...processesOf(context),
    ...placementOf(context),
    securityContext: unlessEmpty({ sysctls: sysctlsOf(context) }),
    resources: taskResourcesOf(context),
    terminationGracePeriodSeconds: gracePeriodOf(context),
    initContainers: inOrder(roles.first),
    containers: inOrder(context.containers.filter((one) => roles.of(one) === "main")),
    volumes: volumes.volumes,
  });
  return {
    spec,
    annotations: annotationsOf(context),
    ports,
    claims: volumes.claims,
    isProbed: [...fields.values()].some((one) => one["startupProbe"] !== undefined),
  };
}

function containerOf(
  container: NamedContainer,
  roles: Roles,
  ports: readonly PodPort[],
  volumes: PodVolumes,
  context: Context,
): Fields {
  const { definition } = container;
  const role = roles.of(container);
  const image = definition.image ?? "";
  if (image.trim() === "") {
    context.report.refuse(`${container.at}.image`, "expected an image, got nothing");
  } else if (/[\s<>{}`]/.test(image)) {
    context.report.note(
      `${container.at}.image`,
      `${quote(image)} looks like a placeholder`,
      "put the image's name in its place",
    );
  }
  return present({
    name: container.name,
    image,
    ...commandOf(container),
    ports: ports.filter((port) => port.container === container).map(portFields),
    envFrom: environmentFilesOf(container, context),
    env: environmentOf(container, context),
    resources: resourcesOf(container, context),
    volumeMounts: volumes.mounts(container),
    ...restartsOf(container, role, context),
    ...probesOf(container, role, context),
    securityContext: securityOf(container, context),
    stdin: definition.interactive === true ? true : undefined,
    tty: definition.pseudoTerminal === true ? true : undefined,
  });
}

function processesOf({ task, report }: Context): Fields {
  const { pidMode, ipcMode } = task;
  const isIn = (member: string, value: string | undefined, expected: readonly string[]) => {
    if (value === undefined || value === "" || expected.includes(value)) return;
    report.refuse(member, `expected one of ${expected.join(", ")}, got ${quote(value)}`);
  };
  isIn("pidMode", pidMode, ["host", "task"]);
  isIn("ipcMode", ipcMode, ["host", "task", "none"]);
  isIn("networkMode", task.networkMode, ["bridge", "host", "awsvpc", "none", "default", "nat"]);
  if (ipcMode === "none") {
    report.unmapped(
      "ipcMode",
      "the containers of a pod share their IPC",
      "use task or leave it out",
    );
  }
  if (ipcMode === "task") {
    report.note(
      "ipcMode",
      "the containers of a pod share their IPC anyway",
      "nothing is to be done",
    );
  }
  return {
    hostPID: pidMode === "host" ? true : undefined,
    shareProcessNamespace: pidMode === "task" ? true : undefined,
    hostIPC: ipcMode === "host" ? true : undefined,
  };
}

function pullSecretsOf({ containers, options, report }: Context): readonly Fields[] {
  const names = new Set<string>();
  for (const { at, definition } of containers) {
    const asked = definition.repositoryCredentials?.credentialsParameter;
    if (asked === undefined) continue;
    const name = options.names.get(asked);
    if (name !== undefined) names.add(name);
    else {
      report.unmapped(
        `${at}.repositoryCredentials`,
        "the kubelet logs in to a registry with a Secret of the cluster",
        `make one (kubectl create secret docker-registry) and name it: --secretMap=${asked}=<secret>`,
      );
    }
  }
  return [...names].map((name) => ({ name }));
}

/** Kernel parameters that every kubelet allows (Kubernetes documentation, safe sysctls). */
const SAFE_SYSCTLS: ReadonlySet<string> = new Set([
  "kernel.shm_rmid_forced",
  "net.ipv4.ip_local_port_range",
  "net.ipv4.tcp_syncookies",
  "net.ipv4.ping_group_range",
  "net.ipv4.ip_unprivileged_port_start",
  "net.ipv4.ip_local_reserved_ports",
  "net.ipv4.tcp_keepalive_time",
  "net.ipv4.tcp_fin_timeout",
  "net.ipv4.tcp_keepalive_intvl",
  "net.ipv4.tcp_keepalive_probes",
  "net.ipv4.tcp_rmem",
  "net.ipv4.tcp_wmem",
]);

function sysctlsOf(context: Context): readonly Fields[] {
  const { report } = context;
  const values = new Map<string, string>();
  for (const { at, definition } of context.containers) {
    for (const [index, { namespace = "", value = "" }] of (
      definition.systemControls ?? []
    ).entries()) {
      const member = `${at}.systemControls[${index}]`;
      const name = namespace.replaceAll("/", ".");
      if (!/^[a-z0-9][a-z0-9_-]*(\.[a-z0-9][a-z0-9_-]*)+$/.test(name)) {
        report.refuse(
          `${member}.namespace`,
          `expected a kernel parameter, got ${quote(namespace)}`,
        );
      } else if (isHostNetwork(context) && name.startsWith("net.")) {
        report.unmapped(
          member,
          "a pod in the node's network can't set the network's parameters",
          "set it on the nodes",
        );
      } else if ((values.get(name) ?? value) !== value) {
        report.refuse(
          member,
          `${quote(name)} would be ${quote(value)}, and ${quote(values.get(name) ?? "")} for another container: the containers of a pod share them`,
        );
      } else {
        values.set(name, value);
        if (SAFE_SYSCTLS.has(name)) continue;
        report.note(
          member,
          `${quote(name)} is not among those that a kubelet allows by itself`,
          `allow it on the nodes: --allowed-unsafe-sysctls=${name}`,
        );
      }
    }
  }
  return [...values].map(([name, value]) => ({ name, value }));
}

/** Docker labels whose keys an annotation may have, and what the containers were called. */
function annotationsOf({ containers, report }: Context): Readonly<Record<string, string>> {
  const annotations = new Map<string, string>();
  for (const { at, definition } of containers) {
    for (const [key, value] of Object.entries(definition.dockerLabels ?? {})) {
      const member = `${at}.dockerLabels.${/^[\w.:/-]{1,80}$/.test(key) ? key : quote(key)}`;
      const [prefix = ""] = key.split("/");
      const isForeign =
        key.includes("/") && /(?:^|\.)(?:kubernetes\.io|k8s\.io|ecskube)$/.test(prefix);
      if (!isAnnotationKey(key) || isForeign) {
        report.unmapped(
          member,
          isForeign
            ? "as an annotation it would mean something to Kubernetes"
            : `${quote(key)} is no key that an annotation may have`,
          "put the value under another key",
        );
      } else if ((annotations.get(key) ?? value) !== value) {
        report.unmapped(
          member,
          `another container's label ${quote(key)} stands there already: a pod has one annotation of a name`,
          "let the containers' labels have names of their own",
        );
      } else annotations.set(key, value);
    }
  }
  for (const { name, original, at } of containers) {
    if (name === original) continue;
    annotations.set(`${DOMAIN}/container.${dnsLabel(name, 53)}`, original);
    report.note(
      `${at}.name`,
      `the container is called ${quote(name)}: ${quote(original)} can't be a container's name in Kubernetes`,
      "refer to it by that name",
    );
  }
  return Object.fromEntries(annotations);
}
