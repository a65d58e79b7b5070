import type { Clock } from "../../lib/kit/flow/clock.ts";
import type { Status } from "../../lib/kubernetes/conditions.ts";
import type { Cell, View } from "../page/view.ts";

/** Without an answer of the API server for so long, something is wrong. */
const SILENT_MS = 60_000;
const MOST_CHANGES = 50;
const MOST_ROWS = 500;
const MOST_NEEDS = 20;

type State = "ready" | "progressing" | "refused" | "failed";

export interface Board {
  /** What was found at an ECSDeployment; undefined when it is gone. */
  saw(key: string, status: Status | undefined): void;
  changed(text: string): void;
  /** The API server answered, or did not. */
  answered(isAnswer: boolean): void;
  leads(isLeader: boolean): void;
  counts(): Readonly<Record<State, number>>;
  readonly isLeader: boolean;
  view(facts: { readonly isListed: boolean; readonly owners: number }): View;
}

/** What the page, the probes and the metrics are told of. Times of day come from `time`, in Unix seconds. */
export function board(clock: Clock, time: () => number): Board {
  const statuses = new Map<string, Status>();
  const changes: { at: number; text: string }[] = [];
  let answeredMs = clock.now();
  let isAway = false;
  let isLeader = false;

  const counts = () => {
    const each: Record<State, number> = {
      ready: 0,
      progressing: 0,
      refused: 0,
      failed: 0,
    };
    for (const status of statuses.values()) each[stateOf(status)] += 1;
    return each;
  };

  return {
    saw(key, status) {
      if (status === undefined) statuses.delete(key);
      else statuses.set(key, status);
    },
    changed(text) {
      changes.unshift({ at: time(), text });
      changes.length = Math.min(changes.length, MOST_CHANGES);
    },
    answered(isAnswer) {
      if (isAnswer) answeredMs = clock.now();
      isAway = !isAnswer;
    },
    leads(is) {
      isLeader = is;
    },
    counts,
    get isLeader() {
      return isLeader;
    },
    view: ({ isListed, owners }) =>
      viewOf({
        statuses,
        changes,
        isLeader,
        isListed,
        owners,
        silentMs: isAway ? clock.now() - answeredMs : 0,
        each: counts(),
      }),
  };
}

function viewOf({
  statuses,
  changes,
  isLeader,
  isListed,
  owners,
  silentMs,
  each,
}: {
  readonly statuses: ReadonlyMap<string, Status>;
  readonly changes: View["changes"];
  readonly isLeader: boolean;
  readonly isListed: boolean;
  readonly owners: number;
  readonly silentMs: number;
  readonly each: Readonly<Record<State, number>>;
}): View {
  const rows = [...statuses]
    .map(([key, status]) => ({ key, status, state: stateOf(status) }))
    .toSorted((a, b) => RANK[a.state] - RANK[b.state] || (a.key < b.key ? -1 : 1));
  const troubled = rows.filter(({ state }) => state === "refused" || state === "failed");
  return {
    health:
      silentMs > SILENT_MS
        ? [`the API server has not answered for ${Math.round(silentMs / 1000)} s`]
        : [],
    readiness: isListed ? [] : ["the objects of the cluster are not read yet"],
    needsYou: troubled.slice(0, MOST_NEEDS).map(({ key, status, state }) => ({
      what: `${key} is ${state}`,
      why: messageOf(status),
      next: state === "refused" ? "mend its definition" : "it is tried again by itself",
    })),
    figures: [
      { label: "Role", value: isLeader ? "leads" : "stands by" },
      { label: "ECSDeployments", value: owners },
      { label: "Ready", value: each.ready },
      { label: "On their way", value: each.progressing },
      { label: "Refused", value: each.refused },
      { label: "Failed", value: each.failed },
    ],
    tables: [
      {
        title: "ECSDeployments",
        columns: ["Name", "State", "Pods", "What"],
        rows: rows
          .slice(0, MOST_ROWS)
          .map(({ key, status, state }): Cell[] => [
            key,
            { text: state, mark: MARKS[state] },
            `${status.readyReplicas} of ${status.replicas}`,
            messageOf(status),
          ]),
        empty: isLeader ? "there is no ECSDeployment" : "another one leads and knows",
      },
    ],
    changes,
  };
}

const RANK: Readonly<Record<State, number>> = {
  failed: 0,
  refused: 1,
  progressing: 2,
  ready: 4,
};
const MARKS = {
  failed: "bad",
  refused: "bad",
  progressing: "wait",
  ready: "good",
} as const;

function stateOf({ conditions }: Status): State {
  const of = (type: string) => conditions.find((one) => one.type === type);
  if (of("Valid")?.status === "False") return "refused";
  if (of("Ready")?.status === "True") return "ready";
  return of("Progressing")?.status === "True" ? "progressing" : "failed";
}

function messageOf({ conditions }: Status): string {
  const of = (type: string) => conditions.find((one) => one.type === type);
  const valid = of("Valid");
  const text = valid?.status === "False" ? valid.message : (of("Ready")?.message ?? "");
  return text.slice(0, 300);
}
