import type { SeenBalancer } from "../../../lib/elb/flow/look.ts";
import type { Begun } from "../../../lib/elb/journal.ts";
import { isEmptyPlan, planDiff } from "../../../lib/elb/listener-plan.ts";
import { listenerText } from "../../../lib/elb/load-balancer.ts";
import { loadBalancerOf, type Service } from "../../../lib/elb/service.ts";
import { idOf } from "../../../lib/elb/task-choice.ts";
import { endpointOf } from "../../../lib/net/backend.ts";
import type { PortState } from "../../../lib/net/flow/forwards.ts";
import type { View } from "../../page/view.ts";
import type { CycleResult } from "../work/parts.ts";
import type { Seen } from "../work/services.ts";
import { groupName } from "../work/targets-pass.ts";

/** All that the page is made of. */
export interface Known {
  readonly instance: string | undefined;
  readonly cluster: string | undefined;
  readonly result: CycleResult | undefined;
  /** Seconds since a cycle was last ok; undefined before the first one. */
  readonly ageSeconds: number | undefined;
  readonly sleepSeconds: number;
  readonly balancers: ReadonlyMap<string, SeenBalancer>;
  readonly ports: readonly PortState[];
  readonly begun: readonly Begun[];
  readonly journalProblem: string | undefined;
  readonly requests: number;
  readonly changes: readonly { readonly at: number; readonly text: string }[];
  readonly refusals: readonly {
    readonly at: number;
    readonly about: string;
    readonly text: string;
  }[];
}

/** So many sleeps without an answer are no bad luck any more. */
const SLEEPS = 5;
const LEAST_SECONDS = 60;

export function viewOf(known: Known): View {
  const { result, ageSeconds, journalProblem } = known;
  const limit = Math.max(LEAST_SECONDS, known.sleepSeconds * SLEEPS);
  const late =
    ageSeconds !== undefined && ageSeconds > limit
      ? [
          `no look has succeeded for ${Math.round(ageSeconds)} s: ${result?.problems.join("; ") ?? ""}`,
        ]
      : [];
  return {
    health: late,
    readiness:
      ageSeconds === undefined
        ? ["nothing was looked at yet"]
        : result?.files.services === undefined
          ? ["the services file was not read yet"]
          : [],
    needsYou: [
      ...needs(known),
      ...(journalProblem === undefined ? [] : [journalNeed(journalProblem)]),
    ],
    figures: figures(known),
    tables: [servicesTable(known), ...tables(known)],
    changes: known.changes,
  };
}

const journalNeed = (problem: string) => ({
  what: "The journal can't be kept",
  why: problem,
  next: "Make --stateDir a folder that this process may write; until then no listener is moved.",
});

function needs({ result }: Known): View["needsYou"] {
  if (result === undefined) return [];
  const { files, standings } = result;
  return [
    ...files.problems.map(({ why, isKept }) => ({
      what: "A file can't be read",
      why,
      next: isKept ? "What it said last still counts." : "Nothing is done until it can be read.",
    })),
    ...files.broken.map(({ name, problem }) => ({
      what: `The entry of ${name} can't be read`,
      why: problem,
      next: "The other services go on; what this entry said last still counts.",
    })),
    ...[...standings].flatMap(([key, { mark, text }]) =>
      mark === "bad" ? [{ what: `Service ${key} is not as wanted`, why: text }] : [],
    ),
    ...result.problems.map((why) => ({
      what: "A look failed",
      why,
      next: "It is tried again with the next cycle.",
    })),
  ];
}

function figures({ result, instance, cluster, ageSeconds, requests }: Known): View["figures"] {
  const marks = [...(result?.standings.values() ?? [])].map(({ mark }) => mark);
  const good = marks.filter((mark) => mark === "good").length;
  return [
    {
      label: "services as wanted",
      value: `${good} of ${marks.length}`,
      ...(marks.includes("bad") && {
        detail: `${marks.filter((mark) => mark === "bad").length} need you`,
      }),
    },
    {
      label: "this host",
      value: instance ?? "not known yet",
      ...(cluster !== undefined && { detail: `cluster ${cluster}` }),
    },
    { label: "requests to AWS", value: requests },
    {
      label: "last look",
      value: ageSeconds === undefined ? "none yet" : `${Math.round(ageSeconds)} s ago`,
    },
  ];
}

