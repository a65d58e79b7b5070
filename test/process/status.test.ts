import { once } from "node:events";
import { get as httpGet, type IncomingMessage } from "node:http";
import { createInterface } from "node:readline";
import { describe, expect, it } from "@jest/globals";
import { stateEvents } from "../../agent/host/state.ts";
import { logFields } from "../../agent/process/log-fields.ts";
import { readExposition } from "../support/exposition.ts";
import {
  engineLab,
  NAME_LABEL,
  newTaskLabel,
  type SimulatedLab,
  simulatedLab,
} from "../support/lab.ts";
import { type AgentStatus, SERVED, statusOf } from "../support/status.ts";
import { changes } from "../support/wait.ts";

const serve = (lab: SimulatedLab, label: string, address: string, name?: string) =>
  lab.engine.run({
    labels: { [NAME_LABEL]: label, ...newTaskLabel() },
    address,
    ...(name !== undefined && { name }),
  });

const says =
  (code: number) =>
  ({ status }: { readonly status: number }): boolean =>
    status === code;
const healthz = (status: AgentStatus) => () => status.get("/healthz");
const ready = (status: AgentStatus) => status.until(() => status.get("/readyz"), says(200));

/** Asks for /healthz until it answers with the code; how long that took. */
async function secondsUntil(status: AgentStatus, code: number) {
  const startedMs = performance.now();
  const { body } = await status.until(healthz(status), says(code));
  return { seconds: (performance.now() - startedMs) / 1000, body };
}

describe("/healthz", () => {
  it("turns 503 within 2 s when the engine's stream stalls, and 200 again when it goes on", async () => {
    await using lab = await engineLab();
    await lab.run({ label: "before" });
    const status = await statusOf(lab.agent(SERVED));
    await ready(status);
    expect((await status.get("/healthz")).body).toBe('{"ok":true,"problems":[]}\n');

    const held: string[] = [];
    lab.proxy.rewrite(({ line }) => {
      held.push(line);
      return [];
    });
    const container = await lab.run({ label: "after" });
    const started = await secondsUntil(status, 503);
    expect(started.seconds).toBeLessThan(2);
    expect(started.body).toContain("event stream has stalled: it told nothing of 1 container");

    for (const line of held.splice(0)) lab.proxy.send(line);
    await secondsUntil(status, 200);

    // The same where a container ends.
    await container.kill();
    await container.wait();
    const ended = await secondsUntil(status, 503);
    expect(ended.seconds).toBeLessThan(2);
    expect(ended.body).toContain("event stream has stalled");
    for (const line of held.splice(0)) lab.proxy.send(line);
    await secondsUntil(status, 200);
  });

  it("turns 503 within 2 s when the engine hangs, and 200 again when it answers", async () => {
    await using lab = await simulatedLab();
    const status = await statusOf(lab.agent(SERVED));
    await ready(status);
    await secondsUntil(status, 200);

    lab.engine.fail({ path: /./, kind: "hang" });
    const { seconds, body } = await secondsUntil(status, 503);
    expect(seconds).toBeLessThan(2);
    expect(JSON.parse(body)).toEqual({
      ok: false,
      problems: ["Docker does not answer within 1.2 s"],
    });
    lab.engine.clearFaults();
    await secondsUntil(status, 200);
  });

  it("turns 503 within 2 s of half the patience while Route 53 fails, and 200 when it takes the change", async () => {
    await using lab = await simulatedLab();
    const status = await statusOf(lab.agent(SERVED, "--patience=10"));
    await ready(status);
    lab.route53.fail({
      operation: "ChangeResourceRecordSets",
      times: 1_000,
      kind: { error: { status: 503, code: "ServiceUnavailable", message: "not now" } },
    });
    serve(lab, "web", "10.0.0.1");
    const { seconds, body } = await secondsUntil(status, 503);
    expect(seconds).toBeGreaterThan(4.5);
    expect(seconds).toBeLessThan(7);
    expect(body).toContain("1 change waits, and none was accepted for 5 s");
    expect((await status.state()).pending).toHaveLength(1);
    lab.route53.clearFaults();
    await secondsUntil(status, 200);
    expect(lab.zone.now()).toEqual(["web.example.internal 10.0.0.1"]);
  });

  it("turns 503 as well when Route 53 swallows the request and says nothing at all", async () => {
    await using lab = await simulatedLab();
    const status = await statusOf(lab.agent(SERVED, "--patience=10"));
    await ready(status);
    lab.route53.fail({ operation: "ChangeResourceRecordSets", times: 1_000, kind: "hang" });
    serve(lab, "web", "10.0.0.1");
    const { seconds } = await secondsUntil(status, 503);
    expect(seconds).toBeLessThan(7);
  });

  it("stays 200 when Route 53 refuses a record for what it is, and for containers that are skipped", async () => {
    await using lab = await simulatedLab();
    lab.route53.seed(lab.zone.id, [
      { name: "taken.example.internal.", type: "CNAME", ttlSeconds: 60, values: ["elsewhere."] },
    ]);
    const agent = lab.agent(SERVED);
    const status = await statusOf(agent);
    await ready(status);
    serve(lab, "taken", "10.0.0.1");
    serve(lab, "my_web", "10.0.0.2");
    const state = await status.until(
      status.state,
      ({ flow, skipped }) => flow.records.refused === 1 && skipped["bad-name"] === 1,
    );
    expect(state.health).toEqual({ ok: true, ready: true, problems: [] });
    expect(state.containers.flatMap(({ records }) => records)).toMatchObject([
      { name: "taken.example.internal", standing: "refused" },
    ]);
    expect(state.pending[0]?.refused?.message).toContain("CNAME");
    expect(state.changes[0]).toMatchObject({ result: "refused", reason: "healthy" });
    const metrics = readExposition((await status.get("/metrics")).body);
    expect(metrics.value("ecs_discovery_changes_quarantined")).toBe(1);
    expect(metrics.value("ecs_discovery_healthy")).toBe(1);
  });
});

