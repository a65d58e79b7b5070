import { isIP } from "node:net";
import * as z from "zod";
import type { PortRule } from "../../lib/ecs/service-task.ts";
import { type Policy, policies } from "../../lib/net/balance.ts";
import { commonFlags } from "../cli/common-flags.ts";
import { type ConfigOf, type Flag, oneOf, onOff, wholeNumber } from "../cli/flags.ts";
import { statusAddressOf } from "../page/status-address.ts";
import { type LogLevel, logLevels } from "../process/log.ts";

/** Names of ECS: letters, digits, hyphens and underscores (API reference, RegisterTaskDefinition and CreateService). */
const NAME = /^[A-Za-z0-9_-]{1,255}$/;

const named = (flag: Pick<Flag<string>, "takes" | "help" | "group">): Flag<string | undefined> => ({
  ...flag,
  optional: true,
  expected: "letters, digits, hyphens and underscores, 255 at most",
  schema: z.string().regex(NAME),
});

export interface FamilyName {
  readonly family: string;
  readonly revision?: number;
}

const WHICH = "Which tasks";
const HOW = "How connections are handed on";

const family: Flag<FamilyName | undefined> = {
  takes: "family[:revision]",
  group: WHICH,
  optional: true,
  help: "all tasks of this task definition family, or of one revision of it",
  expected: "a family such as web, or with its revision, web:7",
  schema: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,255}(?::[1-9]\d{0,8})?$/)
    .transform((text) => {
      const [family = "", revision] = text.split(":");
      return revision === undefined ? { family } : { family, revision: Number(revision) };
    }),
};

const dns: Flag<string | undefined> = {
  takes: "name",
  group: WHICH,
  optional: true,
  help: "the tasks that this name's SRV or A records lead to, as discover writes them, by this host's resolver: no AWS API, no permission",
  expected: "a DNS name such as web.example.internal",
  schema: z
    .string()
    .max(253)
    .regex(/^(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)*[A-Za-z0-9-]{1,63}\.?$/),
};

const RESOLVER = /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+))(?::\d{1,5})?$/;

const resolver: Flag<string | undefined> = {
  takes: "address[:port]",
  group: WHICH,
  optional: true,
  help: "the DNS resolver that --dns asks; those of this host when not given",
  expected: "an IP address, with a port or without, such as 10.0.0.2 or [2001:db8::2]:53",
  schema: z.string().refine((text) => {
    const [, ipv6, ipv4] = RESOLVER.exec(text) ?? [];
    return isIP(ipv6 ?? ipv4 ?? "") !== 0;
  }),
};

const cluster: Flag<string> = {
  takes: "cluster",
  group: WHICH,
  help: "the ECS cluster, by name or ARN",
  expected: "a cluster's name or ARN",
  schema: z
    .string()
    .regex(/^(?:arn:aws[a-z-]*:ecs:[a-z0-9-]+:\d{12}:cluster\/)?[A-Za-z0-9_-]{1,255}$/),
  byDefault: "default",
};

/** Go's way of writing a switch, as the original's users know it: `-public`, `-public=true`. */
const isPublic: Flag<boolean> = {
  takes: "true|false",
  group: WHICH,
  help: "connect to public addresses instead of private ones",
  expected: "true or false",
  schema: z
    .string()
    .toLowerCase()
    .pipe(z.enum(["", "true", "t", "1", "false", "f", "0"]))
    .transform((text) => ["", "true", "t", "1"].includes(text)),
  byDefault: "false",
};

const ports: Flag<readonly PortRule[] | undefined> = {
  takes: "list",
  group: HOW,
  optional: true,
  help: "only these ports of the container, each under its own number or under another: 80,8081:8080 serves 8080 at 8081. All that the tasks have when not given; with --dns it is required",
  expected: "ports, or pairs such as 8081:8080, separated by commas, each served port once",
  schema: z
    .string()
    .regex(/^\d{1,5}(?::\d{1,5})?(?:,\d{1,5}(?::\d{1,5})?)*$/)
    .transform((text) =>
      text.split(",").map((pair) => {
        const [listen = 0, container = listen] = pair.split(":").map(Number);
        return { listen, container };
      }),
    )
    .refine((rules) =>
      rules.every(({ listen, container }) =>
        [listen, container].every((n) => n >= 1 && n < 65_536),
      ),
    )
    .refine((rules) => new Set(rules.map(({ listen }) => listen)).size === rules.length),
};

const balance: Flag<Policy | undefined> = {
  takes: policies.join("|"),
  group: HOW,
  optional: true,
  help: "who gets a new connection: any task, or of two drawn the one with fewer open connections. p2c in the proxy and random in the kernel when not given; p2c keeps auto from using the kernel",
  expected: `one of ${policies.join(", ")}`,
  schema: z.enum(policies),
  choices: policies,
};

