/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import type { Cell, ModeState } from "./view.ts";

/**
 * Runs in the browser: it is sent there as its own source text, so it may use nothing from outside of itself. Shows each
 * state that the server sends. Every text goes into the page as text, never as markup: names come from labels and files.
 */
export function showState(): void {
  const marks = { good: "✓", wait: "…", bad: "✕", none: "–" };
  const at = (id: string): HTMLElement => {
    const found = document.getElementById(id);
    if (found === null) throw new Error(`no element ${id}`);
    return found;
  };
  const el = (tag: string, className: string, ...children: (Node | string)[]): HTMLElement => {
    const made = document.createElement(tag);
    if (className !== "") made.className = className;
    made.append(...children);
    return made;
  };
  const ago = (seconds: number): string => {
    if (seconds < 90) return `${Math.max(0, Math.round(seconds))} s`;
    if (seconds < 5_400) return `${Math.round(seconds / 60)} min`;
    if (seconds < 172_800) return `${Math.round(seconds / 3_600)} h`;
    return `${Math.round(seconds / 86_400)} d`;
  };
  const cell = (value: Cell, head: string): HTMLElement => {
    const made = el("td", "");
    made.dataset["head"] = head;
    if (typeof value !== "object") made.append(String(value));
    else made.append(el("span", value.mark, `${marks[value.mark]} ${value.text}`));
    return made;
  };
  const table = ({ title, columns, rows, empty }: ModeState["tables"][number]): HTMLElement => {
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
  const tab = (mode: string, url: string | undefined, ok: boolean): HTMLElement => {
    const made = document.createElement("a");
    made.textContent = `${mode}${ok ? "" : " ✕"}`;
    if (url === undefined) made.className = "on";
    else made.href = url;
    return made;
  };

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
    at("about").textContent = `${agent.version} · up ${ago(agent.now - agent.startedAt)} · live`;
    at("tabs").replaceChildren(
      ...(neighbours.length === 0
        ? []
        : [
            tab(agent.mode, undefined, health.ok),
            ...neighbours.map(({ mode, url, ok }) => tab(mode, url, ok)),
          ]),
    );
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
          el("td", "dim", `${ago(agent.now - change.at)} ago`),
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
