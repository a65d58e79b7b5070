import type { ContainerId } from "../../lib/docker/container.ts";
import type { CertificateStanding } from "../../lib/web/flow/certificate-keeper.ts";
import type { EngineStanding } from "../../lib/web/flow/engine-keeper.ts";
import type { Seen } from "../../lib/web/flow/look.ts";
import { TLS_PORT } from "../../lib/web/ports.ts";
import { type Claim, type Hosts, urlOf, type VirtualHost } from "../../lib/web/virtual-hosts.ts";
import type { Cell, View } from "../page/view.ts";
import type { DnsStanding } from "./dns/zones.ts";

/** All that the page is made of. */
export interface Picture {
  readonly hosts: Hosts;
  readonly seen: ReadonlyMap<ContainerId, Seen>;
  readonly silent: readonly Claim[];
  readonly engine: EngineStanding;
  readonly engineVersion: string;
  readonly certificates: readonly CertificateStanding[];
  /** Undefined without `--route53`. */
  readonly dns: DnsStanding | undefined;
  readonly dockerProblem: string | undefined;
  readonly changes: readonly { readonly at: number; readonly text: string }[];
}

/** More rows than anybody reads; the figures count them all. */
const MOST_ROWS = 500;

/** Why a container, or a part of what it asks for, is not served; none when all of it is. */
function reasonsOf(
  id: ContainerId,
  { seen, silent, hosts, engine }: Pick<Picture, "seen" | "silent" | "hosts" | "engine">,
): readonly string[] {
  const known = seen.get(id);
  if (known === undefined) return [];
  const quiet = silent
    .filter(({ container }) => container === id)
    .map(({ target }) => `nothing answers at ${target.address}:${target.port} yet`);
  const blocked = known.claims.flatMap(({ listen }) => engine.blocked.get(listen) ?? []);
  return [
    ...new Set([
      ...(known.reason === undefined ? [] : [known.reason]),
      ...known.problems,
      ...quiet,
      ...blocked,
      ...(hosts.conflicts.get(id) ?? []),
    ]),
  ];
}

/** The mode's state, for people and machines. */
export function viewOf(picture: Picture): View {
  const { hosts, engine, certificates, dns, seen } = picture;
  const health = [
    ...(engine.problem === undefined ? [] : [engine.problem]),
    ...(engine.loads > 0 && !engine.isRunning ? ["the engine does not run"] : []),
    ...(picture.dockerProblem === undefined ? [] : [picture.dockerProblem]),
  ];
  const isReady = engine.loads > 0;
  const troubled = [...seen.keys()]
    .map((id) => ({ id, reasons: reasonsOf(id, picture) }))
    .filter(({ reasons }) => reasons.length > 0);
  return {
    health,
    readiness: isReady
      ? []
      : ["not every container was looked at yet, or the engine has not started"],
    needsYou: needsOf(picture),
    figures: [
      {
        label: "names served",
        value: hosts.hosts.length,
        detail: `on ports ${engine.layout.ports.join(", ") || "none"}`,
      },
      { label: "containers", value: seen.size, detail: `${troubled.length} with something to say` },
      {
        label: "engine",
        value: `HAProxy ${picture.engineVersion}`,
        detail: `${engine.isRunning ? "runs" : "does not run"}; read its files ${engine.loads} times`,
      },
      ...(dns === undefined
        ? []
        : [
            {
              label: "DNS records",
              value: dns.zones.reduce((sum, { published }) => sum + published, 0),
              detail: dns.zones.map(({ name }) => name).join(", "),
            },
          ]),
    ],
    tables: [
      {
        title: "Names",
        columns: ["Name", "Containers", "Standing", "Certificate", "DNS"],
        rows: hosts.hosts.slice(0, MOST_ROWS).map((host) => hostRow(host, picture)),
        empty: "No container asks for a name: give one the label proxy.host.",
      },
      {
        title: "Not served, or not as asked",
        columns: ["Container", "Life", "Why"],
        rows: troubled
          .slice(0, MOST_ROWS)
          .map(({ id, reasons }) => [
            seen.get(id)?.container?.name ?? id.slice(0, 12),
            seen.get(id)?.life ?? "",
            { text: reasons.join("; "), mark: "wait" as const },
          ]),
        empty: "Everything is served as its labels ask.",
      },
      {
        title: "Certificates",
        columns: ["Name", "From", "Good until", "Why"],
        rows: certificates.map(({ name, from, untilMs, problem }): Cell[] => [
          name,
          { text: from, mark: from === "self-signed" ? "wait" : "good" },
          untilMs === 0 ? "" : dayOf(untilMs),
          problem === undefined ? "" : { text: problem, mark: "bad" },
        ]),
        empty: "No name asks for one: proxy.tls=acme, or the name of one of your own.",
      },
    ],
    changes: picture.changes,
  };
}

function hostRow(host: VirtualHost, { certificates, engine, dns, seen }: Picture): Cell[] {
  const serving = host.servers.filter(({ state }) => state === "serving");
  const blocked = engine.blocked.get(host.listen);
  const standing: Cell =
    blocked !== undefined
      ? { text: blocked, mark: "bad" }
      : serving.length > 0
        ? { text: "served", mark: "good" }
        : { text: "its containers take no new request", mark: "wait" };
  const certificate =
    host.listen === TLS_PORT
      ? (certificates.find(({ name }) => name === host.name)?.from ?? "self-signed")
      : "";
  const problem = dns?.problems.get(host.name);
  return [
    urlOf(host),
    host.servers
      .map(
        ({ container, address, port, state }) =>
          `${seen.get(container)?.container?.name ?? container.slice(0, 12)} ${address}:${port}${state === "draining" ? " (drains)" : ""}`,
      )
      .join(", "),
    standing,
    certificate,
    dns === undefined ? "" : problem === undefined ? "" : { text: problem, mark: "bad" },
  ];
}

function needsOf({ engine, certificates, dns, seen }: Picture): View["needsYou"] {
  const names = [...seen.values()];
  return [
    ...[...engine.blocked].map(([port, why]) => ({
      what: `port ${port} is not listened on`,
      why,
      next: "tried again every 10 s",
    })),
    ...certificates.flatMap(({ name, problem }) =>
      problem === undefined
        ? []
        : [{ what: `${name} has no certificate of its own, or an old one`, why: problem }],
    ),
    ...[...(dns?.problems ?? [])].map(([name, why]) => ({
      what: `${name} has no record of this host`,
      why,
    })),
    ...(dns?.away === undefined
      ? []
      : [
          {
            what: "Route 53 is not followed",
            why: dns.away,
            next: "tried again by itself; what is served does not depend on it",
          },
        ]),
    ...names.flatMap(({ container, problems, reason, life }) => {
      const all = [...(reason !== undefined && life === "healthy" ? [reason] : []), ...problems];
      return all.length === 0
        ? []
        : [
            {
              what: `the labels of ${container?.name ?? "a container"} ask for what can't be`,
              why: all.join("; "),
            },
          ];
    }),
  ].slice(0, 50);
}

/** `2026-11-24` of a moment, in the calendar of RFC 3339. */
const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);
