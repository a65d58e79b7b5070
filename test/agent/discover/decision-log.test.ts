import { describe, expect, it } from "@jest/globals";
import { decisionLog } from "../../../agent/discover/decision-log.ts";
import type { Log, LogFields, LogLevel } from "../../../agent/process/log.ts";
import { logFields } from "../../../agent/process/log-fields.ts";
import type { Desired } from "../../../lib/discovery/desired.ts";
import type { Cause } from "../../../lib/discovery/flow/causes.ts";
import type { Seen } from "../../../lib/discovery/flow/look.ts";
import { summed } from "../../../lib/kit/flow/summed.ts";
import type { WriterReport } from "../../../lib/route53/flow/zone-writer.ts";
import { container, containerId, del, record, task, upsert, ZONE } from "../../support/build.ts";
import { fakeClock } from "../../support/fake-clock.ts";

type AbsentReason = Extract<Desired, { kind: "absent" }>["reason"];
type UnsureReason = Extract<Desired, { kind: "unsure" }>["reason"];

interface Line {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields?: LogFields;
}

function recorded({ dryRun = false } = {}) {
  const lines: Line[] = [];
  const write = (level: LogLevel) => (message: string, fields?: LogFields) =>
    void lines.push({ level, message, ...(fields && { fields }) });
  const log: Log = {
    error: write("error"),
    warn: write("warn"),
    info: write("info"),
    debug: write("debug"),
  };
  const clock = fakeClock();
  const sumUp = summed<string>({ clock, windowMs: 60_000, stop: new AbortController().signal });
  const said = decisionLog(log, { dryRun, allUnhealthy: "keep", zoneName: ZONE, sumUp });
  return {
    ...said,
    clock,
    wrote: (report: WriterReport, cause?: Cause) => said.wrote(report, () => cause),
    lines,
    /** What an operator sees without asking for more. */
    loud: () => lines.filter(({ level }) => level !== "debug"),
    see: (n: number, desired: Desired, againInMs?: number) =>
      said.seen(containerId(n), seen(n, desired, againInMs)),
  };
}

const seen = (n: number, desired: Desired, againInMs?: number): Seen => ({
  container: container(n),
  desired,
  ...(againInMs !== undefined && { againInMs }),
});
const serves: Extract<Desired, { kind: "serve" }> = {
  kind: "serve",
  records: [record(1)],
  source: "ecs",
  well: true,
  problems: [],
};
const absent = (reason: AbsentReason): Desired => ({
  kind: "absent",
  reason,
  detail: `because ${reason}`,
});
const unsure = (reason: UnsureReason): Desired => ({
  kind: "unsure",
  reason,
  detail: `because ${reason}`,
  names: [],
  keeps: [],
});

describe("a container that is skipped", () => {
  it("is told once for each container and reason, however often it is looked at", () => {
    const { see, loud } = recorded();
    for (let times = 0; times < 3; times += 1) {
      see(1, absent("bad-name"));
      see(2, absent("bad-name"));
    }
    see(1, absent("no-address"));
    see(1, absent("no-address"));
    expect(loud()).toEqual([
      line("warn", 1, "bad-name", "is skipped"),
      line("warn", 2, "bad-name", "is skipped"),
      line("warn", 1, "no-address", "is skipped"),
    ]);
  });

  it("is told again after it has served, or has been stopped", () => {
    const { see, loud } = recorded();
    for (const between of [serves, absent("not-running"), absent("gone")]) {
      see(1, absent("no-address"));
      see(1, between);
    }
    see(1, absent("no-address"));
    expect(loud()).toHaveLength(4);
  });

  it("waits first and settles later: told once when it waits, and once when it is given up", () => {
    const { see, loud, skipped } = recorded();
    for (const againInMs of [100, 250, 4_000]) see(1, unsure("address-pending"), againInMs);
    expect(loud()).toEqual([line("info", 1, "address-pending", "waits")]);
    expect(skipped()).toEqual({});
    see(1, unsure("address-pending"));
    see(1, unsure("address-pending"));
    expect(loud().slice(1)).toEqual([line("warn", 1, "address-pending", "is skipped")]);
    expect(skipped()).toEqual({ "address-pending": 1 });
  });

  it("that only waited counts as nothing", () => {
    const { see, skipped } = recorded();
    see(1, unsure("unknown-task"), 100);
    see(1, serves);
    expect(skipped()).toEqual({});
  });

  it("counts once for each time it is told, by reason", () => {
    const { see, skipped } = recorded();
    see(1, absent("bad-name"));
    see(1, absent("bad-name"));
    see(2, absent("bad-name"));
    see(3, absent("task-stopped"));
    see(1, serves);
    see(1, absent("bad-name"));
    expect(skipped()).toEqual({ "bad-name": 3, "task-stopped": 1 });
  });
});

