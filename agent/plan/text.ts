import { columns, line, type Piece } from "../cli/terminal.ts";
import type { Content, Difference, Left, Named, PlanReport } from "./report.ts";

const SIGNS = { add: "+", remove: "-", change: "~" } as const;
const STYLES = { add: "green", remove: "red", change: "yellow" } as const;

/** The report for people: a diff of record sets, the containers without a record, and a sum. */
export function textOf(report: PlanReport): readonly string[] {
  const { zone, instance, differences, left, refusal } = report;
  const blocked = differences.filter(({ obstacle }) => obstacle !== undefined);
  return [
    line(`${zone.name} (${zone.id}) and host ${instance}: ${count(report.running, "container")}`),
    ...block(columns(differences.map(row))),
    ...block(columns(left.map(leftRow))),
    ...block(
      columns(
        blocked.map((one) => [
          { text: "refused by Route 53", style: "yellow" },
          `${one.name} ${one.type}: ${one.obstacle}`,
        ]),
      ),
    ),
    ...block(refusal === undefined ? [] : [line({ text: refusal, style: "red" })]),
    "",
    line(sum(report)),
    ...(report.proxied === 0
      ? []
      : [
          line(
            `This host's proxy has ${count(report.proxied, "record")} here, and keeps them itself.`,
          ),
        ]),
  ];
}

const block = (lines: readonly string[]): readonly string[] =>
  lines.length === 0 ? [] : ["", ...lines];

function row(one: Difference): readonly Piece[] {
  const { action, before, name, type, task, containers } = one;
  const change = (of: (content: Content) => string) =>
    before === undefined || of(before) === of(one) ? of(one) : `${of(before)} -> ${of(one)}`;
  return [
    { text: SIGNS[action], style: STYLES[action] },
    name,
    type,
    change(({ values }) => values.join(",")),
    change(({ weight }) => (weight === undefined ? "multivalue" : `weight ${weight}`)),
    change(({ ttlSeconds }) => `ttl ${ttlSeconds}`),
    `task ${task ?? "-"}`,
    containers.map(named).join(", "),
  ];
}

const leftRow = ({ state, reason, detail, ...container }: Left): readonly Piece[] => [
  { text: state === "none" ? "no record" : state, style: state === "skipped" ? "yellow" : "dim" },
  named(container),
  reason,
  detail,
];

const named = ({ id, name }: Named): string => `${name} (${id.slice(0, 12)})`;

function sum({ differences, right }: PlanReport): string {
  const of = (action: Difference["action"]) =>
    differences.filter((one) => one.action === action).length;
  return differences.length === 0
    ? `Nothing to do: ${count(right, "record")} of this host ${right === 1 ? "is" : "are"} right.`
    : `${of("add")} to add, ${of("change")} to change, ${of("remove")} to remove; ${right} right as they are.`;
}

const count = (number: number, noun: string): string =>
  `${number} ${noun}${number === 1 ? "" : "s"}`;
