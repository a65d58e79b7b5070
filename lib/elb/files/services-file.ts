import { type JsonNode, readJson, shownNode } from "../../kit/json-text.ts";
import type { ForwardPort, HealthCheckWish, Outlet, Service } from "../service.ts";
import { expects, type FileProblem, type Members, membersOf } from "./members.ts";

export type ServicesFile =
  | {
      readonly ok: true;
      readonly services: readonly Service[];
      /** Entries that can't be read, each with all that is wrong in it. */
      readonly broken: readonly {
        readonly name: string;
        readonly problems: readonly FileProblem[];
      }[];
      /** What was passed over. */
      readonly notes: readonly FileProblem[];
    }
  /** Nothing of it can be read. */
  | { readonly ok: false; readonly problems: readonly FileProblem[] };

const MEMBERS = [
  "serviceName",
  "family",
  "exposedContainerName",
  "loadBalancerName",
  "mode",
  "listenPort",
  "ports",
  "targetGroupArn",
  "healthCheck",
  "drainSeconds",
  "dataPlane",
];
const PAIR_MEMBERS = ["lbPort", "containerPort", "listenPort"];
const CHECK_MEMBERS = [
  "protocol",
  "path",
  "intervalSeconds",
  "timeoutSeconds",
  "unhealthyThreshold",
  "healthyThreshold",
];

const name = expects.textLike(/^[^\p{Cc}]{1,255}$/u, "a name");
// Up to 255 letters, digits, hyphens and underscores (ECS API reference, RegisterTaskDefinition).
const family = expects.textLike(/^[A-Za-z0-9_-]{1,255}$/, "the family of a task definition");
// At most 32 letters, digits and hyphens (ELB API reference 2012-06-01, CreateLoadBalancer).
const loadBalancer = expects.textLike(
  /^[A-Za-z0-9](?:[A-Za-z0-9-]{0,30}[A-Za-z0-9])?$/,
  "the name of a Classic Load Balancer",
);
const targetGroup = expects.textLike(
  /^arn:aws[a-z-]*:elasticloadbalancing:[a-z0-9-]+:\d{12}:targetgroup\/[A-Za-z0-9-]{1,32}\/[0-9a-f]{1,32}$/,
  "the ARN of a target group",
);
const port = expects.wholeNumber(1, 65_535);

/**
 * Reads the array of services. The original's entries have four members; the rest are additions, and an entry without
 * `mode` is one of the original's. An entry that can't be read is no reason not to read the others.
 */
export function readServices(text: string): ServicesFile {
  const json = readJson(text);
  if (!json.ok) {
    const { line, column, expected, got } = json;
    return { ok: false, problems: [{ line, member: `column ${column}`, expected, got }] };
  }
  const { root } = json;
  if (root.kind !== "array") {
    const problem = {
      line: root.line,
      member: "",
      expected: "a list of services",
      got: shownNode(root),
    };
    return { ok: false, problems: [problem] };
  }
  const notes: FileProblem[] = [];
  const broken: { name: string; problems: FileProblem[] }[] = [];
  const services: Service[] = [];
  const taken = new Map<string, number>();
  root.items.forEach((item, index) => {
    const problems: FileProblem[] = [];
    const read = readService(item, `[${index}]`, problems, notes);
    const called = read?.name ?? `[${index}]`;
    if (problems.length > 0 || read?.service === undefined) {
      broken.push({ name: called, problems });
      return;
    }
    const times = (taken.get(called) ?? 0) + 1;
    taken.set(called, times);
    services.push({ ...read.service, key: times === 1 ? called : `${called}#${times}` });
  });
  return { ok: true, services, broken, notes };
}

function readService(
  item: JsonNode,
  path: string,
  problems: FileProblem[],
  notes: FileProblem[],
): { readonly name: string; readonly service?: Service } | undefined {
  if (item.kind !== "object") {
    problems.push({ line: item.line, member: path, expected: "an object", got: shownNode(item) });
    return undefined;
  }
  const members = membersOf(item, path, problems, MEMBERS);
  const given = members.may("serviceName", name);
  const inFamily = members.must("family", family);
  const container = members.must("exposedContainerName", name);
  const drainSeconds = members.may("drainSeconds", expects.wholeNumber(0, 3_600));
  const outlet = readOutlet(members, path, problems, notes);
  notes.push(...members.notes());
  const called = given ?? inFamily ?? path;
  if (inFamily === undefined || container === undefined || outlet === undefined) {
    return { name: called };
  }
  const drain = drainSeconds === undefined ? {} : { drainSeconds };
  return { name: called, service: { key: called, family: inFamily, container, outlet, ...drain } };
}

