import { expect, it } from "@jest/globals";
import type { ModeState } from "../../../agent/page/view.ts";
import { modeText } from "../../../agent/status/mode-text.ts";

const state: ModeState = {
  schema: 1,
  agent: { mode: "ambassador", version: "0.1.0", startedAt: 1_000, now: 1_090 },
  health: { ok: true, problems: [] },
  ready: { ok: true, problems: [] },
  needsYou: [
    { what: "Port 80 can't be served", why: "somebody else listens", next: "tries again" },
  ],
  figures: [
    { label: "Serves", value: "the service shop" },
    { label: "Lost", value: 0, detail: "connections that no task took" },
  ],
  tables: [
    {
      title: "Ports and their tasks",
      columns: ["Port", "Task"],
      rows: [[80, { text: "serves", mark: "good" }]],
      empty: "none",
    },
    { title: "Who gets nothing", columns: ["Task"], rows: [], empty: "every task is used" },
  ],
  changes: [{ at: 1_080, text: "port 80 is served\u001b[2J" }],
  neighbours: [],
};

it("tells of any mode what its page shows, and nothing that leads a terminal", () => {
  expect(modeText(state)).toEqual([
    "healthy",
    "agent   ambassador 0.1.0, for 90 s",
    "Serves  the service shop",
    "Lost    0 (connections that no task took)",
    "",
    "needs you",
    "Port 80 can't be served: somebody else listens; tries again",
    "",
    "Ports and their tasks",
    "Port  Task",
    "80    serves",
    "",
    "Who gets nothing",
    "every task is used",
    "",
    "last changes",
    "10 s ago  port 80 is served\\u{1b}[2J",
  ]);
});

it.each([
  [{ health: { ok: false, problems: ["a", "b"] } }, "not healthy: a; b"],
  [
    { ready: { ok: false, problems: ["nothing was read yet"] } },
    "healthy, still starting: nothing was read yet",
  ],
])("begins with whether it is well: %j", (over, first) => {
  expect(modeText({ ...state, ...over })[0]).toBe(first);
});
