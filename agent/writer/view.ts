import type { FleetWriter, ZoneAtWork } from "../../lib/fleet/flow/fleet-writer.ts";
import type { Clock } from "../../lib/kit/flow/clock.ts";
import { quote } from "../../lib/kit/quote.ts";
import type { View } from "../page/view.ts";
import type { History } from "./history.ts";

/** A request may always take this long, with the SDK's own repeats. */
const OVERDUE_MS = 30_000;
/** A receive waits up to 20 s by itself. */
const QUEUE_SILENT_MS = 60_000;
const MOST_ROWS = 200;

/**
 * What the writer shows of itself.
 *
 * | what                                                   | well |
 * |--------------------------------------------------------|------|
 * | no request to a zone was accepted for 30 s, though changes wait | no |
 * | the queue has not answered for a minute                | no   |
 * | deletes are stopped                                    | no   |
 * | a record is refused, an owner's removal waits, a message was put aside | yes, and it needs somebody |
 */
export function viewOf(
  { zones, isReady, inHand, answeredAtMs }: FleetWriter,
  history: History,
  {
    clock,
    unixMs,
    queueName,
  }: { readonly clock: Clock; readonly unixMs: () => number; readonly queueName: string },
): View {
  const parts = zones();
  const nowMs = clock.now();
  const answeredMs = answeredAtMs();
  const silentMs = nowMs - (answeredMs ?? history.readyAtMs() ?? nowMs);
  const health = [
    ...parts.flatMap((part) => problemsOf(part, nowMs)),
    ...(isReady() && silentMs > QUEUE_SILENT_MS
      ? [`the queue ${queueName} has not answered for ${seconds(silentMs)}`]
      : []),
  ];
  const counts = parts.map(({ fleet }) => fleet.counts());
  const sum = (of: (one: (typeof counts)[number]) => number) =>
    counts.reduce((all, one) => all + of(one), 0);
  return {
    health,
    readiness: isReady() ? [] : ["the zones are not read yet"],
    needsYou: parts.flatMap((part) => needsOf(part)).concat(history.needs()),
    figures: [
      {
        label: "hosts heard",
        value: sum(({ heard }) => heard),
        detail: `${sum(({ silent }) => silent)} more have records that stay as they are`,
      },
      { label: "records", value: parts.reduce((all, { fleet }) => all + fleet.size(), 0) },
      {
        label: "owners waiting",
        value: parts.reduce((all, { joint }) => all + joint.standing().waiting, 0),
      },
      { label: "messages in hand", value: inHand(), detail: `of ${queueName}` },
      ...history.figures(),
    ],
    tables: parts.map((part) => tableOf(part, unixMs())),
    changes: history.changes(),
  };
}

function problemsOf({ names, joint, fleet }: ZoneAtWork, nowMs: number): readonly string[] {
  const { overdueSinceMs, waiting, lastMiss } = joint.standing();
  const lateMs = overdueSinceMs === undefined ? 0 : nowMs - overdueSinceMs;
  return [
    ...(lateMs > OVERDUE_MS
      ? [
          `${names.name}: changes of ${waiting} hosts wait, and none was accepted for ${seconds(lateMs)}${lastMiss === undefined ? "" : `; the last request: ${lastMiss}`}`,
        ]
      : []),
    ...(fleet.isStopped()
      ? [
          `${names.name}: deletes nothing, because more than a fifth of the records would have gone within a minute`,
        ]
      : []),
  ];
}

function needsOf({ names, fleet }: ZoneAtWork): View["needsYou"] {
  const views = fleet.views();
  const refused = views.flatMap(({ refused: all }) => all);
  const held = views.filter((one) => one.held > 0);
  return [
    ...(fleet.isStopped()
      ? [
          {
            what: `No record of ${names.name} is deleted`,
            why: "more than a fifth of them would have gone within a minute",
            next: "if that is meant, start the writer once with --force; else it goes on by itself when the hosts ask for their records again",
          },
        ]
      : []),
    ...refused.slice(0, 20).map(({ record, message }) => ({
      what: `Route 53 refuses ${record.name} ${record.type}`,
      why: message,
      next: "it is sent again every 5 minutes",
    })),
    ...held.slice(0, 20).map(({ owner, held: records, records: of }) => ({
      what: `${records} of ${of} records of host ${owner} are not wanted any more`,
      why: "it would lose most of its records at once",
      next: "they go when the host says so again, a few seconds later",
    })),
  ];
}

function tableOf({ names, fleet }: ZoneAtWork, nowMs: number): View["tables"][number] {
  const trouble = (one: ReturnType<typeof fleet.views>[number]) =>
    one.refused.length + one.held + one.pending;
  const rows = fleet
    .views()
    .toSorted((one, other) => trouble(other) - trouble(one) || (one.owner < other.owner ? -1 : 1))
    .slice(0, MOST_ROWS)
    .map((one) => [
      quote(one.owner).slice(1, -1),
      one.records,
      one.pending,
      one.refused.length > 0
        ? ({ text: `${one.refused.length} refused`, mark: "bad" } as const)
        : one.held > 0
          ? ({ text: `${one.held} held`, mark: "wait" } as const)
          : one.pending > 0
            ? ({ text: "changing", mark: "wait" } as const)
            : ({ text: "right", mark: "good" } as const),
      `${seconds(Math.max(0, nowMs - one.sentMs))} ago`,
    ]);
  return {
    title: `Hosts of ${names.name}`,
    columns: ["host", "records", "changes", "standing", "last set"],
    rows,
    empty: "No host was heard yet: see --via of discover.",
  };
}

const seconds = (ms: number): string => `${Math.round(ms / 1000)} s`;