describe("everyday life", () => {
  it("is debug only, and no skip: a container that serves, ends, or is the ECS agent's own", () => {
    const { see, lines, skipped } = recorded();
    for (const desired of [
      serves,
      absent("not-running"),
      absent("gone"),
      absent("internal"),
      serves,
    ]) {
      see(1, desired);
    }
    expect(lines.map(({ level }) => level)).toEqual(Array(5).fill("debug"));
    expect(skipped()).toEqual({});
  });

  it("is debug only when Docker said nothing of the container", () => {
    const { seen: look, lines } = recorded();
    look(containerId(1), { againInMs: 100 });
    expect(lines).toMatchObject([{ level: "debug", fields: { container: shortId(1) } }]);
  });

  it("a container that is gone is told without a name", () => {
    const { seen: look, lines } = recorded();
    look(containerId(1), { desired: absent("gone") });
    expect(lines).toMatchObject([{ fields: { container: shortId(1), reason: "gone" } }]);
    expect(lines[0]?.fields).not.toHaveProperty("name");
  });
});

it("each change of a container's life is told at debug, once", () => {
  const { seen: look, lines } = recorded();
  for (const life of ["starting", "starting", "healthy", "unhealthy", "dead", "dead"] as const) {
    const desired = life === "dead" ? absent("not-running") : serves;
    look(containerId(1), { container: container(1), desired, life });
  }
  const lives = lines.flatMap(({ level, fields }) =>
    fields?.["life"] === undefined ? [] : [[level, fields["life"]]],
  );
  expect(lives).toEqual([
    ["debug", "starting"],
    ["debug", "healthy"],
    ["debug", "unhealthy"],
    ["debug", "dead"],
  ]);
});

it("a container's name is shown as printable text, whatever it holds", () => {
  const { seen: look, lines } = recorded();
  const name = 'web\n\u001b[2J"';
  look(containerId(1), { container: container(1, { name }), desired: absent("bad-name") });
  expect(lines[0]?.fields?.["name"]).toBe('web\\n\\u001b[2J\\"');
});

