import { describe, expect, it } from "@jest/globals";
import { type EngineLab, engineLab } from "../support/lab.ts";

/** None of them this host's: a plain one, another host's, and one whose identifier is no agent's. */
const FOREIGN = [
  { name: "api.example.internal.", type: "A", ttlSeconds: 60, values: ["192.0.2.1"] },
  {
    name: "web.example.internal.",
    type: "A",
    ttlSeconds: 10,
    values: ["192.0.2.2"],
    weight: 1,
    setIdentifier: `ecs-discovery-1/${"f".repeat(32)}/${"e".repeat(32)}`,
  },
  {
    name: "web.example.internal.",
    type: "A",
    ttlSeconds: 10,
    values: ["192.0.2.3"],
    weight: 1,
    setIdentifier: "by-hand",
  },
];
const OTHERS = ["web.example.internal 192.0.2.2", "web.example.internal 192.0.2.3"];

/** Three services run, and an agent has registered them among other people's records; it still runs. */
async function withRecords(...flags: readonly string[]) {
  const lab = await engineLab();
  try {
    lab.route53.seed(lab.zone.id, FOREIGN);
    const agent = lab.agent(...flags);
    await Promise.all(["web", "db", "web"].map((label) => lab.run({ label })));
    await lab.zone.until([...(await lab.expected()), ...OTHERS]);
    return { lab, agent, [Symbol.asyncDispose]: () => lab[Symbol.asyncDispose]() };
  } catch (error) {
    await lab[Symbol.asyncDispose]();
    throw error;
  }
}

function othersAreUntouched(lab: EngineLab): void {
  expect(lab.route53.records(lab.zone.id)).toEqual(
    expect.arrayContaining(FOREIGN.map((record) => expect.objectContaining(record))),
  );
}

const deletes = (lab: EngineLab) => lab.zone.landed.filter((one) => one.startsWith("DELETE"));

