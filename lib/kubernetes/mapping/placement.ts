import { quote } from "../../kit/quote.ts";
import { type Context, isWindows, NAME_LABEL } from "./context.ts";
import { type Fields, present, unlessEmpty } from "./fields.ts";
import { dnsLabel } from "./names.ts";

/** Where the pods may run: affinity, nodeSelector, topologySpreadConstraints, spec.os. */
export function placementOf(context: Context): Fields {
  const { task, service } = context;
  const expressions: Fields[] = [];
  let isApart = false;
  const constraints = [
    ...(task.placementConstraints ?? []).map((one, index) => ({
      ...one,
      at: `placementConstraints[${index}]`,
    })),
    ...(service?.placementConstraints ?? []).map((one, index) => ({
      ...one,
      at: `service.placementConstraints[${index}]`,
    })),
  ];
  for (const { type, expression, at } of constraints) {
    if (type === "distinctInstance") {
      isApart = true;
      if (expression) {
        context.report.note(
          `${at}.expression`,
          "distinctInstance takes no expression",
          "take it away",
        );
      }
    } else if (type === "memberOf")
      expressions.push(...nodeExpressions(expression ?? "", at, context));
    else {
      context.report.unmapped(
        at,
        `expected memberOf or distinctInstance, got ${quote(type ?? "")}`,
        "write the affinity of the pod by hand",
      );
    }
  }
  const labels = { matchLabels: { [NAME_LABEL]: dnsLabel(context.name) } };
  return present({
    affinity: unlessEmpty({
      nodeAffinity:
        expressions.length === 0
          ? undefined
          : {
              requiredDuringSchedulingIgnoredDuringExecution: {
                nodeSelectorTerms: [{ matchExpressions: expressions }],
              },
            },
      podAntiAffinity: isApart
        ? {
            requiredDuringSchedulingIgnoredDuringExecution: [
              { labelSelector: labels, topologyKey: "kubernetes.io/hostname" },
            ],
          }
        : undefined,
    }),
    ...platformOf(context),
    topologySpreadConstraints: spreadOf(labels, context),
  });
}

const NODE_LABELS: ReadonlyMap<string, string> = new Map([
  ["ecs.instance-type", "node.kubernetes.io/instance-type"],
  ["ecs.availability-zone", "topology.kubernetes.io/zone"],
  ["ecs.os-type", "kubernetes.io/os"],
  ["ecs.cpu-architecture", "kubernetes.io/arch"],
]);

const ARCHITECTURES: ReadonlyMap<string, string> = new Map([
  ["x86_64", "amd64"],
  ["arm64", "arm64"],
]);

/**
 * A cluster query as expressions over labels of nodes: `attribute:name == value`, `!=`, `in [a, b]`, `not_in`,
 * `exists`, `!exists`, joined by `and` (ECS Developer Guide, cluster query language). What is beyond that is reported.
 */
