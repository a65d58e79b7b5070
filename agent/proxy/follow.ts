import type { Clock } from "../../lib/kit/flow/clock.ts";
import type { Doorbell } from "../../lib/kit/flow/doorbell.ts";
import type { CertificateKeeper } from "../../lib/web/flow/certificate-keeper.ts";
import type { EngineKeeper, EngineReport } from "../../lib/web/flow/engine-keeper.ts";
import type { Hosts } from "../../lib/web/virtual-hosts.ts";
import type { ModeStatus } from "../page/mode-status.ts";
import type { Dns } from "./dns/zones.ts";
import type { ProxyMetric } from "./metrics.ts";
import type { teller } from "./tell.ts";

interface Parts {
  readonly clock: Clock;
  readonly hosts: () => Hosts;
  readonly dnsNames: () => readonly string[];
  readonly keeper: Pick<EngineKeeper, "standing">;
  readonly certificates: Pick<CertificateKeeper, "look">;
  readonly dns: Pick<Dns, "want"> | undefined;
  readonly status: Pick<ModeStatus<ProxyMetric>, "changed" | "count">;
  readonly say: ReturnType<typeof teller>;
  /** Rung when another table is served. */
  readonly noticeBell: Doorbell;
}

/** What follows from the table and the engine's reports: names in DNS, certificates, notices, figures. */
export function followers(parts: Parts) {
  const { hosts, keeper, status, say } = parts;
  let told = "";

  /** Nothing is removed before all was looked at, and no name is published that the engine does not serve yet. */
  const follow = (): void => {
    status.changed();
    const { layout, loads } = keeper.standing();
    if (loads === 0) return;
    const served = hosts().hosts.filter(
      ({ key, servers }) =>
        layout.slots.has(key) && servers.some(({ state }) => state === "serving"),
    );
    parts.dns?.want(new Set([...served.map(({ name }) => name), ...parts.dnsNames()]));
    parts.certificates.look(hosts().hosts);
  };

  const reported = (report: EngineReport): void => {
    say.engine(report);
    if (report.kind === "port" || report.kind === "failed") {
      if (report.kind === "failed") {
        status.count((metrics) => metrics.count("ecs_discovery_proxy_failures_total"));
      }
      status.changed();
      return;
    }
    const counter =
      report.kind === "loaded"
        ? "ecs_discovery_proxy_loads_total"
        : "ecs_discovery_proxy_changes_total";
    const { seconds, signature } = say.served(hosts(), parts.clock.now());
    status.count((metrics) => {
      metrics.count(counter);
      for (const value of seconds) metrics.observe("ecs_discovery_proxy_served_seconds", value);
    });
    if (signature !== told) parts.noticeBell.ring();
    told = signature;
    follow();
  };

  return { follow, reported };
}