describe("deregister", () => {
  it("removes this host's records and nobody else's, without a question to Docker", async () => {
    await using started = await withRecords();
    const { lab, agent } = started;
    agent.kill("SIGTERM");
    await agent.exit();
    const asked = lab.proxy.requests.length;

    const deregister = lab.deregister();
    expect(await deregister.exit()).toEqual({ code: 0, signal: null });
    await lab.zone.until(OTHERS);
    othersAreUntouched(lab);
    expect(deletes(lab)).toHaveLength(3);
    expect(lab.proxy.requests).toHaveLength(asked);
    expect(await deregister.stderr).toBe("");
    const lines = deregister.stdout.split("\n");
    expect(
      lines.filter((line) => /^- +(web|db)\.example\.internal +A +[\d.]+$/.test(line)),
    ).toHaveLength(3);
    expect(lines.at(-1)).toMatch(/^removed 3 records of host [0-9a-f]{32} from example\.internal/);
  });

  it("with --json says what it removed as one line of JSON, and logs beside it", async () => {
    await using started = await withRecords();
    const { lab, agent } = started;
    agent.kill("SIGTERM");
    await agent.exit();
    const deregister = lab.deregister("--json", "--logLevel=info");
    expect(await deregister.exit()).toEqual({ code: 0, signal: null });
    expect(JSON.parse(deregister.stdout)).toMatchObject({
      schemaVersion: 1,
      zone: { id: lab.zone.id, name: lab.zone.name },
      dryRun: false,
      removed: ["db", "web", "web"].map((name) =>
        expect.objectContaining({ name: `${name}.${lab.zone.name}`, type: "A" }),
      ),
      refused: [],
      left: 0,
    });
    expect((await deregister.errorLog()).at(-1)).toMatchObject({
      message: "ends: no record of this host is left",
      exitCode: 0,
    });
  });

  it("ends with 1 when it is stopped before it has removed them, and says how many are left", async () => {
    await using started = await withRecords();
    const { lab, agent } = started;
    agent.kill("SIGTERM");
    await agent.exit();
    const before = lab.zone.now();
    lab.route53.fail({
      operation: "ChangeResourceRecordSets",
      times: 1_000,
      kind: { error: { status: 400, code: "Throttling", message: "Rate exceeded" } },
    });
    const throttled = Promise.withResolvers<void>();
    lab.route53.onRequest(({ operation }, phase) => {
      if (operation === "ChangeResourceRecordSets" && phase === "answered") throttled.resolve();
    });
    const deregister = lab.deregister("--json");
    await throttled.promise;
    deregister.kill("SIGTERM");
    expect(await deregister.exit()).toEqual({ code: 1, signal: null });
    expect(JSON.parse(deregister.stdout)).toMatchObject({ removed: [], refused: [], left: 3 });
    expect(lab.zone.now()).toEqual(before);
    expect((await deregister.errorLog()).at(-1)).toMatchObject({ exitCode: 1 });
  });

  it("ends with 0 also when nothing is left to remove", async () => {
    await using lab = await engineLab();
    expect(await lab.deregister().exit()).toEqual({ code: 0, signal: null });
    expect(lab.zone.changeRequests).toBe(0);
  });

  it("with --dryRun changes nothing and says what it would remove", async () => {
    await using started = await withRecords();
    const { lab, agent } = started;
    agent.kill("SIGTERM");
    await agent.exit();
    const [before, requests] = [lab.zone.now(), lab.zone.changeRequests];

    const dry = lab.deregister("--dryRun");
    expect(await dry.exit()).toEqual({ code: 0, signal: null });
    expect(lab.zone.now()).toEqual(before);
    expect(lab.zone.changeRequests).toBe(requests);
    expect(dry.stdout.split("\n")).toHaveLength(4);
    expect(dry.stdout).toMatch(/^would remove 3 records of host/m);

    // The next start still knows what is there: it has nothing to do.
    expect(await lab.agent("--once").exit()).toEqual({ code: 0, signal: null });
    expect(lab.zone.changeRequests).toBe(requests);
  });

  it("lets an agent that starts after it register everything again", async () => {
    await using started = await withRecords();
    const { lab, agent } = started;
    agent.kill("SIGTERM");
    await agent.exit();
    expect(await lab.deregister().exit()).toEqual({ code: 0, signal: null });
    await lab.zone.until(OTHERS);

    lab.agent();
    await lab.zone.until([...(await lab.expected()), ...OTHERS]);
    othersAreUntouched(lab);
  });

  it("with another folder leaves the journal wrong, which the agent sees within --resync", async () => {
    await using started = await withRecords();
    const { lab, agent } = started;
    agent.kill("SIGTERM");
    await agent.exit();
    await lab.deregister(`--stateDir=${lab.folder}/other`).exit();
    await lab.zone.until(OTHERS);

    lab.agent("--resync=1");
    await lab.zone.until([...(await lab.expected()), ...OTHERS]);
  });

  it("removes also what the agent's journal does not know", async () => {
    await using started = await withRecords();
    const { lab, agent } = started;
    agent.kill("SIGTERM");
    await agent.exit();
    const [own] = lab.route53
      .records(lab.zone.id)
      .filter(({ name, values }) => name.startsWith("db.") && values.length === 1);
    if (own === undefined) throw new Error("expected a record");
    lab.route53.seed(lab.zone.id, [
      { ...own, name: `forgotten.${lab.zone.name}.`, values: ["192.0.2.9"] },
    ]);
    expect(await lab.deregister().exit()).toEqual({ code: 0, signal: null });
    await lab.zone.until(OTHERS);
  });

  it("ends with 1 when Route 53 does not let it, and the records stay", async () => {
    await using started = await withRecords();
    const { lab, agent } = started;
    agent.kill("SIGTERM");
    await agent.exit();
    const before = lab.zone.now();
    lab.route53.fail({
      operation: "ChangeResourceRecordSets",
      kind: { error: { status: 403, code: "AccessDenied", message: "not authorized" } },
    });
    const deregister = lab.deregister();
    expect(await deregister.exit()).toEqual({ code: 1, signal: null });
    expect(lab.zone.now()).toEqual(before);
    expect((await deregister.errorLog()).at(-1)).toMatchObject({
      cause: expect.stringContaining("route53:ChangeResourceRecordSets"),
    });
  });
});

