/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import type { RecordSetState } from "../../host/state.ts";
import type { PageElements } from "../../page/page-elements.ts";

/** Runs in the browser; see `pageElements`. Gives words and rows; `about` is what of the newest state they depend on. */
export function pageRows({ at, el, spanOf }: PageElements) {
  type Child = Node | string;
  const about: { offset: number; zone: string | undefined } = { offset: 0, zone: undefined };
  const cell = (head: string, ...children: readonly Child[]): HTMLElement => {
    const made = el("td", "", ...children);
    made.dataset["head"] = head;
    return made;
  };
  const plural = (count: number, one: string): string => `${count} ${one}${count === 1 ? "" : "s"}`;
  const dim = (...children: readonly Child[]): HTMLElement => el("span", "dim", ...children);
  const mono = (text: string): HTMLElement => el("span", "mono", text);

  // Ages grow while nothing happens; the offset is how far this browser's clock is from the agent's.
  const ageOf = (time: number): string => spanOf(Date.now() / 1000 - about.offset - time);
  const age = (time: number, before = "", after = ""): HTMLElement => {
    const made = document.createElement("time");
    made.dateTime = new Date(time * 1000).toISOString();
    made.title = new Date(time * 1000).toLocaleString();
    Object.assign(made.dataset, { time, before, after });
    made.textContent = before + ageOf(time) + after;
    return made;
  };
  setInterval(() => {
    for (const one of document.querySelectorAll<HTMLElement>("time[data-time]")) {
      const { time, before = "", after = "" } = one.dataset;
      one.textContent = before + ageOf(Number(time)) + after;
    }
  }, 1000);

  // Rows that did not change stay as they are, so that a selection survives.
  const fill = <T>(
    id: string,
    items: readonly T[],
    keyOf: (item: T) => string,
    row: (item: T) => HTMLElement,
  ): void => {
    const parent = at(id);
    const old = new Map(
      [...parent.children].map((child) => [(child as HTMLElement).dataset["key"], child]),
    );
    const rows = items.map((item) => {
      const key = keyOf(item);
      const text = JSON.stringify(item);
      const before = old.get(key) as HTMLElement | undefined;
      if (before?.dataset["text"] === text) return before;
      const made = row(item);
      Object.assign(made.dataset, { key, text });
      return made;
    });
    parent.replaceChildren(...rows);
    const none = document.getElementById(`${id}-none`);
    if (none !== null) none.hidden = items.length > 0;
  };

  const short = (name: string): string => {
    const { zone } = about;
    return zone !== undefined && name.endsWith(`.${zone}`) ? name.slice(0, -zone.length - 1) : name;
  };
  const recordWords = ({ name, type, values }: RecordSetState): readonly Child[] => [
    mono(`${short(name)} → ${values.join(", ")}`),
    type === "A" ? "" : dim(` ${type}`),
  ];
  return { about, cell, plural, dim, mono, age, fill, short, recordWords };
}

export type PageRows = ReturnType<typeof pageRows>;
