/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import type { ContainerState, State } from "../../host/state.ts";
import type { PageElements } from "../../page/page-elements.ts";
import type { PageRows } from "./rows.ts";

export interface Standing {
  readonly mark: keyof PageElements["marks"];
  readonly words: string;
  /** Troubled first. */
  readonly order: number;
}

/** Runs in the browser; see `pageElements`. Judges what stands well and what needs somebody. */
export function judgedState({ short }: PageRows) {
  const standingOf = (one: ContainerState, skipped: State["skipped"]): Standing => {
    const has = (standing: string) => one.records.some((record) => record.standing === standing);
    if (has("refused")) return { mark: "bad", words: "refused", order: 0 };
    if (one.outcome === "absent" && one.reason !== undefined && Object.hasOwn(skipped, one.reason))
      return { mark: "bad", words: "no record", order: 0 };
    if (one.outcome === "unsure" || has("pending") || has("uncertain") || one.life === "starting")
      return { mark: "wait", words: "waits", order: 1 };
    if (one.outcome === "absent" || has("withheld"))
      return { mark: "none", words: one.life ?? "no record", order: 2 };
    return { mark: "good", words: "serves", order: 3 };
  };

  const needs = (state: State): readonly (readonly [what: string, why: string, next: string])[] => [
    ...state.health.problems.map((problem) => ["Not well.", problem, ""] as const),
    ...(state.health.notes ?? []).map((note) => ["Held back.", note, ""] as const),
    ...state.pending.flatMap(({ record, refused }) =>
      refused === undefined
        ? []
        : [
            [
              `Route 53 refuses ${short(record.name)} ${record.type}.`,
              refused.message,
              `next try ${new Date(refused.retryAt * 1000).toLocaleTimeString()}`,
            ] as const,
          ],
    ),
    ...state.containers
      .filter(({ reason }) => reason !== undefined && Object.hasOwn(state.skipped, reason))
      .map(
        ({ id, name, reason, detail }) =>
          [
            `${name ?? id.slice(0, 12)} has no record.`,
            detail ?? "",
            `docs/operations.md: ${reason}`,
          ] as const,
      ),
  ];
  return { standingOf, needs };
}
