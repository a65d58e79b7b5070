import { KIND } from "../../lib/kubernetes/ecs-deployment.ts";
import type { Outcome } from "../../lib/kubernetes/flow/reconcile.ts";
import { modeStatus } from "../page/mode-status.ts";
import type { StatusAddress } from "../page/status-address.ts";
import type { Surroundings } from "../process/surroundings.ts";
import { board as newBoard } from "./board.ts";
import type { Copies } from "./copies.ts";
import { metricTable } from "./metrics.ts";
import type { Terms } from "./term.ts";

/** Hears what happens, and says it in the log, the metrics and the page. */
export interface Observer {
  /** The API server's answer to a request; 0 for none. */
  answered(method: string, code: number): void;
  wrote(verb: string, what: string): void;
  looked(key: string, outcome: Outcome, seconds: number): void;
  leads(isLeader: boolean): void;
  changed(): void;
  /** Serves the page until the stop. */
  serve(copies: Copies, terms: Terms): Promise<void>;
}

export function observer(
  address: StatusAddress | undefined,
  { clock, log, stop }: Surroundings,
): Observer {
  const board = newBoard(clock, () => Date.now() / 1000);
  let known: { readonly copies: Copies; readonly terms: Terms } | undefined;
  const status = modeStatus({
    mode: "kube",
    address,
    clock,
    log,
    metrics: metricTable,
    view: () =>
      board.view({
        isListed: known?.copies.isListed() ?? false,
        owners: known?.copies.owners.size ?? 0,
      }),
    gauges(metrics) {
      if (known === undefined) return;
      const { owners, children } = known.copies;
      const sizes = [...children].map(([kind, { size }]) => [kind, size] as const);
      metrics.set("ecs_discovery_kube_leader", board.isLeader ? 1 : 0);
      metrics.setEach(
        "ecs_discovery_kube_objects",
        "kind",
        Object.fromEntries([[KIND, owners.size], ...sizes]),
      );
      metrics.setEach("ecs_discovery_kube_deployments", "state", board.counts());
      metrics.setEach("ecs_discovery_kube_queue", "state", { ...known.terms.size() });
    },
  });
  return {
    answered(method, code) {
      board.answered(code !== 0);
      const labels = { method, code: String(code) };
      status.count((metrics) => metrics.count("ecs_discovery_kube_requests_total", labels));
    },
    wrote(verb, what) {
      log.info(`${verb} ${what}`);
      board.changed(`${verb} ${what}`);
      status.count((metrics) => metrics.count("ecs_discovery_kube_writes_total", { verb }));
    },
    looked(key, outcome, seconds) {
      if (outcome.status !== undefined) board.saw(key, outcome.status);
      else if (outcome.retry === undefined) board.saw(key, undefined);
      status.count((metrics) => {
        metrics.observe("ecs_discovery_kube_reconcile_seconds", seconds);
        if (outcome.retry !== undefined) metrics.count("ecs_discovery_kube_retries_total");
      });
      status.changed();
    },
    leads(isLeader) {
      log.info(isLeader ? "leads" : "leads no more");
      board.leads(isLeader);
      status.changed();
    },
    changed: status.changed,
    serve(copies, terms) {
      known = { copies, terms };
      return status.serve(stop.signal);
    },
  };
}
