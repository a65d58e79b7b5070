import type { Metrics } from "../page/metrics.ts";
import type { Cell, View } from "../page/view.ts";
import type { Look, Standing, Trouble } from "./keeper.ts";
import type { metrics } from "./metrics.ts";

const CHANGES_KEPT = 20;

const MARKS: Readonly<Record<Standing["state"], Cell>> = {
  written: { text: "written", mark: "good" },
  refused: { text: "refused", mark: "bad" },
  missing: { text: "missing", mark: "bad" },
};

/** What the page and /v1/state show. No line's text is ever among it, only where it stands. */
export function loginView({ loginFile }: { readonly loginFile: string }) {
  let standings: readonly Standing[] = [];
  let troubles: readonly Trouble[] = [];
  let notes: readonly string[] = [];
  let looked = false;
  const changes: { readonly at: number; readonly text: string }[] = [];
  return {
    saw(look: Look): void {
      looked = true;
      ({ standings, troubles, notes } = look);
      const at = Date.now() / 1000;
      for (const one of look.changed) changes.unshift({ at, text: `login of ${one} written` });
      for (const one of look.removed) changes.unshift({ at, text: `login of ${one} removed` });
      changes.splice(CHANGES_KEPT);
    },
    failed(all: readonly Trouble[]): void {
      looked = true;
      troubles = all;
    },
    now(): View {
      const written = standings.filter(({ state }) => state === "written").length;
      return {
        health: [],
        readiness: looked ? [] : ["the lines were not read yet"],
        needsYou: [
          ...troubles.map(({ where, why }) => ({
            what: where,
            why,
            next: "tried again by itself",
          })),
          ...notes.map((why) => ({ what: "config.json", why })),
        ],
        figures: [
          {
            label: "logins",
            value: `${written} of ${standings.length}`,
            detail: `from ${loginFile}`,
          },
        ],
        tables: [
          {
            title: "Registries",
            columns: ["registry", "from", "by", "login", "registry says"],
            rows: standings
              .toSorted((a, b) => Number(a.state === "written") - Number(b.state === "written"))
              .map(({ registry, file, line, kind, state, proof }) => [
                registry,
                `${file}:${line}`,
                kind,
                MARKS[state],
                proof ?? "not asked",
              ]),
            empty: "no line asks for a login",
          },
        ],
        changes,
      };
    },
    gauges(all: Metrics<keyof typeof metrics>): void {
      const count = (state: Standing["state"]) =>
        standings.filter((one) => one.state === state).length;
      all.setEach("logins", "state", {
        written: count("written"),
        refused: count("refused"),
        missing: count("missing"),
      });
      all.set("login_troubles", troubles.length);
    },
  };
}