describe("/readyz", () => {
  it("is 503 until every listed container was looked at and the first difference is sent", async () => {
    await using lab = await simulatedLab();
    serve(lab, "web", "10.0.0.1");
    lab.route53.fail({
      operation: "ChangeResourceRecordSets",
      times: 1_000,
      kind: { error: { status: 503, code: "ServiceUnavailable", message: "not now" } },
    });
    const status = await statusOf(lab.agent(SERVED));
    await status.until(status.state, ({ flow }) => flow.records.pending === 1);
    expect((await status.get("/healthz")).status).toBe(200);
    expect(await status.get("/readyz")).toMatchObject({
      status: 503,
      body: expect.stringContaining("the first sync is not done yet"),
    });
    lab.route53.clearFaults();
    await ready(status);
    expect(lab.zone.now()).toEqual(["web.example.internal 10.0.0.1"]);
  });
});

describe("/metrics and /v1/state", () => {
  it("forget a skipped container whose end was never told, once every container is looked at", async () => {
    await using lab = await engineLab();
    const status = await statusOf(lab.agent(SERVED));
    await ready(status);
    const skipped = await lab.run({ label: "my_web" });
    await status.until(status.state, (state) => state.skipped["bad-name"] === 1);
    lab.proxy.rewrite(() => []);
    await skipped.remove({ force: true });
    await lab.proxy.untilEvent(({ id, action }) => id === skipped.id && action === "die");
    lab.proxy.send("no JSON at all");
    const state = await status.until(status.state, ({ containers }) => containers.length === 0);
    expect(state.skipped).toEqual({});
  });

  it("are true after known events, and every text is text", async () => {
    const hostile = 'web"\\\n}<script>alert(1)</script>';
    await using lab = await simulatedLab();
    const agent = lab.agent(SERVED, "--logLevel=debug");
    const status = await statusOf(agent);
    await ready(status);
    const web = serve(lab, "web", "10.0.0.1");
    serve(lab, hostile, "10.0.0.2", "bad");
    await status.until(status.state, ({ flow }) => flow.records.published === 1);
    lab.engine.stop(web);
    const state = await status.until(
      status.state,
      ({ flow, skipped }) => flow.records.published === 0 && skipped["bad-name"] === 1,
    );
    expect(state.containers).toMatchObject([
      { name: "bad", outcome: "absent", reason: "bad-name" },
    ]);
    // Which of the two it is seen as depends on how soon it is looked at.
    const ended = expect.stringMatching(/^(?:stopping|not-running)$/);
    expect(state.changes).toMatchObject([
      { action: "DELETE", reason: ended },
      { action: "UPSERT", reason: "healthy" },
    ]);
    expect(state.changes.every(({ seconds = -1 }) => seconds > 0 && seconds < 30)).toBe(true);

    const { value, types, help } = readExposition((await status.get("/metrics")).body);
    for (const name of types.keys()) {
      expect(name).toMatch(/^(?:ecs_discovery|process|nodejs)_/);
      expect(help.get(name)).not.toBe("");
    }
    expect(value("ecs_discovery_containers", { state: "healthy" })).toBe(1);
    expect(value("ecs_discovery_containers_skipped", { reason: "bad-name" })).toBe(1);
    expect(value("ecs_discovery_changes_total", { action: "upsert", result: "accepted" })).toBe(1);
    expect(value("ecs_discovery_changes_total", { action: "delete", result: "accepted" })).toBe(1);
    expect(value("ecs_discovery_event_to_accepted_seconds_count")).toBe(2);
    expect(value("ecs_discovery_batch_changes_sum")).toBe(2);
    expect(value("ecs_discovery_records_published")).toBe(0);
    expect(value("ecs_discovery_stream_open")).toBe(1);
    expect(
      value("ecs_discovery_route53_requests_total", {
        operation: "ChangeResourceRecordSets",
        result: "ok",
      }),
    ).toBe(lab.zone.changeRequests);

    const lines = agent.log.filter(({ message }) => /^(?:registered|removed)$/.test(message));
    expect(lines).toMatchObject([
      { message: "registered", container: web.slice(0, 12), service: "web", reason: "healthy" },
      { message: "removed", container: web.slice(0, 12), service: "web", reason: ended },
    ]);
    for (const line of agent.log) {
      for (const field of Object.keys(line)) {
        expect(["timestamp", "level", "message", ...Object.keys(logFields)]).toContain(field);
      }
    }
  });

  it("count throttled requests, and do not call a throttled host ill", async () => {
    await using lab = await simulatedLab();
    const status = await statusOf(lab.agent(SERVED));
    await ready(status);
    lab.route53.fail({
      operation: "ChangeResourceRecordSets",
      times: 2,
      kind: { error: { status: 400, code: "Throttling", message: "Rate exceeded" } },
    });
    serve(lab, "web", "10.0.0.1");
    const state = await status.until(status.state, ({ flow }) => flow.records.published === 1);
    expect(state.health.ok).toBe(true);
    expect(state.flow.requests.throttled).toBe(2);
    expect(state.errors).toMatchObject([{ from: "Route 53", times: 2 }]);
    const { value } = readExposition((await status.get("/metrics")).body);
    expect(value("ecs_discovery_route53_throttles_total")).toBe(2);
  });
});

