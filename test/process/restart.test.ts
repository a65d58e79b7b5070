import { describe, expect, it } from "@jest/globals";
import { type EngineLab, engineLab, newTaskLabel } from "../support/lab.ts";
import { SERVED, statusOf } from "../support/status.ts";

const ROUNDS = 5;

it("promise 3: the event stream is open before containers are listed", async () => {
  await using lab = await engineLab();
  lab.agent();
  await lab.caughtUp();
  const asked = lab.proxy.requests.map(({ path }) => path.replace(/\?.*/, ""));
  expect(asked.indexOf("/events")).toBeLessThan(asked.indexOf("/containers/json"));
  expect(asked.filter((path) => path === "/events")).toHaveLength(1);
});

it("promise 3: what starts after the list was made is not missed", async () => {
  await using lab = await engineLab();
  // The list as it was before anything ran.
  lab.proxy.list([]);
  const started = lab.proxy.untilStreams(1).then(() => lab.run({ label: "web" }));
  lab.agent();
  await started;
  await lab.follows();
  expect(lab.zone.now()).toHaveLength(1);
});

it("promise 5: a record is removed without the ECS agent", async () => {
  await using lab = await engineLab();
  lab.agent();
  const [killed, removed] = await Promise.all([lab.run({ label: "a" }), lab.run({ label: "b" })]);
  await lab.follows();
  await lab.ecs.close();
  await killed.kill();
  await removed.remove({ force: true });
  await lab.zone.until([]);
});

describe("promise 6: at a restart the records equal the running containers again", () => {
  it("though the agent was killed while containers came and went, and what was right stays untouched", async () => {
    await using lab = await engineLab();
    lab.agent();
    const stays = await Promise.all([1, 2, 3].map(() => lab.run({ label: "stays" })));
    await lab.follows();
    const untouched = lab.zone.landed.filter((one) => one.includes(" stays.")).toSorted();
    expect(untouched).toHaveLength(stays.length);

    let goes = await lab.run({ label: "goes-0" });
    for (let round = 1; round <= ROUNDS; round += 1) {
      // Some changes before it is killed, which it may or may not have seen, and some after that.
      const [, next] = await Promise.all([
        goes.remove({ force: true }),
        lab.run({ label: `goes-${round}` }),
        killAgent(lab),
      ]);
      goes = next;
      const short = await lab.run({ label: "short" });
      await short.kill();
      lab.agent();
      await lab.follows();
    }
    await lab.caughtUp();
    await lab.follows();
    expect(lab.zone.landed.filter((one) => one.includes(" stays.")).toSorted()).toEqual(untouched);
  });

  it.each([
    ["answers 500", { status: 500, body: "" }],
    ["answers with something else than JSON", { status: 200, body: "<html>" }],
    ["answers with another shape", { status: 200, body: '{"Arn":7}' }],
    ["does not know its task", { status: 404, body: "{}" }],
  ])("and keeps a published record while the ECS agent %s", async (_, kind) => {
    await using lab = await engineLab();
    lab.agent();
    const kept = await lab.run({ label: "kept", labels: newTaskLabel() });
    await lab.follows();
    await killAgent(lab);

    await lab.run({ label: "other" });
    lab.ecs.fail({ path: new RegExp(kept.id), kind });
    const agent = lab.agent();
    await agent.until((line) => line["reason"] !== undefined && line.message.includes("waits"));
    await lab.follows();
    expect(lab.zone.landed.filter((one) => one.includes(" kept."))).toHaveLength(1);

    await kept.kill();
    await lab.follows();
  });
});

