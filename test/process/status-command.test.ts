import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it } from "@jest/globals";
import type { State } from "../../agent/host/state.ts";
import { startAgent } from "../support/agent-process.ts";
import { simulatedLab } from "../support/lab.ts";
import { statusOf } from "../support/status.ts";

const INSTANCE = "8f6b2c1d9e0a4b7c8d9e0f1a2b3c4d12";
const ID = "0123456789ab".padEnd(64, "0");
const AT = 1_795_180_001.6;

const record = (name: string) => ({
  name: `${name}.example.internal`,
  type: "A" as const,
  setIdentifier: `ecs-discovery-1/${INSTANCE}/${"1".repeat(32)}`,
  task: "1".repeat(32),
  ttlSeconds: 10,
  weight: 1,
  values: ["10.0.0.1"],
});

/** What a healthy agent with some history tells. */
const healthy: State = {
  schemaVersion: 1,
  at: AT,
  agent: { version: "0.1.0", startedAt: AT - 7_300, dryRun: false },
  owner: { instance: INSTANCE, region: "eu-west-1", cluster: "prod" },
  zone: { id: "Z00TEST", name: "example.internal", recordSets: 4 },
  health: { ok: true, ready: true, problems: [] },
  flow: {
    stream: { open: true, since: AT - 60, events: 12, lastEventAt: AT - 3 },
    queue: { waiting: 0, working: 1, later: 2, workers: 5 },
    records: { desired: 1, published: 1, pending: 1, refused: 1 },
    requests: { total: 9, failed: 1, throttled: 0, lastAcceptedAt: AT - 2 },
    lastSyncAt: AT - 2,
  },
  containers: [
    {
      id: ID,
      name: "web-1",
      life: "healthy",
      outcome: "serve",
      source: "ecs",
      problems: [],
      records: [{ ...record("web"), standing: "published" }],
      since: AT - 60,
      lookedAt: AT - 2,
    },
    {
      id: "f".repeat(64),
      name: "bad-1",
      life: "healthy",
      outcome: "absent",
      reason: "bad-name",
      detail: 'expected a DNS name, got "my_web"',
      problems: [],
      records: [],
      since: AT - 60,
      lookedAt: AT - 2,
    },
  ],
  desired: [record("web")],
  published: [{ ...record("web"), certain: true }],
  pending: [
    {
      action: "UPSERT",
      record: record("api"),
      refused: { message: "a CNAME has the name", retryAt: AT + 240 },
    },
  ],
  names: [],
  skipped: { "bad-name": 1 },
  errors: [
    { firstAt: AT - 90, lastAt: AT - 30, times: 17, from: "Route 53", message: "Rate exceeded" },
  ],
  changes: [
    {
      seq: 7,
      at: AT - 2,
      action: "UPSERT",
      record: record("web"),
      result: "accepted",
      container: "0123456789ab",
      containerName: "web-1",
      reason: "healthy",
      seconds: 0.113,
    },
  ],
};

