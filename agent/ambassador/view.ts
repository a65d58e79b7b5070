import type { Served } from "../../lib/ecs/service-task.ts";
import { endpointOf } from "../../lib/net/backend.ts";
import type { BackendFigures, BackendState } from "../../lib/net/flow/backend-table.ts";
import type { PortState } from "../../lib/net/flow/forwards.ts";
import type { Cell, View } from "../page/view.ts";
import type { Change } from "./tell.ts";

/** What the page, /healthz and the metrics are made of. */
export interface Known {
  readonly source: string;
  readonly plane: string;
  readonly served: Served | undefined;
  /** Seconds since the tasks were last read; undefined before the first time. */
  readonly ageSeconds: number | undefined;
  /** Why the last attempt to read them failed. */
  readonly readProblem: string | undefined;
  readonly kernelProblem: string | undefined;
  readonly ports: readonly PortState[];
  /** Who failed the last check, by `backendKey`, with the problem. */
  readonly changes: readonly Change[];
}

/** Rows of a table; of more, nobody sees the end. */
const MOST_ROWS = 500;

/**
 * Not well only where it matters to a client: a port that was asked for has no task that answers, or nothing was ever
 * read. An API that is away, or a port that somebody else has, needs somebody, and is shown as such.
 */
function healthOf({ served, readProblem, ports }: Known): readonly string[] {
  if (served === undefined) {
    return [`the tasks were never read${readProblem === undefined ? "" : `: ${readProblem}`}`];
  }
  return ports.flatMap(({ port, backends }) => {
    if (!served.ports.has(port)) return [];
    const listed = backends.filter(({ state }) => state !== "leaving");
    if (listed.length === 0) return [`port ${port} has no task`];
    return listed.every(({ state }) => state === "aside" || state === "down")
      ? [`port ${port} has ${listed.length} tasks, and none of them answers`]
      : [];
  });
}

export function viewOf(known: Known): View {
  const { source, plane, served, ageSeconds, ports, changes } = known;
  const sum = (value: (port: PortState) => number) =>
    ports.reduce((all, one) => all + value(one), 0);
  const tasks = new Set(ports.flatMap(({ backends }) => listedIn(backends).map(({ id }) => id)));
  return {
    health: healthOf(known),
    readiness: served === undefined ? ["the tasks were never read"] : [],
    needsYou: needsOf(known),
    figures: [
      { label: "Serves", value: source },
      { label: "Data plane", value: plane },
      { label: "Tasks", value: tasks.size },
      {
        label: "Read",
        value: ageSeconds === undefined ? "never" : `${Math.round(ageSeconds)} s ago`,
        ...(known.readProblem !== undefined && { detail: known.readProblem }),
      },
      { label: "Open connections", value: sum(({ figures }) => figures.open) },
      {
        label: "Rescued",
        value: sum(({ figures }) => figures.rescued),
        detail: "taken by another task than the first one tried",
      },
      {
        label: "Lost",
        value: sum(({ figures }) => figures.givenUp),
        detail: "connections that no task took",
      },
    ],
    tables: [
      {
        title: "Ports and their tasks",
        columns: [
          "Port",
          "Task",
          "Address",
          "Standing",
          "Share",
          "Open",
          "Connections",
          "Failures",
        ],
        rows: ports.flatMap(rowsOf).slice(0, MOST_ROWS),
        empty: "No port is served: no task that may be used was found.",
      },
      {
        title: "Who gets nothing, and why",
        columns: ["Task or port", "Reason", "Detail"],
        rows: (served?.absences ?? [])
          .map(({ of, reason, detail }) => [of, reason, detail])
          .slice(0, MOST_ROWS),
        empty: "Every task that was found is used.",
      },
    ],
    changes,
  };
}

const listedIn = (backends: readonly BackendFigures[]) =>
  backends.filter(({ state }) => state !== "leaving");

const MARKS: Readonly<Record<BackendState, Exclude<Cell, string | number>["mark"]>> = {
  serving: "good",
  aside: "bad",
  down: "bad",
  leaving: "wait",
};
const MEANINGS: Readonly<Record<BackendState, string>> = {
  serving: "serves",
  aside: "set aside for 2 s",
  down: "fails its check",
  leaving: "leaves: open connections stay",
};

/** A port with nobody behind it has a row, too; those in trouble come first. */
function rowsOf({ port, listening, plane, problem, backends, figures }: PortState): Cell[][] {
  const where = `${port}${listening ? ` (${plane})` : ""}`;
  if (backends.length === 0 || !listening) {
    const why: Cell = { text: problem ?? "no task: connects are refused", mark: "bad" };
    return [[where, "", "", why, "", figures.open, "", ""]];
  }
  const usable = backends.filter(({ state }) => state === "serving");
  const weights = usable.reduce((sum, { weight }) => sum + weight, 0);
  return backends
    .toSorted((a, b) => Number(a.state === "serving") - Number(b.state === "serving"))
    .map((backend) => {
      const { id, state, weight, open, connections, failures, lastFailure } = backend;
      const share = state === "serving" ? `${Math.round((100 * weight) / weights)} %` : "";
      const why = lastFailure === undefined || state === "serving" ? "" : `: ${lastFailure}`;
      return [
        where,
        id,
        endpointOf(backend),
        { text: `${MEANINGS[state]}${why}`, mark: MARKS[state] },
        share,
        open,
        connections,
        failures,
      ];
    });
}

function needsOf({ readProblem, kernelProblem, served, ports }: Known): View["needsYou"] {
  const unlistened = ports.filter(({ listening, problem }) => !listening && problem !== undefined);
  const isUseless =
    served !== undefined &&
    served.absences.length > 0 &&
    [...served.ports.values()].every((one) => one.length === 0);
  const [first] = served?.absences ?? [];
  return [
    ...(readProblem === undefined
      ? []
      : [
          {
            what: "The tasks can't be read",
            why: readProblem,
            next: "What was read last is served; it tries again by itself.",
          },
        ]),
    ...unlistened.map(({ port, problem = "" }) => ({
      what: `Port ${port} can't be served`,
      why: problem,
      next: "It tries again every two seconds.",
    })),
    ...(kernelProblem === undefined
      ? []
      : [
          {
            what: "The kernel's rules can't be changed",
            why: kernelProblem,
            next: "What they were stays; it tries again by itself.",
          },
        ]),
    ...(isUseless && first !== undefined
      ? [{ what: "No task can be used", why: `${first.of}: ${first.detail}` }]
      : []),
  ];
}
