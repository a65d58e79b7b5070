/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import type { ContainerState, State } from "../../host/state.ts";
import type { PageElements } from "../../page/page-elements.ts";
import type { judgedState, Standing } from "./judged.ts";
import type { PageRows } from "./rows.ts";

/**
 * Runs in the browser; see `pageElements`. Shows the containers that fit the filter and the chosen chip; `changed` is
 * called when another chip is chosen.
 */
export function containerList(
  { at }: PageElements,
  { fill }: PageRows,
  judged: ReturnType<typeof judgedState>,
  containerRow: (one: ContainerState & { readonly standing: Standing }) => HTMLElement,
) {
  let chosen = "all";
  const chip = (words: string, count: number, changed: () => void): HTMLElement => {
    const made = document.createElement("button");
    made.type = "button";
    made.className = `chip${chosen === words ? " on" : ""}`;
    made.textContent = `${words} ${count}`;
    made.addEventListener("click", () => {
      chosen = words;
      changed();
    });
    return made;
  };
  return (state: State, has: (item: unknown) => boolean, changed: () => void): void => {
    const all = state.containers
      .map((one) => ({ ...one, standing: judged.standingOf(one, state.skipped) }))
      .toSorted((a, b) => a.standing.order - b.standing.order);
    const words = [...new Set(all.map(({ standing }) => standing.words))];
    if (chosen !== "all" && !words.includes(chosen)) chosen = "all";
    const counts = words.map((word) =>
      chip(word, all.filter(({ standing }) => standing.words === word).length, changed),
    );
    at("chips").replaceChildren(chip("all", all.length, changed), ...counts);
    const shown = all.filter(
      (one) => has(one) && (chosen === "all" || one.standing.words === chosen),
    );
    fill("containers", shown, ({ id }) => id, containerRow);
    at("containers-count").textContent = String(all.length);
  };
}