function nodeExpressions(query: string, at: string, { report }: Context): readonly Fields[] {
  const unmapped = (part: string) => {
    report.unmapped(
      `${at}.expression`,
      `no label that every node has says ${quote(part)}`,
      "label the nodes and write the nodeAffinity by hand",
    );
    return [];
  };
  if (query.trim() === "" || /\bor\b|\|\||[()]/.test(query)) return unmapped(query);
  return query.split(/\s+(?:and|&&)\s+/).flatMap((part) => {
    const [, name = "", sign = "", rest = ""] =
      /^\s*attribute:([\w.-]+)\s+(==|equals|!=|not_equals|in|not_in|!in|exists|!exists)\s*(.*?)\s*$/.exec(
        part,
      ) ?? [];
    const key = NODE_LABELS.get(name);
    if (key === undefined) return unmapped(part);
    const operator = OPERATORS.get(sign) ?? "In";
    if (operator.endsWith("xist") || operator === "Exists") return [{ key, operator }];
    const values = rest
      .replace(/^\[|\]$/g, "")
      .split(",")
      .map((value) => value.trim().replace(/^["']|["']$/g, ""))
      .map((value) => ARCHITECTURES.get(value) ?? value);
    if (values.some((value) => !/^[A-Za-z0-9]([-\w.]*[A-Za-z0-9])?$/.test(value))) {
      return unmapped(part);
    }
    return [{ key, operator, values }];
  });
}

const OPERATORS: ReadonlyMap<string, string> = new Map([
  ["==", "In"],
  ["equals", "In"],
  ["in", "In"],
  ["!=", "NotIn"],
  ["not_equals", "NotIn"],
  ["not_in", "NotIn"],
  ["!in", "NotIn"],
  ["exists", "Exists"],
  ["!exists", "DoesNotExist"],
]);

/** Builds of Windows by the year in the operating system's family (Kubernetes documentation, Windows version labels). */
const WINDOWS_BUILDS: ReadonlyMap<string, string> = new Map([
  ["2019", "10.0.17763"],
  ["2022", "10.0.20348"],
  ["2025", "10.0.26100"],
]);

function platformOf(context: Context): Fields {
  const { cpuArchitecture, operatingSystemFamily } = context.task.runtimePlatform ?? {};
  const at = "runtimePlatform";
  const arch =
    cpuArchitecture === undefined ? undefined : ARCHITECTURES.get(cpuArchitecture.toLowerCase());
  if (cpuArchitecture !== undefined && arch === undefined) {
    context.report.refuse(
      `${at}.cpuArchitecture`,
      `expected X86_64 or ARM64, got ${quote(cpuArchitecture)}`,
    );
  }
  const os =
    operatingSystemFamily === undefined ? undefined : isWindows(context) ? "windows" : "linux";
  const year = /(\d{4})/.exec(operatingSystemFamily ?? "")?.[1] ?? "";
  const build = os === "windows" ? WINDOWS_BUILDS.get(year) : undefined;
  if (
    os === "windows"
      ? build === undefined
      : os === "linux" && !/^linux$/i.test(operatingSystemFamily ?? "")
  ) {
    context.report.unmapped(
      `${at}.operatingSystemFamily`,
      `of ${quote(operatingSystemFamily ?? "")} only ${quote(os ?? "")} is asked of a node`,
      "choose the nodes by a nodeSelector of your own",
    );
  } else if (os === "windows") {
    context.report.note(
      `${at}.operatingSystemFamily`,
      "the node is chosen by the build of Windows; Core and Full are one",
      "nothing is to be done",
    );
  }
  return {
    nodeSelector: unlessEmpty({
      "kubernetes.io/arch": arch,
      "kubernetes.io/os": os,
      "node.kubernetes.io/windows-build": build,
    }),
    os: os === undefined ? undefined : { name: os },
  };
}

/** How ECS spreads tasks; a field it spreads by may be spelled as an attribute. */
function spreadOf(labelSelector: Fields, { service, report }: Context): readonly Fields[] {
  const keys = new Set<string>();
  for (const [index, { type = "", field = "" }] of (service?.placementStrategy ?? []).entries()) {
    const at = `placementStrategy[${index}]`;
    const key = type === "spread" ? SPREADS.get(field.replace(/^attribute:/, "")) : undefined;
    if (key !== undefined) keys.add(key);
    else {
      report.unmapped(
        at,
        `the scheduler of Kubernetes decides over ${quote(`${type} ${field}`.trim())} for the whole cluster`,
        "configure the scheduler, or write topologySpreadConstraints by hand",
      );
    }
  }
  return [...keys].map((topologyKey) => ({
    maxSkew: 1,
    topologyKey,
    whenUnsatisfiable: "ScheduleAnyway",
    labelSelector,
  }));
}

const SPREADS: ReadonlyMap<string, string> = new Map([
  ["ecs.availability-zone", "topology.kubernetes.io/zone"],
  ["instanceId", "kubernetes.io/hostname"],
  ["host", "kubernetes.io/hostname"],
]);
