import { columns, line, type Piece } from "../cli/terminal.ts";
import type { ChangeState, ContainerState, RecordSetState, State } from "../host/state.ts";
import { ago, span } from "./span.ts";

/** So many of the last changes are shown; `--json` has them all. */
const CHANGES_SHOWN = 10;

/** What the page shows, for the terminal: first whether the agent is well, then why a name is there or missing. */
export function textOf(state: State): readonly string[] {
  return [
    ...headOf(state),
    ...table("containers", state.containers.flatMap(containerRows)),
    ...table(
      "left out",
      Object.entries(state.skipped).map(([reason, count]) => [reason, `${count}`]),
    ),
    ...table(
      "to be sent",
      state.pending.map(({ action, record, refused }) => [
        action.toLowerCase(),
        ...recordCells(record),
        refused === undefined
          ? ""
          : `refused: ${refused.message}; again in ${span(refused.retryAt - state.at)}`,
      ]),
    ),
    ...table(
      "last changes",
      state.changes.slice(0, CHANGES_SHOWN).map((change) => changeCells(change, state.at)),
    ),
    ...table(
      "last errors",
      state.errors.map(({ lastAt, times, from, message }) => [
        ago(lastAt, state.at),
        `${times} ${times === 1 ? "time" : "times"}`,
        from,
        message,
      ]),
    ),
  ];
}

function headOf({ at, agent, owner, zone, health, flow }: State): readonly string[] {
  const { stream, queue, records, requests, lastSyncAt } = flow;
  const said = [...health.problems, ...(health.notes ?? [])];
  const well: Piece = health.ok
    ? { text: health.ready ? "healthy" : "healthy, still starting", style: "green" }
    : { text: "not healthy", style: "red" };
  const host =
    owner === undefined
      ? "no ECS agent found yet"
      : `${owner.instance} of ${owner.cluster} in ${owner.region}`;
  return [
    line(well, said.length === 0 ? "" : `: ${said.join("; ")}`),
    ...columns([
      [
        "agent",
        `${agent.version}, for ${span(at - agent.startedAt)}${agent.dryRun ? ", dry run" : ""}`,
      ],
      ["zone", zone === undefined ? "not read yet" : `${zone.name} (${zone.id})`],
      ["host", host],
      [
        "stream",
        `${stream.open ? "open" : "closed"} for ${span(at - stream.since)}, ${stream.events} event${stream.events === 1 ? "" : "s"}` +
          (stream.lastEventAt === undefined ? "" : `, the last ${ago(stream.lastEventAt, at)}`),
      ],
      [
        "queue",
        `${queue.waiting} waiting, ${queue.working} of ${queue.workers} working, ${queue.later} later`,
      ],
      [
        "records",
        `${records.desired} desired, ${records.published} published, ${records.pending} pending, ${records.refused} refused`,
      ],
      [
        "requests",
        `${requests.total}, ${requests.failed} failed, ${requests.throttled} throttled; in step ${
          lastSyncAt === undefined ? "never yet" : ago(lastSyncAt, at)
        }`,
      ],
    ]),
  ];
}

function containerRows(container: ContainerState): readonly (readonly Piece[])[] {
  const { id, name, life, outcome, reason, detail, problems, records } = container;
  const named = `${name ?? "?"} (${id.slice(0, 12)})`;
  const skipped = problems.map((problem) => [named, "skipped", "", "", problem]);
  if (outcome !== "serve" || records.length === 0) {
    const state: Piece = { text: outcome === "unsure" ? "waits" : "none", style: "yellow" };
    return [
      [named, state, "", "", [reason ?? life, detail].filter(Boolean).join(": ")],
      ...skipped,
    ];
  }
  return [
    ...records.map(({ standing, ...record }) => [
      named,
      { text: standing, style: standing === "published" ? "green" : "yellow" } as const,
      ...recordCells(record).slice(0, 2),
      `${recordCells(record)[2]}, ${life ?? "?"}`,
    ]),
    ...skipped,
  ];
}

/** Its name and type, its value, and how it is weighted. */
const recordCells = ({ name, type, values, weight, ttlSeconds }: RecordSetState) =>
  [
    `${name} ${type}`,
    values.join(","),
    `${weight === undefined ? "multivalue" : `weight ${weight}`}, ttl ${ttlSeconds}`,
  ] as const;

const SIGNS = { UPSERT: "+", DELETE: "-", REPLACE: "~" } as const;

function changeCells(change: ChangeState, nowS: number): readonly Piece[] {
  const { at, action, record, result, message, containerName, container, reason, seconds } = change;
  const why = [containerName ?? container, reason].filter(Boolean).join(" ");
  const took = seconds === undefined ? "" : ` after ${seconds.toFixed(3)} s`;
  const told = message === undefined ? result : `${result}: ${message}`;
  return [
    ago(at, nowS),
    { text: SIGNS[action], style: result === "accepted" ? "green" : "yellow" },
    ...recordCells(record).slice(0, 2),
    `${told}${took}${why === "" ? "" : `, ${why}`}`,
  ];
}

const table = (title: string, rows: readonly (readonly Piece[])[]): readonly string[] =>
  rows.length === 0 ? [] : ["", line({ text: title, style: "bold" }), ...columns(rows)];