/** The members that a mode knows beside those that all have. */
const OWN_MEMBERS = {
  rewrite: ["loadBalancerName", "ports", "healthCheck"],
  forward: ["loadBalancerName", "ports", "healthCheck", "listenPort", "dataPlane"],
  targets: ["targetGroupArn", "ports"],
} as const;
const ALL_OWN = [...new Set(Object.values(OWN_MEMBERS).flat())];

function readOutlet(
  members: Members,
  path: string,
  problems: FileProblem[],
  notes: FileProblem[],
): Outlet | undefined {
  const mode = members.has("mode")
    ? members.must("mode", expects.oneOf(["rewrite", "forward", "targets"]))
    : "rewrite";
  if (mode === undefined) return undefined;
  const own: readonly string[] = OWN_MEMBERS[mode];
  for (const other of ALL_OWN.filter((one) => !own.includes(one) && members.has(one))) {
    const modes = (["rewrite", "forward", "targets"] as const).filter((one) =>
      (OWN_MEMBERS[one] as readonly string[]).includes(other),
    );
    members.problem(
      other,
      `no such member in mode "${mode}"`,
      `one that mode ${modes.map((one) => `"${one}"`).join(" and ")} takes: add "mode", or leave it out`,
    );
  }
  const before = problems.length;
  const outlet = outletReaders[mode](members, path, problems, notes);
  return problems.length > before ? undefined : outlet;
}

type OutletReader = (
  members: Members,
  path: string,
  problems: FileProblem[],
  notes: FileProblem[],
) => Outlet | undefined;

const outletReaders: Readonly<Record<Outlet["mode"], OutletReader>> = {
  rewrite(members, path, problems, notes) {
    const balancer = members.must("loadBalancerName", loadBalancer);
    const healthCheck = readHealthCheck(members, path, problems, notes);
    const pairs = readPairs(members, path, problems, notes, ["lbPort", "containerPort"]);
    if (balancer === undefined) return undefined;
    return {
      mode: "rewrite",
      loadBalancer: balancer,
      ports: pairs.flatMap(({ lbPort, containerPort }) =>
        lbPort === undefined || containerPort === undefined ? [] : [{ lbPort, containerPort }],
      ),
      ...(healthCheck && { healthCheck }),
    };
  },
  forward(members, path, problems, notes) {
    const balancer = members.may("loadBalancerName", loadBalancer);
    const healthCheck = readHealthCheck(members, path, problems, notes);
    const pairs = readPairs(members, path, problems, notes, ["containerPort"]);
    const first = members.may("listenPort", port);
    const dataPlane = members.may("dataPlane", expects.oneOf(["proxy", "kernel"]));
    const ports = listenPorts(members, pairs, first);
    const [head, ...tail] = ports;
    if (head === undefined) return undefined;
    if (
      balancer !== undefined &&
      ports.length > 1 &&
      ports.some((one) => one.lbPort === undefined)
    ) {
      members.problem("ports", "an lbPort in each of several ports", "one without");
    }
    return {
      mode: "forward",
      ...(balancer !== undefined && { loadBalancer: balancer }),
      ports: [head, ...tail],
      ...(healthCheck && { healthCheck }),
      dataPlane: dataPlane ?? "proxy",
    };
  },
  targets(members, path, problems, notes) {
    const targetGroupArn = members.must("targetGroupArn", targetGroup);
    const pairs = readPairs(members, path, problems, notes, ["containerPort"]);
    if (targetGroupArn === undefined) return undefined;
    return {
      mode: "targets",
      targetGroupArn,
      containerPorts: pairs.flatMap(({ containerPort }) => containerPort ?? []),
    };
  },
};

interface Pair {
  readonly lbPort?: number;
  readonly containerPort?: number;
  readonly listenPort?: number;
}