describe("promise 10: a start that would delete most of what the host owns", () => {
  const lastRefusal = /the start is refused: it would delete 4 of 4 owned records/;

  it("keeps them, serves everything else and says so, until the ECS agent agrees", async () => {
    let all: readonly Awaited<ReturnType<EngineLab["run"]>>[] = [];
    await using lab = await withFourRecords(async (containers) => {
      all = containers;
    });
    lab.proxy.list([]);
    const agent = lab.agent(SERVED);
    await agent.until((line) => line.message.includes("are kept though Docker shows no container"));
    const status = await statusOf(agent);
    const health = await status.get("/healthz");
    expect(health.status).toBe(200);
    expect(JSON.parse(health.body)).toMatchObject({
      ok: true,
      notes: [expect.stringContaining("4 of this host's 4 records are kept")],
    });
    expect((await status.state()).health.notes).toHaveLength(1);
    await lab.run({ label: "comes" });
    await lab.follows();
    expect(lab.zone.now()).toHaveLength(5);

    await Promise.all(all.map((container) => container.kill()));
    await lab.follows();
    expect(lab.zone.now()).toHaveLength(1);
  });

  it("with --once is refused: nobody would be there to see the ECS agent agree", async () => {
    await using lab = await withFourRecords();
    const before = lab.zone.now();
    lab.proxy.list([]);
    const agent = lab.agent("--once");
    expect(await agent.exit()).toEqual({ code: 1, signal: null });
    expect(agent.log.at(-1)).toMatchObject({ cause: expect.stringMatching(lastRefusal) });
    expect(lab.zone.now()).toEqual(before);
    expect(lab.zone.landed).toHaveLength(4);
  });

  it("is not decided without the ECS agent's word", async () => {
    await using lab = await withFourRecords();
    const before = lab.zone.now();
    lab.proxy.list([]);
    lab.ecs.fail({ path: /\/v1\/tasks$/, kind: { status: 500, body: "" } });
    const agent = lab.agent("--patience=0");
    expect(await agent.exit()).toEqual({ code: 1, signal: null });
    expect(lab.zone.now()).toEqual(before);
  });

  it("goes through with --force", async () => {
    await using lab = await withFourRecords();
    lab.proxy.list([]);
    expect(await lab.agent("--once", "--force").exit()).toEqual({ code: 0, signal: null });
    expect(lab.zone.now()).toEqual([]);
  });

  it("goes through when the ECS agent, too, says that the tasks have stopped", async () => {
    await using lab = await withFourRecords(async (all) => {
      await Promise.all(all.map((container) => container.kill()));
    });
    expect(await lab.agent("--once").exit()).toEqual({ code: 0, signal: null });
    expect(lab.zone.now()).toEqual([]);
  });
});

describe("--once", () => {
  it("makes the zone right and ends with 0", async () => {
    await using lab = await engineLab();
    const [first] = await Promise.all([lab.run({ label: "web" }), lab.run({ label: "api" })]);
    expect(await lab.agent("--once").exit()).toEqual({ code: 0, signal: null });
    expect(lab.zone.now()).toEqual(await lab.expected());

    await first.kill();
    await lab.run({ label: "db" });
    expect(await lab.agent("--once").exit()).toEqual({ code: 0, signal: null });
    expect(lab.zone.now()).toEqual(await lab.expected());
    expect(lab.zone.changeRequests).toBe(2);
  });

  it("with --dryRun changes nothing and says what it would do", async () => {
    await using lab = await engineLab();
    const gone = await lab.run({ label: "gone" });
    await lab.agent("--once").exit();
    await gone.kill();
    await lab.run({ label: "new" });
    const before = lab.zone.now();

    const agent = lab.agent("--once", "--dryRun");
    expect(await agent.exit()).toEqual({ code: 0, signal: null });
    expect(agent.log).toContainEqual(
      expect.objectContaining({
        message: "would be registered",
        record: `new.${lab.zone.name}`,
      }),
    );
    expect(agent.log).toContainEqual(
      expect.objectContaining({
        message: "would be removed",
        record: `gone.${lab.zone.name}`,
      }),
    );
    expect(lab.zone.now()).toEqual(before);
    expect(lab.zone.changeRequests).toBe(1);
  });
});

/** Kills the newest agent without any warning. */
async function killAgent(lab: EngineLab): Promise<void> {
  const agent = lab.agents.at(-1);
  agent?.kill("SIGKILL");
  await agent?.exit();
}

/** Four containers, their four records, and no agent; `then` may do something to the containers. */
async function withFourRecords(
  then: (
    containers: readonly Awaited<ReturnType<EngineLab["run"]>>[],
  ) => Promise<void> = async () => {},
): Promise<EngineLab> {
  const lab = await engineLab();
  try {
    const all = await Promise.all([1, 2, 3, 4].map(() => lab.run({ label: "web" })));
    await lab.agent("--once").exit();
    expect(lab.zone.now()).toHaveLength(4);
    await then(all);
    return lab;
  } catch (error) {
    await lab[Symbol.asyncDispose]();
    throw error;
  }
}
