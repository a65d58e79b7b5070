import type { Row, Scenario } from "../results.ts";
import { median, percentile } from "../stats.ts";
import { FLEET, type FleetRun, runFleet } from "../virtual/fleet.ts";
import { changeRequests, total } from "../virtual/route53.ts";

/** Sizes at which the baseline runs, too; above, it would take hours. */
const BASELINE_UP_TO = 100;

/** What a run came to; times in seconds. */
export interface FleetFigures {
  readonly registered: { readonly p50: number; readonly p99: number; readonly max: number };
  readonly removed: { readonly p50: number; readonly p99: number };
  readonly requests: number;
  readonly changeRequests: number;
  /** Of all requests, in percent. */
  readonly throttled: number;
  readonly zoneBusy: number;
  /** The slowest host's median time to registered, in medians of the median host. */
  readonly fairness: number;
  readonly missing: number;
  readonly ended: number;
  readonly allSeconds: number;
}

export function figures(run: FleetRun): FleetFigures {
  const { counts } = run;
  const at = (values: readonly number[], share: number) => percentile(values, share) / 1_000;
  const registered = run.registeredMs.flat();
  const removed = run.removedMs.flat();
  const medians = run.registeredMs.filter(({ length }) => length > 0).map(median);
  const requests = total(counts);
  return {
    registered: { p50: at(registered, 0.5), p99: at(registered, 0.99), max: at(registered, 1) },
    removed: { p50: at(removed, 0.5), p99: at(removed, 0.99) },
    requests,
    changeRequests: changeRequests(counts),
    throttled: (100 * total(counts, "throttled")) / requests,
    zoneBusy: (100 * total(counts, "zone busy")) / requests,
    fairness: percentile(medians, 1) / median(medians),
    missing: run.missing,
    ended: run.ended,
    allSeconds: run.allMs / 1_000,
  };
}

/**
 * The least mean wait, in seconds, that the account's limit leaves: a host that may ask k times in the deployment, evenly,
 * leaves an event waiting for half of the time between two requests. Nothing where each event can have its own request.
 */
function boundSeconds(hosts: number): number {
  const { rate, deploymentMs, tasksPerHost } = FLEET;
  const possible = (rate.perSecond * deploymentMs) / 1_000 + rate.burst;
  const perHost = possible / hosts;
  return perHost >= 2 * tasksPerHost ? 0 : deploymentMs / 1_000 / perHost / 2;
}

/** A list price from memory: a million requests of at most 64 KiB. */
const DOLLARS_A_REQUEST = 0.4 / 1_000_000;

/** The same deployment, with a writer between: what it comes to beside hosts that each write for themselves. */
async function throughWriter(hosts: number, seed: number, direct: FleetFigures): Promise<Scenario> {
  const run = await runFleet({ kind: "writer", hosts, seed });
  const via = figures(run);
  const row = (
    measure: string,
    unit: Row["unit"],
    of: (one: FleetFigures) => number,
    more: Pick<Row, "atMost"> = {},
  ): Row => ({ measure, unit, agent: of(via), other: of(direct), ...more });
  const { queue } = run;
  const requests = queue
    ? queue.billed + queue.receive + queue["empty receive"] + queue.delete + queue.hide
    : 0;
  return {
    title: `f. ${hosts} hosts, the same through a queue and one writer (virtual time, seed ${seed})`,
    beside: "each host itself",
    rows: [
      row("start to registered, p50", "s", (one) => one.registered.p50),
      row("start to registered, p99", "s", (one) => one.registered.p99, { atMost: 0.6 }),
      row("stop to removed, p99", "s", (one) => one.removed.p99, { atMost: 0.6 }),
      row("requests to Route 53", "", (one) => one.requests),
      row("  a second", "", (one) => one.requests / one.allSeconds, { atMost: 10 }),
      row("throttled, of all requests", "%", (one) => one.throttled, { atMost: 1 }),
      row("changes that never landed", "", (one) => one.missing, { atMost: 0 }),
      { measure: "messages", unit: "", agent: queue?.send ?? 0 },
      { measure: "  bytes a message", unit: "", agent: (queue?.bytes ?? 0) / (queue?.send ?? 1) },
      { measure: "requests to SQS, as billed", unit: "", agent: requests },
      {
        measure: "  cents for the deployment",
        unit: "",
        agent: 100 * requests * DOLLARS_A_REQUEST,
      },
    ],
    notes: ["20 ms to the queue and back; hosts gather changes for 100 ms, and so does the writer"],
  };
}

/** A rolling deployment over fleets that share one account and one zone. */
export async function fleet(seed: number, sizes: readonly number[]): Promise<readonly Scenario[]> {
  const scenarios: Scenario[] = [];
  for (const hosts of sizes) {
    const agent = figures(await runFleet({ kind: "agent", hosts, seed }));
    const beside = hosts <= BASELINE_UP_TO;
    const baseline = beside
      ? figures(await runFleet({ kind: "baseline", hosts, seed }))
      : undefined;
    scenarios.push({
      title: `f. ${hosts} hosts, one account, one zone: each replaces ${FLEET.tasksPerHost} tasks in ${FLEET.deploymentMs / 60_000} min (virtual time, seed ${seed})`,
      beside: beside ? "baseline" : "nothing",
      rows: rows(hosts, agent, baseline),
      notes: [
        `${FLEET.latencyMs} ms latency, ${FLEET.applyMs} ms in which a zone takes no second change, ${FLEET.rate.perSecond} requests a second, burst ${FLEET.rate.burst}, names audited every ${FLEET.auditMs / 1000} s`,
      ],
    });
    scenarios.push(await throughWriter(hosts, seed, agent));
  }
  return scenarios;
}

function rows(
  hosts: number,
  agent: FleetFigures,
  baseline: FleetFigures | undefined,
): readonly Row[] {
  const row = (
    measure: string,
    unit: Row["unit"],
    of: (one: FleetFigures) => number,
    more: Pick<Row, "atMost" | "plotted"> = {},
  ): Row => ({
    measure,
    unit,
    agent: of(agent),
    ...(baseline !== undefined && { other: of(baseline) }),
    ...more,
  });
  return [
    row("start to registered, p50", "s", (one) => one.registered.p50),
    row("start to registered, p99", "s", (one) => one.registered.p99, {
      plotted: true,
      ...(hosts === 100 && { atMost: 15 }),
    }),
    row("start to registered, max", "s", (one) => one.registered.max),
    row("stop to removed, p50", "s", (one) => one.removed.p50),
    row("stop to removed, p99", "s", (one) => one.removed.p99),
    { measure: "least mean wait under the limit", unit: "s", agent: boundSeconds(hosts) },
    row("requests", "", (one) => one.requests, { plotted: true }),
    row("  of these to change the zone", "", (one) => one.changeRequests),
    row("  a host", "", (one) => one.requests / hosts),
    row("throttled, of all requests", "%", (one) => one.throttled, { atMost: 20 }),
    row("turned away because the zone was busy", "%", (one) => one.zoneBusy),
    row("slowest host's median, in median hosts' medians", "×", (one) => one.fairness, {
      atMost: 3,
    }),
    row("changes that never landed", "", (one) => one.missing, { atMost: 0 }),
    row("writers that gave up", "", (one) => one.ended, { atMost: 0 }),
    row("all landed after", "s", (one) => one.allSeconds),
  ];
}
