/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import type { PageElements } from "./page-elements.ts";
import type { Cell, ModeState } from "./view.ts";

/** Runs in the browser; see `pageElements`. Gives a table of the state as a card. */
export function stateTable({ el, marks }: PageElements) {
  const cell = (value: Cell, head: string): HTMLElement => {
    const made = el("td", "");
    made.dataset["head"] = head;
    if (typeof value !== "object") made.append(String(value));
    else made.append(el("span", value.mark, `${marks[value.mark]} ${value.text}`));
    return made;
  };
  return ({ title, columns, rows, empty }: ModeState["tables"][number]): HTMLElement => {
    const card = el("section", "card", el("h2", "", title, " ", el("small", "", `${rows.length}`)));
    if (rows.length === 0) {
      card.append(el("p", "dim", empty));
      return card;
    }
    const head = el("tr", "", ...columns.map((column) => el("th", "", column)));
    const body = rows.map((row) =>
      el("tr", "", ...row.map((value, index) => cell(value, columns[index] ?? ""))),
    );
    const made = el("table", "", el("thead", "", head), el("tbody", "", ...body));
    card.append(el("div", "scroll", made));
    return card;
  };
}

/** Runs in the browser; see `pageElements`. Shows each state that the server sends. */
export function showState(
  { at, el, spanOf, showTabs }: PageElements,
  table: ReturnType<typeof stateTable>,
): void {
  const show = (state: ModeState): void => {
    const { agent, health, ready, needsYou, figures, tables, changes, neighbours } = state;
    const isGood = health.ok && needsYou.length === 0;
    document.title = `${health.ok ? "●" : "○"} ${agent.mode}`;
    at("title").textContent = agent.mode;
    const pill = at("pill");
    pill.className = `pill ${health.ok ? (isGood && ready.ok ? "good" : "wait") : "bad"}`;
    pill.textContent = !health.ok
      ? health.problems.join("; ")
      : !ready.ok
        ? ready.problems.join("; ")
        : needsYou.length === 0
          ? "well"
          : `${needsYou.length} to look at`;
    at("about").textContent = `${agent.version} · up ${spanOf(agent.now - agent.startedAt)} · live`;
    showTabs(`${agent.mode}${health.ok ? "" : " ✕"}`, neighbours);
    at("todo").hidden = needsYou.length === 0;
    at("needs").replaceChildren(
      ...needsYou.map(({ what, why, next }) =>
        el(
          "li",
          "",
          el("span", "why", what),
          ` ${why}`,
          ...(next ? [el("span", "dim", ` ${next}`)] : []),
        ),
      ),
    );
    at("kpis").replaceChildren(
      ...figures.map(({ label, value, detail }) =>
        el(
          "div",
          "kpi",
          el("p", "dim", label),
          el("p", "n", String(value)),
          el("p", "dim", detail ?? ""),
        ),
      ),
    );
    at("tables").replaceChildren(...tables.map(table));
    at("changes-none").hidden = changes.length > 0;
    at("changes").replaceChildren(
      ...changes.map((change) =>
        el(
          "tr",
          "",
          el("td", "dim", `${spanOf(agent.now - change.at)} ago`),
          el("td", "", change.text),
        ),
      ),
    );
  };

  const source = new EventSource("/v1/events");
  source.addEventListener("state", ({ data }) => show(JSON.parse(String(data)) as ModeState));
  source.addEventListener("error", () => {
    at("pill").className = "pill bad";
    at("pill").textContent = "no connection";
  });
}
