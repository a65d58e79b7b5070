/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import type { ChangeState, State } from "../../host/state.ts";
import type { PageElements } from "../../page/page-elements.ts";
import type { containerList } from "./container-list.ts";
import type { judgedState } from "./judged.ts";
import type { PageRows } from "./rows.ts";
import type { pageFlow, pageHead } from "./sections.ts";
import type { historyRows, nameCard } from "./tables.ts";

/** The parts of the page, as the functions of this folder give them in the browser. */
export interface PageParts {
  readonly elements: PageElements;
  readonly rows: PageRows;
  readonly judged: ReturnType<typeof judgedState>;
  readonly sections: ReturnType<typeof pageHead> & ReturnType<typeof pageFlow>;
  readonly nameCard: ReturnType<typeof nameCard>;
  readonly containers: ReturnType<typeof containerList>;
  readonly history: ReturnType<typeof historyRows>;
}

/** Runs in the browser; see `pageElements`. Gives the way to show a state, with the latest changes at that time. */
export function discoverView({
  elements: { at, el, showTabs },
  rows: { dim, fill },
  judged,
  sections,
  nameCard,
  containers,
  history,
}: PageParts) {
  const show = (
    state: State | undefined,
    landed: readonly ChangeState[],
    wanted: string,
    again: () => void,
  ): void => {
    const has = (item: unknown): boolean =>
      wanted === "" || JSON.stringify(item).toLowerCase().includes(wanted);
    fill("changes", landed.filter(has).slice(0, 10), ({ seq }) => String(seq), history.change);
    at("changes-count").textContent =
      landed.length > 10
        ? `last 10 of ${landed.length}; filter to find others`
        : "the newest first";
    const timed = landed.flatMap(({ result, seconds }) =>
      result === "accepted" && seconds !== undefined ? [seconds] : [],
    );
    sections.latency(timed.toReversed());
    if (state === undefined) return;
    const todo = judged.needs(state);
    sections.head(state, todo.length);
    at("todo").hidden = todo.length === 0;
    fill(
      "needs",
      todo,
      ([what, why]) => what + why,
      ([what, why, next]) => el("li", "", el("span", "why", what), ` ${why} `, dim(next)),
    );
    showTabs("discover", state.neighbours ?? []);
    sections.figures(
      state,
      timed.toSorted((a, b) => a - b),
    );
    const names = state.names.map((name) => ({
      ...name,
      records: state.published.filter((one) => one.name === name.name && one.type === name.type),
    }));
    fill("names", names.filter(has), ({ name, type }) => `${name} ${type}`, nameCard);
    const [first] = names;
    at("ask").replaceChildren(
      ...(first === undefined ? [] : ["Ask: ", el("code", "copy", `dig ${first.name} +short`)]),
    );
    containers(state, has, again);
    fill("errors", state.errors, ({ from, message }) => from + message, history.failure);
    sections.flow(state.flow);
  };
  return show;
}

/** Runs in the browser; see `pageElements`. Shows each state that the agent sends, and each change as it lands. */
export function followEvents(
  { elements: { at }, rows: { about } }: PageParts,
  showAll: ReturnType<typeof discoverView>,
): void {
  let latest: State | undefined;
  let landed: readonly ChangeState[] = [];
  const filter = at("filter") as HTMLInputElement;
  const show = (): void => showAll(latest, landed, filter.value.trim().toLowerCase(), show);
  const keep = (changes: readonly ChangeState[]): void => {
    const bySeq = new Map([...landed, ...changes].map((one) => [one.seq, one]));
    landed = [...bySeq.values()].toSorted((a, b) => b.seq - a.seq).slice(0, 50);
  };

  filter.addEventListener("input", show);
  const source = new EventSource("/v1/events");
  source.addEventListener("state", ({ data }) => {
    const state = JSON.parse(String(data)) as State;
    // Another process counts from the start again; of one process the time differs by a clock's error.
    const isOther = Math.abs((latest ?? state).agent.startedAt - state.agent.startedAt) > 0.1;
    if (isOther) landed = [];
    latest = state;
    Object.assign(about, { offset: Date.now() / 1000 - state.at, zone: state.zone?.name });
    keep(state.changes);
    show();
  });
  source.addEventListener("change", ({ data }) => {
    keep([JSON.parse(String(data)) as ChangeState]);
    show();
  });
  source.addEventListener("error", () => {
    at("pill").className = "pill bad";
    at("pill").textContent = "no connection to the agent: what is below is old";
  });
}