/** The entries of `ports`; empty without that member. */
function readPairs(
  members: Members,
  path: string,
  problems: FileProblem[],
  notes: FileProblem[],
  required: readonly (keyof Pair)[],
): readonly Pair[] {
  const items = members.may("ports", {
    ...expects.list,
    expected: 'a list such as [{"lbPort": 80, "containerPort": 8080}]',
  });
  const seen = new Set<number>();
  return (items ?? []).flatMap((item, index) => {
    const at = `${path}.ports[${index}]`;
    if (item.kind !== "object") {
      problems.push({ line: item.line, member: at, expected: "an object", got: shownNode(item) });
      return [];
    }
    const pair = membersOf(item, at, problems, PAIR_MEMBERS);
    const read = (member: keyof Pair): number | undefined =>
      required.includes(member) ? pair.must(member, port) : pair.may(member, port);
    const lbPort = read("lbPort");
    const containerPort = read("containerPort");
    const listenPort = read("listenPort");
    notes.push(...pair.notes());
    if (lbPort !== undefined && seen.has(lbPort)) {
      pair.problem("lbPort", "each lbPort once", `${lbPort} again`);
    }
    if (lbPort !== undefined) seen.add(lbPort);
    return [
      {
        ...(lbPort !== undefined && { lbPort }),
        ...(containerPort !== undefined && { containerPort }),
        ...(listenPort !== undefined && { listenPort }),
      },
    ];
  });
}

/** Each entry's own listenPort, or the service's for the first and the ones after it for the next. */
function listenPorts(
  members: Members,
  pairs: readonly Pair[],
  first: number | undefined,
): readonly ForwardPort[] {
  const from: readonly Pair[] = pairs.length === 0 ? [{}] : pairs;
  const ports = from.flatMap(({ listenPort: own, ...rest }, index): readonly ForwardPort[] => {
    const listenPort = own ?? (first === undefined ? undefined : first + index);
    return listenPort === undefined ? [] : [{ listenPort, ...rest }];
  });
  if (ports.length < from.length && !members.has("listenPort")) {
    members.problem(
      "listenPort",
      'a port of the host, from 1 to 65535, for mode "forward"',
      "nothing",
    );
  }
  if (ports.some(({ listenPort }) => listenPort > 65_535)) {
    members.problem("listenPort", "one port for each entry of ports, up to 65535", String(first));
  }
  if (new Set(ports.map(({ listenPort }) => listenPort)).size < ports.length) {
    members.problem("ports", "another listenPort for each entry", "the same twice");
  }
  return ports;
}

function readHealthCheck(
  members: Members,
  path: string,
  problems: FileProblem[],
  notes: FileProblem[],
): HealthCheckWish | undefined {
  const node = members.may("healthCheck", expects.object);
  if (node === undefined) return undefined;
  const check = membersOf(node, `${path}.healthCheck`, problems, CHECK_MEMBERS);
  const protocol = check.may("protocol", expects.oneOf(["TCP", "SSL", "HTTP", "HTTPS"]));
  const given = check.may("path", expects.textLike(/^\/[!-~]{0,1023}$/, "a path such as /health"));
  // The limits: ELB API reference 2012-06-01, HealthCheck.
  const wish = {
    intervalSeconds: check.may("intervalSeconds", expects.wholeNumber(5, 300)),
    timeoutSeconds: check.may("timeoutSeconds", expects.wholeNumber(2, 60)),
    unhealthyThreshold: check.may("unhealthyThreshold", expects.wholeNumber(2, 10)),
    healthyThreshold: check.may("healthyThreshold", expects.wholeNumber(2, 10)),
  };
  notes.push(...check.notes());
  if (given !== undefined && (protocol === "TCP" || protocol === "SSL")) {
    check.problem("path", `no path with protocol "${protocol}"`, given);
  }
  const { intervalSeconds = 300, timeoutSeconds = 2 } = wish;
  if (timeoutSeconds >= intervalSeconds) {
    check.problem(
      "timeoutSeconds",
      `less than intervalSeconds, ${intervalSeconds}`,
      String(timeoutSeconds),
    );
  }
  return {
    ...(protocol !== undefined && { protocol }),
    ...(given !== undefined && { path: given }),
    ...Object.fromEntries(Object.entries(wish).filter(([, value]) => value !== undefined)),
  };
}
