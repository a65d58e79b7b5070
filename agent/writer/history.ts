import type { FleetWriterReport } from "../../lib/fleet/flow/fleet-writer.ts";
import type { PoisonKind } from "../../lib/fleet/flow/intake.ts";
import type { Clock } from "../../lib/kit/flow/clock.ts";
import type { View } from "../page/view.ts";

const MOST_CHANGES = 50;
const MOST_NEEDS = 10;
/** A message that was put aside is news for so long. */
const NEWS_MS = 3_600_000;

/** What was told of the work, as far as people ask for it. */
export interface History {
  heard(report: FleetWriterReport): void;
  ready(): void;
  readyAtMs(): number | undefined;
  changes(): View["changes"];
  needs(): View["needsYou"];
  figures(): View["figures"];
}

export function history({
  clock,
  unixMs,
}: {
  readonly clock: Clock;
  readonly unixMs: () => number;
}): History {
  let changes: { readonly at: number; readonly text: string }[] = [];
  let buried: { readonly atMs: number; readonly why: PoisonKind; readonly reason: string }[] = [];
  let readyAtMs: number | undefined;
  let requests = 0;
  let landed = 0;
  let messages = 0;
  let putAside = 0;
  const news = (text: string): void => {
    changes = [{ at: unixMs() / 1000, text }, ...changes].slice(0, MOST_CHANGES);
  };
  return {
    heard(report) {
      switch (report.kind) {
        case "asked":
          requests += 1;
          return;
        case "received":
          messages += report.messages;
          return;
        case "buried": {
          putAside += 1;
          const { why, reason } = report;
          buried = [{ atMs: clock.now(), why, reason }, ...buried].slice(0, MOST_NEEDS);
          news(`a message was put aside (${why}): ${reason}`);
          return;
        }
        case "joined":
        case "left":
        case "silent":
          news(`host ${report.owner} ${report.kind === "silent" ? "fell silent" : report.kind}`);
          return;
        case "stopped":
          news(`deletes stopped: ${report.deletes} of ${report.of} records within a minute`);
          return;
        case "resumed":
          news("deletes go on");
          return;
        case "wrote":
          if (report.report.kind !== "landed") return;
          landed += report.report.changes.length;
          for (const { action, record } of report.report.changes) {
            news(
              `${action === "DELETE" ? "removed" : "registered"} ${record.name} ${record.type} ${record.values.join(" ")}`,
            );
          }
          return;
        default:
      }
    },
    ready() {
      readyAtMs = clock.now();
    },
    readyAtMs: () => readyAtMs,
    changes: () => changes,
    needs: () =>
      buried
        .filter(({ atMs }) => clock.now() - atMs < NEWS_MS)
        .map(({ why, reason }) => ({
          what: `A message was put aside: ${why}`,
          why: reason,
          next: "it lies in the dead-letter queue with this reason",
        })),
    figures: () => [
      { label: "messages", value: messages, detail: `${putAside} put aside` },
      { label: "changes", value: landed, detail: `in ${requests} requests` },
    ],
  };
}