describe("what the writer reports", () => {
  it("each change that landed is a line with record, address and task", () => {
    const { wrote, lines } = recorded();
    wrote({ kind: "landed", changes: [upsert(record(1)), del(record(2))] });
    expect(lines).toEqual([
      { level: "info", message: "registered", fields: about(1) },
      { level: "info", message: "removed", fields: about(2) },
    ]);
  });

  it("a dry run says what would be", () => {
    const { wrote, lines } = recorded({ dryRun: true });
    wrote({ kind: "landed", changes: [upsert(record(1)), del(record(2))] });
    expect(lines.map(({ message }) => message)).toEqual([
      "would be registered",
      "would be removed",
    ]);
  });

  it("a refusal is a warning in Route 53's words, with when it is tried again", () => {
    const { wrote, lines } = recorded();
    const message = "RRSet of type A with DNS name web. is not permitted";
    wrote({ kind: "refused", change: upsert(record(1)), message, retryMs: 299_600 });
    expect(lines).toEqual([
      {
        level: "warn",
        message: `Route 53 refuses the record: ${message}`,
        fields: { ...about(1), action: "UPSERT", retryInSeconds: 300 },
      },
    ]);
  });

  it("a wait is a warning in whole milliseconds", () => {
    const { wrote, lines } = recorded();
    wrote({ kind: "waits", problem: "Route 53 did not answer", delayMs: 12.7 });
    expect(lines).toEqual([
      { level: "warn", message: "Route 53 did not answer", fields: { retryInMs: 13 } },
    ]);
  });

  it("a change is told with the container whose event led to it, and how long that took", () => {
    const { wrote, lines } = recorded();
    wrote(
      { kind: "landed", changes: [del(record(2))] },
      { container: containerId(2), name: 'a"b', reason: "stopping", seconds: 0.123456 },
    );
    expect(lines[0]?.fields).toEqual({
      ...about(2),
      container: shortId(2),
      name: 'a\\"b',
      reason: "stopping",
      seconds: 0.123,
    });
  });

  it("the same failure again is summed up: the first at once, the others once a minute", async () => {
    const { wrote, lines, clock } = recorded();
    for (let n = 0; n < 18; n += 1) {
      wrote({ kind: "waits", problem: "Throttling: Rate exceeded", delayMs: 1_000 });
      await clock.advance(1_000);
    }
    wrote({ kind: "waits", problem: "another", delayMs: 1_000 });
    wrote({ kind: "waits", problem: "another", delayMs: 1_000 });
    expect(lines.map(({ message }) => message)).toEqual(["Throttling: Rate exceeded", "another"]);
    await clock.advance(60_000);
    expect(lines.map(({ message }) => message)).toEqual([
      "Throttling: Rate exceeded",
      "another",
      "Throttling: Rate exceeded (17 times in 60 s)",
      "another (once more in 60 s)",
    ]);
  });

  it("every field has a name that is written down", () => {
    const { see, wrote, unhealthy, lines } = recorded();
    see(1, serves);
    see(1, absent("bad-name"));
    see(1, unsure("address-pending"), 100);
    wrote({ kind: "landed", changes: [upsert(record(1)), del(record(2))] });
    wrote({ kind: "refused", change: upsert(record(1)), message: "no", retryMs: 1 });
    wrote({ kind: "waits", problem: "no", delayMs: 1 });
    wrote({ kind: "drift", name: "web", records: 1 });
    wrote({ kind: "adopts-ttl", name: "web", ttlSeconds: 1 });
    wrote({ kind: "nearly-full", name: "web", size: 80 });
    unhealthy(new Set(["web"]));
    const fields = new Set(lines.flatMap(({ fields }) => Object.keys(fields ?? {})));
    expect(Object.keys(logFields)).toEqual(expect.arrayContaining([...fields]));
  });
});

const shortId = (n: number): string => containerId(n).slice(0, 12);

const line = (level: LogLevel, n: number, reason: string, what: string): Line => ({
  level,
  message: `the container ${what}: because ${reason}`,
  fields: { container: shortId(n), name: `web-${n}`, reason },
});

const about = (n: number): LogFields => ({
  record: "web.example.internal",
  service: "web",
  type: "A",
  address: `10.0.0.${n}`,
  task: task(n),
});

describe("names and health", () => {
  it("names that are left out beside good ones are warned of once, and again when they change", () => {
    const { see, loud } = recorded();
    for (const problem of ["my_web is bad", "my_web is bad", "my_api is bad"]) {
      see(1, { ...serves, problems: [problem] });
    }
    expect(loud().map(({ level, fields }) => [level, fields?.["reason"]])).toEqual([
      ["warn", "bad-name"],
      ["warn", "bad-name"],
    ]);
  });

  it("a name whose containers are all unhealthy is warned of once, and again after it was healthy", () => {
    const { unhealthy, loud } = recorded();
    for (const names of [["web"], ["web"], [], ["web"]]) unhealthy(new Set(names));
    expect(loud()).toHaveLength(2);
    expect(loud()[0]?.message).toContain("--allUnhealthy");
  });
});
