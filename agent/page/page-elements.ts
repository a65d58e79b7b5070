/// <reference lib="dom" />
/// <reference lib="dom.iterable" />

/**
 * Runs in the browser, as do the other functions of a page: each is sent there as its own source text, so it may use
 * nothing but its arguments. Gives the parts that all pages are made of. Every text goes into the page as text, never as
 * markup: names come from labels and files.
 */
export function pageElements() {
  const marks = { good: "✓", wait: "…", bad: "✕", none: "–" };
  const at = (id: string): HTMLElement => {
    const found = document.getElementById(id);
    if (found === null) throw new Error(`no element ${id}`);
    return found;
  };
  const el = (
    tag: string,
    className: string,
    ...children: readonly (Node | string)[]
  ): HTMLElement => {
    const made = document.createElement(tag);
    if (className !== "") made.className = className;
    made.append(...children.filter((child) => child !== ""));
    return made;
  };
  const spanOf = (seconds: number): string => {
    if (seconds < 90) return `${Math.max(0, Math.round(seconds))} s`;
    if (seconds < 5_400) return `${Math.round(seconds / 60)} min`;
    if (seconds < 172_800) return `${Math.round(seconds / 3_600)} h`;
    return `${Math.round(seconds / 86_400)} d`;
  };
  const tab = (words: string, url: string | undefined): HTMLElement => {
    const made = document.createElement("a");
    made.textContent = words;
    if (url === undefined) made.className = "on";
    else made.href = url;
    return made;
  };
  /** Leads to the pages of the other modes on this host, where there are any. */
  const showTabs = (
    own: string,
    neighbours: readonly { readonly mode: string; readonly url: string; readonly ok: boolean }[],
  ): void => {
    const others = neighbours.map(({ mode, url, ok }) => tab(ok ? mode : `${mode} ✕`, url));
    at("tabs").replaceChildren(...(others.length === 0 ? [] : [tab(own, undefined), ...others]));
  };
  return { marks, at, el, spanOf, showTabs };
}

export type PageElements = ReturnType<typeof pageElements>;