const ORDER = ["bad", "wait", "good"];

/** Service → load balancer → listener → task, the troubled ones first. */
function servicesTable({ result, balancers, ports }: Known): View["tables"][number] {
  const rows = (result?.seen ?? []).map((seen) => {
    const { service } = seen;
    const standing = result?.standings.get(service.key) ?? { mark: "wait" as const, text: "" };
    return {
      mark: standing.mark,
      cells: [
        service.key,
        service.outlet.mode,
        outletText(service),
        leadsText(service, balancers, ports, result),
        taskText(seen),
        { text: standing.text, mark: standing.mark },
      ],
    };
  });
  const sorted = rows.toSorted((a, b) => ORDER.indexOf(a.mark) - ORDER.indexOf(b.mark));
  return {
    title: "Services",
    columns: ["service", "mode", "load balancer", "listener", "task", "standing"],
    rows: sorted.map(({ cells }) => cells),
    empty: "The services file names none.",
  };
}

const outletText = (service: Service): string =>
  service.outlet.mode === "targets"
    ? groupName(service.outlet.targetGroupArn)
    : (loadBalancerOf(service) ?? "none");

function leadsText(
  { outlet }: Service,
  balancers: ReadonlyMap<string, SeenBalancer>,
  ports: readonly PortState[],
  result: CycleResult | undefined,
): string {
  if (outlet.mode === "targets") {
    const report = result?.reports.find(({ arn }) => arn === outlet.targetGroupArn);
    return (report?.there ?? []).map(({ id, port, state }) => `${id}:${port} ${state}`).join(", ");
  }
  const seen = balancers.get(outlet.loadBalancer ?? "");
  const named = new Set(outlet.ports.flatMap(({ lbPort }) => lbPort ?? []));
  const listeners =
    seen?.kind !== "found"
      ? []
      : seen.balancer.listeners
          .filter(({ listener }) => named.size === 0 || named.has(listener.lbPort))
          .map(({ listener }) => listenerText(listener));
  const fixed =
    outlet.mode === "forward"
      ? outlet.ports.map(({ listenPort }) => {
          const port = ports.find((one) => one.port === listenPort);
          return `:${listenPort} ${port?.listening ? `open (${port.plane})` : "closed"}`;
        })
      : [];
  return [...listeners, ...fixed].join(", ");
}

function taskText({ service, found, chosen }: Seen): string {
  if (found.kind === "none") return "none";
  const all = service.outlet.mode === "rewrite" && chosen !== undefined ? [chosen] : found.tasks;
  return all
    .map(
      ({ task, ports }) => `${idOf(task).slice(0, 8)} :${ports.map(({ host }) => host).join(",")}`,
    )
    .join("; ");
}

function tables(known: Known): View["tables"] {
  const drift = (known.result?.plans ?? []).filter((plan) => !isEmptyPlan(plan));
  return [
    {
      title: "Steps under way",
      columns: ["load balancer", "step"],
      rows: [
        ...known.begun.map((one) => [
          one.loadBalancer,
          {
            text: `listener ${listenerText(one.from.listener)} moves to ${one.to.at(-1)?.port}: begun, and not at its end`,
            mark: "wait" as const,
          },
        ]),
        ...drift.flatMap((plan) =>
          planDiff(plan, known.instance ?? "").map((line) => [plan.loadBalancer, line]),
        ),
      ],
      empty: "Everything was as wanted at the last look.",
    },
    {
      title: "Fixed ports",
      columns: ["port", "plane", "task", "state", "connections"],
      rows: known.ports.flatMap(({ port, plane, backends }) =>
        backends.map((backend) => [
          port,
          plane,
          `${backend.id.slice(0, 8)} at ${endpointOf(backend)}`,
          {
            text: backend.state,
            mark: backend.state === "serving" ? ("good" as const) : ("wait" as const),
          },
          backend.connections,
        ]),
      ),
      empty: "No service forwards, or no task answers.",
    },
    {
      title: "Last refusals",
      columns: ["when", "about", "why"],
      rows: known.refusals.map(({ at, about, text }) => [
        new Date(at * 1000).toISOString(),
        about,
        { text, mark: "bad" as const },
      ]),
      empty: "Nothing was refused.",
    },
  ];
}
