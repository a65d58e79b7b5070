/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import type { ChangeState, ContainerState, RecordSetState, State } from "../../host/state.ts";
import type { PageElements } from "../../page/page-elements.ts";
import type { Standing } from "./judged.ts";
import type { PageRows } from "./rows.ts";

type Name = State["names"][number] & { readonly records: readonly RecordSetState[] };
/** Runs in the browser; see `pageElements`. Gives a name's card: this host's share of its answers. */
export function nameCard({ el }: PageElements, { dim, mono, plural, short }: PageRows) {
  return ({ name, type, own, ownWeight, zone, records }: Name): HTMLElement => {
    const isWeighted = ownWeight !== undefined;
    const sets = Math.max(zone?.size ?? 0, own, 1);
    const total = isWeighted ? Math.max(zone?.weight ?? 0, ownWeight) : sets;
    const part = isWeighted && total > 0 ? ownWeight / total : own / sets;
    const others = Math.max(0, sets - own);
    const words =
      zone === undefined
        ? `${plural(own, "set")} here, others not read yet`
        : `${Math.round(part * 100)} % · ${own} of ${plural(sets, "set")}`;
    const bar = el("div", "bar");
    bar.setAttribute("role", "img");
    bar.setAttribute("aria-label", words);
    for (const record of records) {
      const width = total > 0 ? (record.weight ?? 1) / total : 1 / sets;
      const piece = el("span", "", record.values.join(", "));
      piece.style.width = `${width * 100}%`;
      piece.title = `${record.values.join(", ")}, ${Math.round(width * 100)} %`;
      bar.append(piece);
    }
    if (others > 0) bar.append(el("span", "o", `${others} on other hosts`));
    const ttl = records[0]?.ttlSeconds;
    return el(
      "div",
      "name",
      el("span", "", mono(short(name)), dim(` ${type}${ttl === undefined ? "" : ` · ttl ${ttl}`}`)),
      bar,
      dim(words),
    );
  };
}

/** Runs in the browser; see `pageElements`. Gives the row of a container. */
export function containerRow(
  { el, marks }: PageElements,
  { age, cell, dim, recordWords }: PageRows,
) {
  const checks = new Map([
    ["healthy", "passes, or none"],
    ["unhealthy", "fails"],
    ["starting", "has not passed yet"],
  ]);
  return (one: ContainerState & { readonly standing: Standing }): HTMLElement => {
    const why = [one.detail ?? "", ...one.problems].filter((text) => text !== "");
    return el(
      "tr",
      "",
      cell(
        "",
        el("span", `st ${one.standing.mark}`, `${marks[one.standing.mark]} ${one.standing.words}`),
      ),
      cell("", one.name ?? "", " ", el("span", "dim mono", one.id.slice(0, 12))),
      cell(
        "",
        ...one.records.map((record) =>
          el(
            "div",
            "",
            ...recordWords(record),
            record.standing === "published" ? "" : el("strong", "", ` ${record.standing}`),
          ),
        ),
        ...why.map((text) => el("div", one.standing.mark === "bad" ? "" : "dim", text)),
      ),
      cell("health check", dim(checks.get(one.life ?? "") ?? one.life ?? "")),
      cell("since", age(one.since)),
    );
  };
}

/** Runs in the browser; see `pageElements`. Gives the row of a change, and of a failure. */
export function historyRows({ el }: PageElements, { age, cell, dim, recordWords }: PageRows) {
  const verbs = { UPSERT: "+", DELETE: "−", REPLACE: "±" };
  const spoken = { UPSERT: "registered", DELETE: "removed", REPLACE: "changed" };
  const change = (one: ChangeState): HTMLElement => {
    const isRefused = one.result === "refused";
    const words = isRefused ? "refused" : spoken[one.action];
    return el(
      "tr",
      "",
      cell("", dim(age(one.at, "", " ago"))),
      cell(
        "",
        el("strong", isRefused ? "bad" : "", `${isRefused ? "✕" : verbs[one.action]} ${words} `),
        ...recordWords(one.record),
        one.message === undefined ? "" : el("div", "", one.message),
      ),
      cell("", dim([one.containerName ?? one.container ?? "", one.reason ?? ""].join(" ").trim())),
      cell("took", one.seconds === undefined ? "" : `${one.seconds.toFixed(2)} s`),
    );
  };

  const failure = (one: State["errors"][number]): HTMLElement =>
    el(
      "tr",
      "",
      cell("", one.from),
      cell("", one.message),
      cell("", `${one.times} ×`),
      cell("last", age(one.lastAt, "", " ago")),
    );
  return { change, failure };
}