/** A status server that answers with this, and the process that asks it. */
async function agentThatSays(answers: Readonly<Record<string, readonly [number, unknown]>>) {
  const paths: string[] = [];
  const server = createServer((request, response) => {
    paths.push(`${request.method} ${request.url}`);
    const [code, body] = answers[request.url ?? ""] ?? [404, "not found"];
    response.writeHead(code, { "content-type": "application/json" });
    response.end(typeof body === "string" ? body : JSON.stringify(body));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    paths,
    address: `127.0.0.1:${port}`,
    ask: (...flags: readonly string[]) => run(`--statusAddress=127.0.0.1:${port}`, ...flags),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function run(...flags: readonly string[]) {
  const command = startAgent(["status", "--logFormat=json", ...flags], {
    AWS_ENDPOINT_URL_ROUTE_53: "http://127.0.0.1:1",
  });
  const { code } = await command.exit();
  return { code, stdout: command.stdout, log: await command.errorLog() };
}

const state = (over: Partial<State> = {}) => ({
  "/v1/state": [200, { ...healthy, ...over }] as const,
});
const unwell = { ok: false, ready: true, problems: ["the event stream is closed"] };

describe("status", () => {
  it("shows how a healthy agent is, and why a name is there or missing; ends with 0", async () => {
    await using agent = await agentThatSays(state());
    const { code, stdout, log } = await agent.ask();
    expect({ code, log }).toEqual({ code: 0, log: [] });
    expect(stdout).toBe(
      [
        "healthy",
        "agent     0.1.0, for 2 h",
        "zone      example.internal (Z00TEST)",
        `host      ${INSTANCE} of prod in eu-west-1`,
        "stream    open for 60 s, 12 events, the last 3 s ago",
        "queue     0 waiting, 1 of 5 working, 2 later",
        "records   1 desired, 1 published, 1 pending, 1 refused",
        "requests  9, 1 failed, 0 throttled; in step 2 s ago",
        "",
        "containers",
        "web-1 (0123456789ab)  published  web.example.internal A  10.0.0.1  weight 1, ttl 10, healthy",
        'bad-1 (ffffffffffff)  none                                         bad-name: expected a DNS name, got "my_web"',
        "",
        "left out",
        "bad-name  1",
        "",
        "to be sent",
        "upsert  api.example.internal A  10.0.0.1  weight 1, ttl 10  refused: a CNAME has the name; again in 4 min",
        "",
        "last changes",
        "2 s ago  +  web.example.internal A  10.0.0.1  accepted after 0.113 s, web-1 healthy",
        "",
        "last errors",
        "30 s ago  17 times  Route 53  Rate exceeded",
      ].join("\n"),
    );
    expect(agent.paths).toEqual(["GET /v1/state"]);
  });

  it("shows why an agent is not healthy, and ends with 1", async () => {
    await using agent = await agentThatSays(state({ health: unwell }));
    const { code, stdout, log } = await agent.ask();
    expect(code).toBe(1);
    expect(stdout).toMatch(/^not healthy: the event stream is closed\n/);
    expect(log.at(-1)).toMatchObject({ message: "ends: not healthy" });
  });

  it("shows an agent that has only just begun", async () => {
    const { owner: _, zone: __, ...rest } = healthy;
    const begun = { ...rest, containers: [], changes: [], pending: [], skipped: {}, errors: [] };
    await using agent = await agentThatSays({ "/v1/state": [200, begun] });
    const { code, stdout } = await agent.ask();
    expect(code).toBe(0);
    expect(stdout).toContain("zone      not read yet\nhost      no ECS agent found yet");
    expect(stdout.split("\n")).toHaveLength(8);
  });

  it("shows the state of a mode other than discover, and ends with 1 when it is not well", async () => {
    const other = {
      schema: 1,
      agent: { mode: "ambassador", version: "0.1.0", startedAt: AT - 60, now: AT },
      health: { ok: false, problems: ["port 80 has no task"] },
      ready: { ok: true, problems: [] },
      ...{ needsYou: [], figures: [], tables: [], changes: [], neighbours: [] },
    };
    await using agent = await agentThatSays({ "/v1/state": [200, other] });
    const { code, stdout } = await agent.ask();
    expect([code, stdout]).toEqual([
      1,
      "not healthy: port 80 has no task\nagent  ambassador 0.1.0, for 60 s",
    ]);
  });

  it("with --json prints the agent's own answer", async () => {
    await using agent = await agentThatSays(state({ health: unwell }));
    const { code, stdout } = await agent.ask("--json");
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toEqual({ ...healthy, health: unwell });
  });

  it("prints names and words from outside as text that leads no terminal", async () => {
    const [first] = healthy.containers;
    if (first === undefined) throw new Error("expected a container");
    const hostile = { ...first, name: "a\u001b[2J\u202eb\nc" };
    await using agent = await agentThatSays(
      state({
        containers: [hostile],
        errors: [{ firstAt: AT, lastAt: AT, times: 1, from: "x\u0007", message: "\u2028" }],
      }),
    );
    const { stdout } = await agent.ask();
    expect(stdout).toContain("a\\u{1b}[2J\\u{202e}b\\u{a}c (0123456789ab)");
    expect(stdout).not.toMatch(/[^\P{C}\n]/u);
  });

  it.each([
    ["no JSON", [200, "<html>"], "no JSON: is that an agent?"],
    ["another form", [200, { schemaVersion: 2 }], "is of another form: schemaVersion"],
  ] as const)("says so when the answer has %s, and ends with 1", async (_, answer, what) => {
    await using agent = await agentThatSays({ "/v1/state": answer });
    for (const flags of [[], ["--json"]]) {
      const { code, stdout } = await agent.ask(...flags);
      expect(code).toBe(1);
      expect(stdout).toContain(what);
    }
  });

  it("says so when nobody answers, and ends with 1", async () => {
    for (const flags of [[], ["--json"], ["--health"]]) {
      const { code, stdout } = await run("--statusAddress=127.0.0.1:1", ...flags);
      expect(code).toBe(1);
      expect(stdout).toContain("ECONNREFUSED");
    }
  });

  it("asks on the loopback address for an agent that listens everywhere", async () => {
    const { stdout } = await run("--statusAddress=0.0.0.0:1");
    expect(stdout).toContain("http://127.0.0.1:1/v1/state");
  });
});

describe("of a real agent", () => {
  it("is healthy, with the record of its container", async () => {
    await using lab = await simulatedLab();
    lab.engine.run({
      name: "web-1",
      address: "10.0.0.7",
      labels: { "discovery.service.name": "web" },
    });
    const { url } = await statusOf(lab.agent("--statusAddress=127.0.0.1:0"));
    await lab.zone.until(["web.example.internal 10.0.0.7"]);
    const address = `--statusAddress=${new URL(url).host}`;
    const { code, stdout } = await run(address);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^healthy/);
    expect(stdout).toMatch(/^web-1 \([0-9a-f]{12}\) .*web\.example\.internal A +10\.0\.0\.7/m);
    expect(await run(address, "--health")).toMatchObject({ code: 0, stdout: "healthy" });
  });
});

describe("beside an agent's own flags and environment", () => {
  it("takes them, and is not led astray by ECS_DISCOVERY_HEALTH, which is discover's", async () => {
    await using agent = await agentThatSays(state());
    const flags = ["--hostedZoneId=Z1", "--ttl=5", `--statusAddress=${agent.address}`];
    const command = startAgent(["status", ...flags], {
      AWS_ENDPOINT_URL_ROUTE_53: "http://127.0.0.1:1",
      ECS_DISCOVERY_HEALTH: "off",
    });
    expect((await command.exit()).code).toBe(0);
    expect(await command.stderr).toBe("");
    expect(agent.paths).toEqual(["GET /v1/state"]);
  });
});

describe("status --health", () => {
  it.each([
    [200, { ok: true, problems: [] }, 0, "healthy"],
    [503, { ok: false, problems: ["one", "two"] }, 1, "not healthy: one; two"],
    [503, { ok: false }, 1, "not healthy: it does not say why"],
    [200, null, 1, "not healthy: it does not say why"],
  ])("%s %j: ends with %s", async (status, body, expected, said) => {
    await using agent = await agentThatSays({ "/healthz": [status, body] });
    const { code, stdout } = await agent.ask("--health");
    expect({ code, stdout }).toEqual({ code: expected, stdout: said });
    expect(agent.paths).toEqual(["GET /healthz"]);
  });

  it("is not red for a status server that was switched off", async () => {
    const { code, stdout } = await run("--statusAddress=off", "--health");
    expect(code).toBe(0);
    expect(stdout).toContain("switched off");
    expect((await run("--statusAddress=off")).code).toBe(1);
  });
});
