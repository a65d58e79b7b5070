import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Script } from "node:vm";
import { afterEach, describe, expect, it } from "@jest/globals";
import { modePage } from "../../../agent/page/mode-page.ts";
import { type ModeStatusOptions, modeStatus } from "../../../agent/page/mode-status.ts";
import { ModeState, type View } from "../../../agent/page/view.ts";
import { createLog, type Log } from "../../../agent/process/log.ts";
import { systemClock } from "../../../lib/kit/flow/clock.ts";

const declared = { demo_things_total: { kind: "counter", help: "things" } } as const;
const WELL: View = {
  health: [],
  readiness: [],
  needsYou: [{ what: "a", why: "b", next: "c" }],
  figures: [{ label: "Ports", value: 3 }],
  tables: [
    {
      title: "Ports",
      columns: ["Port", "Standing"],
      rows: [["80", { text: "<b>open</b>", mark: "good" }]],
      empty: "none",
    },
  ],
  changes: [{ at: 1, text: "port 80 opened" }],
};

type Told = (text: string, fields?: Readonly<Record<string, unknown>>) => void;
const logTo = (heard: { readonly info?: Told; readonly warn?: Told }): Log => ({
  ...createLog({ level: "error", format: "json" }),
  ...heard,
});

const stops: AbortController[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop.abort();
});

/** Serves the view on a free port of the loopback. */
async function served(
  view: () => View,
  more: Partial<ModeStatusOptions<keyof typeof declared>> = {},
) {
  const stop = new AbortController();
  stops.push(stop);
  const { promise, resolve } = Promise.withResolvers<string>();
  const log = logTo({
    info(_, fields) {
      if (typeof fields?.["url"] === "string") resolve(fields["url"]);
    },
  });
  const status = modeStatus({
    mode: "demo",
    address: { host: "127.0.0.1", port: 0 },
    clock: systemClock,
    log,
    view,
    metrics: declared,
    ...more,
  });
  const ended = status.serve(stop.signal);
  return { status, url: await promise, stop, ended };
}

describe("a mode's status", () => {
  it("is its view as JSON, with what is the same for every mode", async () => {
    const { url } = await served(() => WELL);
    const state = ModeState.parse(await (await fetch(`${url}/v1/state`)).json());
    expect(state).toMatchObject({
      schema: 1,
      agent: { mode: "demo" },
      health: { ok: true, problems: [] },
      tables: WELL.tables,
      needsYou: WELL.needsYou,
    });
  });

  it("says why it is not well, and why it is not ready", async () => {
    const { url } = await served(() => ({ ...WELL, health: ["no task"], readiness: ["no list"] }));
    const health = await fetch(`${url}/healthz`);
    expect([health.status, await health.json()]).toEqual([
      503,
      { ok: false, problems: ["no task"] },
    ]);
    const ready = await fetch(`${url}/readyz`);
    expect([ready.status, await ready.json()]).toEqual([503, { ok: false, problems: ["no list"] }]);
  });

  it("counts what was counted before the metrics were loaded", async () => {
    const { status, url } = await served(() => WELL);
    status.count((metrics) => metrics.count("demo_things_total", {}, 2));
    expect(await (await fetch(`${url}/metrics`)).text()).toContain("demo_things_total 2");
  });

  it("is served nowhere where it is off, and ends with the stop elsewhere", async () => {
    const off = modeStatus({
      mode: "demo",
      address: undefined,
      clock: systemClock,
      log: createLog({ level: "error", format: "json" }),
      view: () => WELL,
      metrics: declared,
    });
    await off.serve(new AbortController().signal);
    const { url, stop, ended } = await served(() => WELL);
    stop.abort();
    await ended;
    await expect(fetch(url)).rejects.toThrow();
  });

  it("tells once of a taken port, and is served when it is free", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => other.once("listening", resolve));
    const { port } = other.address() as AddressInfo;
    const told = Promise.withResolvers<string>();
    const isServed = Promise.withResolvers<void>();
    const log = logTo({ warn: told.resolve, info: () => isServed.resolve() });
    const serving = served(() => WELL, { address: { host: "127.0.0.1", port }, log });
    expect(await told.promise).toBe(
      `can't serve the status page at 127.0.0.1:${port}: works without it, and tries again`,
    );
    await new Promise((resolve) => other.close(resolve));
    await isServed.promise;
    expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200);
    serving.catch(() => {});
  });
});

it("the page's script uses nothing from outside of itself", () => {
  const [, script = ""] = /<script type="module">([\s\S]*)<\/script>/.exec(modePage) ?? [];
  expect(script).toMatch(/^const elements = \(function pageElements\(\)/);
  expect(script).not.toMatch(/innerHTML|import\(|require\(/);
  // It parses without any of TypeScript's types.
  expect(() => new Script(script)).not.toThrow();
});