describe("/v1/events", () => {
  it("begins with the state, and tells each change as it lands", async () => {
    await using lab = await simulatedLab();
    const status = await statusOf(lab.agent(SERVED));
    await ready(status);
    const [response] = (await once(httpGet(`${status.url}/v1/events`), "response")) as [
      IncomingMessage,
    ];
    const moved = changes();
    const heard: { readonly event: string; readonly data: string }[] = [];
    let event = "";
    createInterface(response)
      .on("line", (line) => {
        if (line.startsWith("event: ")) event = line.slice(7);
        if (line.startsWith("data: ")) heard.push({ event, data: line.slice(6) });
        moved.tell();
      })
      .on("error", () => {});
    const seen = () => heard.map((one) => one.event).join(" ");
    const first = await moved.until(() => heard[0], seen);
    expect(first.event).toBe("state");
    expect(stateEvents.state.parse(JSON.parse(first.data)).containers).toEqual([]);

    serve(lab, "web", "10.0.0.1");
    const change = await moved.until(() => heard.find((one) => one.event === "change"), seen);
    expect(stateEvents.change.parse(JSON.parse(change.data))).toMatchObject({
      action: "UPSERT",
      result: "accepted",
      record: { name: "web.example.internal", values: ["10.0.0.1"] },
    });
    await moved.until(
      () =>
        heard.some(
          (one) =>
            one.event === "state" &&
            stateEvents.state.parse(JSON.parse(one.data)).flow.records.published === 1,
        ),
      seen,
    );
    response.destroy();
  });
});

describe("the status address", () => {
  it("off listens nowhere, and says nothing of it", async () => {
    await using lab = await simulatedLab();
    const agent = lab.agent();
    await agent.until(({ message }) => message.startsWith("every container is looked at"));
    expect(agent.log.filter(({ url }) => url !== undefined)).toEqual([]);
  });

  it("in use is no reason to end: the agent works, and serves as soon as it is free", async () => {
    await using first = await simulatedLab();
    await using second = await simulatedLab();
    const before = first.agent(SERVED);
    const { url } = await statusOf(before);
    const after = second.agent(`--statusAddress=${new URL(url).host}`);
    const warning = await after.until(({ level }) => level === "warn");
    expect(warning).toMatchObject({
      message: `can't serve the status page at ${new URL(url).host}: works without it, and tries again`,
      cause: expect.stringContaining("EADDRINUSE"),
    });
    serve(second, "web", "10.0.0.1");
    await second.zone.until(["web.example.internal 10.0.0.1"]);
    before.kill("SIGTERM");
    const status = await statusOf(after);
    expect(status.url).toBe(url);
    await ready(status);
    expect(after.log.filter(({ level }) => level === "warn")).toHaveLength(1);
  });

  it("that is none is a problem with the flags", async () => {
    await using lab = await simulatedLab();
    const agent = lab.agent("--statusAddress=here");
    expect(await agent.exit()).toMatchObject({ code: 2 });
    expect(await agent.stderr).toBe(
      'ecs-discovery-agent: --statusAddress: expected host:port, [IPv6]:port or off, got "here"\n',
    );
  });
});