describe("--onStop", () => {
  it.each(["SIGTERM", "SIGINT"] as const)(
    "=remove: %s removes this host's records and nobody else's, and ends with 0",
    async (signal) => {
      await using started = await withRecords("--onStop=remove");
      const { lab, agent } = started;
      agent.kill(signal);
      expect(await agent.exit()).toEqual({ code: 0, signal: null });
      await lab.zone.until(OTHERS);
      othersAreUntouched(lab);
      expect(deletes(lab)).toHaveLength(3);
      expect(agent.log.at(-1)).toMatchObject({ message: "ends: asked to stop", exitCode: 0 });

      lab.agent();
      await lab.zone.until([...(await lab.expected()), ...OTHERS]);
    },
  );

  it("=remove: takes with it what lands while it is asked to stop", async () => {
    await using started = await withRecords("--onStop=remove");
    const { lab, agent } = started;
    lab.route53.set({ latencyMs: 500 });
    const stopHearing = lab.route53.onRequest(({ operation }, phase) => {
      if (operation !== "ChangeResourceRecordSets" || phase !== "arrived") return;
      stopHearing();
      agent.kill("SIGTERM");
    });
    await lab.run({ label: "late" });
    expect(await agent.exit()).toEqual({ code: 0, signal: null });
    await lab.zone.until(OTHERS);
    expect(lab.zone.landed.filter((one) => one.includes(" late."))).toHaveLength(2);
  });

  it("=remove: a stop before the first plan removes what an earlier run has left", async () => {
    await using started = await withRecords();
    const { lab, agent } = started;
    agent.kill("SIGKILL");
    await agent.exit();
    // The first looks never end.
    lab.ecs.fail({ path: /dockerid=/, kind: "hang" });
    const next = lab.agent("--onStop=remove");
    await next.until(({ message }) => message.startsWith("found the zone"));
    next.kill("SIGTERM");
    expect(await next.exit()).toEqual({ code: 0, signal: null });
    expect(lab.zone.now()).toEqual(OTHERS);
  });

  it("=remove with --dryRun changes nothing", async () => {
    await using started = await withRecords();
    const { lab, agent } = started;
    agent.kill("SIGTERM");
    await agent.exit();
    const before = lab.zone.now();
    const dry = lab.agent("--onStop=remove", "--dryRun");
    await dry.until(({ message }) => message.startsWith("every container is looked at"));
    dry.kill("SIGTERM");
    expect(await dry.exit()).toEqual({ code: 0, signal: null });
    expect(lab.zone.now()).toEqual(before);
    expect(dry.log.filter(({ message }) => message === "would be removed")).toHaveLength(3);
  });

  it("=remove: a failure is no stop that somebody asked for, and keeps them", async () => {
    await using started = await withRecords("--onStop=remove");
    const { lab, agent } = started;
    const before = lab.zone.now();
    lab.proxy.cut("reset");
    expect(await agent.exit()).toEqual({ code: 1, signal: null });
    expect(lab.zone.now()).toEqual(before);
    expect(deletes(lab)).toEqual([]);
  });

  it("=keep, the default, keeps them", async () => {
    await using started = await withRecords();
    const { lab, agent } = started;
    const before = lab.zone.now();
    agent.kill("SIGTERM");
    expect(await agent.exit()).toEqual({ code: 0, signal: null });
    expect(lab.zone.now()).toEqual(before);
    expect(deletes(lab)).toEqual([]);
  });
});
