import type { FleetWriterReport } from "../../lib/fleet/flow/fleet-writer.ts";
import type { Again } from "../../lib/kit/flow/summed.ts";
import { quote } from "../../lib/kit/quote.ts";
import type { WriterReport } from "../../lib/route53/flow/zone-writer.ts";
import type { Log, LogFields } from "../process/log.ts";

type SumUp = (what: string, tell: (again: Again | undefined) => void) => void;

type Warn = (what: string, message: string, fields?: LogFields) => void;

/** What the writer says of its work: each decision once; what repeats itself summed up. */
export function tell(log: Log, sumUp: SumUp): (report: FleetWriterReport) => void {
  const warn: Warn = (what, message, fields) =>
    sumUp(what, (again) => log.warn(`${message}${times(again)}`, fields));
  const wrote = tellWritten(log, warn);

  return (report) => {
    switch (report.kind) {
      case "took the fence": {
        const { zone, before } = report;
        const from = before === undefined ? "nobody" : `writer ${before.writer}`;
        log.info(`writes the zone from now on, after ${from}`, { zone });
        return;
      }
      case "read": {
        const { zone, records, owners } = report;
        log.info("knows the zone", { zone, records, owners });
        return;
      }
      case "wrote":
        wrote(report.report, { zone: report.zone, owner: report.owner });
        return;
      case "joined":
      case "left":
      case "silent":
        log.info(OWNER[report.kind], { zone: report.zone, owner: report.owner });
        return;
      case "held":
        log.warn(
          `the owner's set would remove ${report.records} of its ${report.of} records: they stay until it says so again`,
          { zone: report.zone, owner: report.owner },
        );
        return;
      case "doubtful":
        log.warn("a set of before this start differs from the zone: waits for a newer one", {
          zone: report.zone,
          owner: report.owner,
        });
        return;
      case "stopped":
        log.error(
          `deletes nothing more: ${report.deletes} of ${report.of} records would have been gone within a minute (limit 20 %); if that is meant, start once with --force`,
          { zone: report.zone },
        );
        return;
      case "resumed":
        log.info("deletes again: the owners ask for their records", { zone: report.zone });
        return;
      case "drift":
        warn(`drift ${report.owner}`, "the zone was changed behind the writer's back, repairs it", {
          zone: report.zone,
          owner: report.owner,
          records: report.records,
          record: report.names[0],
        });
        return;
      case "buried":
        warn(
          `${report.why} ${report.reason}`,
          `puts a message aside (${report.why}): ${report.reason}`,
          {
            sender: quote(report.senderId),
          },
        );
        return;
      case "unknown":
        warn(report.reason, `takes no message of this sender yet: ${report.reason}`, {
          sender: quote(report.senderId),
        });
        return;
      case "waits":
        warn(report.problem, `${report.problem}; tries again`);
        return;
      case "asked":
      case "received":
      case "took":
        return;
    }
  };
}

/** What Route 53 made of the requests for one owner. */
const tellWritten =
  (log: Log, warn: Warn) =>
  (report: WriterReport, about: LogFields): void => {
    switch (report.kind) {
      case "landed":
        for (const { action, record } of report.changes) {
          log.info(action === "DELETE" ? "removed" : "registered", {
            ...about,
            record: record.name,
            type: record.type,
            address: record.values.join(","),
          });
        }
        return;
      case "refused":
        log.warn(`Route 53 refuses the record: ${report.message}`, {
          ...about,
          record: report.change.record.name,
          type: report.change.record.type,
          retryInSeconds: Math.round(report.retryMs / 1000),
        });
        return;
      case "nearly-full":
        warn(
          `full ${report.name}`,
          "the name is nearly full: Route 53 takes 100 weighted record sets of a name",
          { ...about, record: report.name, recordSets: report.size },
        );
        return;
      case "adopts-ttl":
        warn(`ttl ${report.name}`, "others hold this name with another TTL: takes theirs", {
          ...about,
          record: report.name,
          ttl: report.ttlSeconds,
        });
        return;
      case "drift":
      case "waits":
        return;
    }
  };

const OWNER = {
  joined: "hears the owner: keeps its records as it says",
  left: "the owner has left: its records stay as they are",
  silent: "the owner is not heard any more: its records stay as they are",
} as const;

const times = (again: Again | undefined): string =>
  again === undefined ? "" : ` (${again.times} more in ${again.seconds} s)`;