const bind: Flag<string | undefined> = {
  takes: "address",
  group: HOW,
  optional: true,
  help: "the one address to listen on; all addresses when not given",
  expected: "an IPv4 or IPv6 address",
  schema: z.string().refine((text) => isIP(text) !== 0),
};

const inGroup = <T>(group: string, flag: Flag<T>): Flag<T> => ({ ...flag, group });

/** The original knew `panic` and `fatal`, which are errors. */
const logLevel: Flag<LogLevel> = {
  ...commonFlags.logLevel,
  schema: z
    .string()
    .transform((text) => (text === "panic" || text === "fatal" ? "error" : text))
    .pipe(z.enum(logLevels)),
};

export const flags = {
  name: named({
    takes: "container",
    group: WHICH,
    help: "the container, by its name in the task definition, whose ports are served",
  }),
  family,
  service: named({ takes: "service", group: WHICH, help: "all tasks of this ECS service" }),
  dns,
  resolver,
  cluster,
  public: isPublic,
  health: inGroup(
    WHICH,
    oneOf(["ecs", "tcp", "off"], {
      byDefault: "ecs",
      help: "who gets nothing new: tasks that ECS calls UNHEALTHY (in the kernel, those that accept no connection, too), or in any case both (tcp), or nobody (off)",
    }),
  ),
  poll: inGroup(
    WHICH,
    wholeNumber({
      takes: "seconds",
      min: 1,
      max: 3_600,
      byDefault: 7,
      help: "the mean time between two looks at the tasks, jittered; longer while AWS throttles",
    }),
  ),
  ports,
  bind,
  dataPlane: inGroup(
    HOW,
    oneOf(["auto", "kernel", "proxy"], {
      byDefault: "auto",
      help: "who hands connections on: the kernel where it can and the proxy otherwise, the kernel or exit, or the proxy",
    }),
  ),
  balance,
  connectTimeout: inGroup(
    HOW,
    wholeNumber({
      takes: "ms",
      min: 10,
      max: 60_000,
      byDefault: 250,
      help: "how long a task may take to accept a connection before another one is tried",
    }),
  ),
  idleTimeout: inGroup(
    HOW,
    wholeNumber({
      takes: "seconds",
      min: 0,
      max: 86_400,
      byDefault: 0,
      help: "a connection over which nothing goes for this long is closed, 0 for never; needs the proxy",
    }),
  ),
  proxyProtocol: inGroup(
    HOW,
    onOff({
      help: "begin each connection with a PROXY header, version 2, that names the client; needs the proxy",
    }),
  ),
  statusAddress: statusAddressOf("ambassador"),
  ...commonFlags,
  drainTimeout: {
    ...wholeNumber({
      takes: "seconds",
      min: 1,
      max: 3_600,
      byDefault: 25,
      help: "how long open connections may go on after a signal; then they are cut",
    }),
    ...(commonFlags.drainTimeout.group !== undefined && { group: commonFlags.drainTimeout.group }),
  },
  logLevel,
};

export type AmbassadorConfig = ConfigOf<typeof flags>;

/** What is wrong with the flags together, though each of them is right; as sentences. */
export function problems(config: AmbassadorConfig): readonly string[] {
  const { name, family, service, dns, ports, dataPlane } = config;
  const given = [
    family === undefined ? [] : ["--family"],
    service === undefined ? [] : ["--service"],
    dns === undefined ? [] : ["--dns"],
  ].flat();
  const isProxyOnly = [
    config.proxyProtocol ? ["--proxyProtocol"] : [],
    config.idleTimeout > 0 ? ["--idleTimeout"] : [],
    config.balance === "p2c" ? ["--balance=p2c"] : [],
  ].flat();
  return [
    ...(given.length === 1
      ? []
      : [
          `expected exactly one of --family=<family[:revision]>, --service=<name> and --dns=<name>, got ${given.join(" and ") || "none"}`,
        ]),
    ...(name === undefined && dns === undefined
      ? ["--name: expected the name of a container in the task definition, got nothing"]
      : []),
    ...(dns !== undefined && ports === undefined
      ? ["--ports: expected the ports to serve, because a DNS name does not tell them, got nothing"]
      : []),
    ...(dns !== undefined && config.public
      ? ["--public: expected not to be given with --dns, whose records hold the address"]
      : []),
    ...(dataPlane === "kernel" && isProxyOnly.length > 0
      ? [`--dataPlane=kernel: expected without ${isProxyOnly.join(" and ")}, which need the proxy`]
      : []),
  ];
}

export const examples = [
  [
    "ambassador --name=web --service=shop",
    "localhost reaches the container web of the service shop",
  ],
  ["kite -name=web -family web:7 -public", "the same in an older program's spelling, one revision"],
  ["ambassador --dns=web.example.internal --ports=80", "by the records that discover writes"],
] as const;
