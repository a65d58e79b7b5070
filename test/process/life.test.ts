import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "@jest/globals";
import type { Container } from "dockerode";
import type { AgentProcess } from "../support/agent-process.ts";
import type { EngineEventLine } from "../support/docker-proxy.ts";
import { type EngineLab, engineLab, type RunOptions } from "../support/lab.ts";

const MS = 1_000_000;
/** Lives through every signal but KILL. */
const STUBBORN = ["sh", "-c", "trap '' TERM HUP USR1; sleep 3600 & wait; sleep 3600"];

/** Passes while the lab's folder holds the file. It fails in silence until it has passed once: so long it is starting. */
const checked = (lab: EngineLab, file: string): Pick<RunOptions, "binds" | "healthcheck"> => ({
  binds: [`${lab.folder}:/lab`],
  healthcheck: {
    Test: ["CMD", "cat", `/lab/${file}`],
    Interval: 200 * MS,
    Retries: 1,
    StartPeriod: 3_600_000 * MS,
  },
});
const passes = (lab: EngineLab, file: string) => writeFile(join(lab.folder, file), "");
const fails = (lab: EngineLab, file: string) => rm(join(lab.folder, file));

/** The record that a running container asks for, `name address`. */
async function recordOf(lab: EngineLab, container: Container, service = "web"): Promise<string> {
  const { NetworkSettings } = await container.inspect();
  const [network] = Object.values(NetworkSettings.Networks);
  return `${service}.${lab.zone.name} ${network?.IPAddress}`;
}

/** What has become of the service's records, in order. */
const changesOf = (lab: EngineLab, service = "web"): readonly string[] =>
  lab.zone.landed.filter((one) => one.includes(` ${service}.`));
const untilChanges = (lab: EngineLab, count: number, service = "web") =>
  lab.route53.until(lab.zone.id, () => changesOf(lab, service).length >= count);

const warningsOf = ({ log }: AgentProcess): readonly string[] =>
  log.filter(({ level }) => level === "warn").map(({ message }) => message);

const isOf =
  (container: Container, action: string, attribute = "") =>
  (event: EngineEventLine) =>
    event.id === container.id && event.action === action && event.line.includes(attribute);
/** When the engine says that it happened, in ms. */
const timeOf = ({ line }: EngineEventLine): number =>
  Number((JSON.parse(line) as { timeNano: number }).timeNano) / MS;

/** When each change landed, in ms; of several that are equal, the last. */
function landingTimes(lab: EngineLab): ReadonlyMap<string, number> {
  const times = new Map<string, number>();
  lab.route53.onLanded((batch) => {
    for (const { action, record } of batch) {
      const name = record.name.replace(/\.$/, "");
      times.set(`${action} ${name} ${record.values.join(",")}`, Date.now());
    }
  });
  return times;
}

const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;

/** The agent's next look at the container, after all that it has looked so far. It needs --logLevel=debug. */
function nextLook(agent: AgentProcess, { id }: Container): Promise<unknown> {
  const looks = () => agent.log.filter((line) => line["container"] === id.slice(0, 12)).length;
  const before = looks();
  return agent.until(() => looks() > before);
}

/** Waits until the agent says, after `from` lines, why the container has no record. It needs --logLevel=debug. */
const says = (agent: AgentProcess, { id }: Container, reason: string, from = 0) =>
  agent.until(() =>
    agent.log
      .slice(from)
      .some((line) => line["container"] === id.slice(0, 12) && line["reason"] === reason),
  );

describe("a container with a health check", () => {
  it("has no record before it is healthy, and one within 500 ms from then on", async () => {
    await using lab = await engineLab();
    const landed = landingTimes(lab);
    const agent = lab.agent("--logLevel=debug");
    const latencies: number[] = [];
    for (const label of ["one", "two", "three"]) {
      const container = await lab.run({ label, ...checked(lab, label) });
      await says(agent, container, "starting");
      await lab.caughtUp();
      expect(changesOf(lab, label)).toEqual([]);

      await passes(lab, label);
      await untilChanges(lab, 1, label);
      const healthy = await lab.proxy.untilEvent(isOf(container, "health_status: healthy"));
      const record = await recordOf(lab, container, label);
      expect(changesOf(lab, label)).toEqual([`UPSERT ${record}`]);
      latencies.push((landed.get(`UPSERT ${record}`) ?? 0) - timeOf(healthy));
    }
    expect(median(latencies)).toBeLessThanOrEqual(500);
    expect(warningsOf(agent)).toEqual([]);
  });

  it("that passes after three seconds has its record then, and not before", async () => {
    await using lab = await engineLab();
    const landed = landingTimes(lab);
    lab.agent();
    await lab.caughtUp();
    const container = await lab.run({
      label: "web",
      command: ["sh", "-c", "sleep 3; : > /tmp/ok; trap 'exit 0' TERM; sleep 3600 & wait"],
      healthcheck: {
        Test: ["CMD", "cat", "/tmp/ok"],
        Interval: 200 * MS,
        Retries: 1,
        StartPeriod: 3_600_000 * MS,
      },
    });
    await untilChanges(lab, 1);
    const started = await lab.proxy.untilEvent(isOf(container, "start"));
    const healthy = await lab.proxy.untilEvent(isOf(container, "health_status: healthy"));
    const atMs = landed.get(`UPSERT ${await recordOf(lab, container)}`) ?? 0;
    expect(atMs - timeOf(started)).toBeGreaterThanOrEqual(3_000);
    expect(atMs - timeOf(healthy)).toBeGreaterThanOrEqual(0);
    expect(atMs - timeOf(healthy)).toBeLessThanOrEqual(500);
    expect(changesOf(lab)).toHaveLength(1);
  });

  it("that was healthy before the agent started has its record by a look alone", async () => {
    await using lab = await engineLab();
    const container = await runHealthy(lab, "web", "ok");
    const starting = await lab.run({ label: "web", ...checked(lab, "never") });
    const agent = lab.agent("--logLevel=debug");
    await lab.zone.until([await recordOf(lab, container)]);
    await says(agent, starting, "starting");
    expect(lab.proxy.events.filter(({ id }) => id === container.id)).toEqual([]);
  });

  it("loses its record while it is unhealthy, and the other's of its service stays", async () => {
    await using lab = await engineLab();
    const agent = lab.agent();
    const [sick, well] = await Promise.all([
      runHealthy(lab, "web", "sick"),
      runHealthy(lab, "web", "well"),
    ]);
    const [sicks, wells] = [await recordOf(lab, sick), await recordOf(lab, well)];
    await lab.zone.until([sicks, wells]);

    await fails(lab, "sick");
    await lab.zone.until([wells]);
    await lab.proxy.untilEvent(isOf(sick, "health_status: unhealthy"));

    await passes(lab, "sick");
    await lab.zone.until([sicks, wells]);
    expect(changesOf(lab).slice(2)).toEqual([`DELETE ${sicks}`, `UPSERT ${sicks}`]);
    expect(changesOf(lab).filter((one) => one.endsWith(wells))).toHaveLength(1);
    expect(warningsOf(agent)).toEqual([]);
  });

  it("that is restarted has no record until it is healthy again", async () => {
    await using lab = await engineLab();
    const agent = lab.agent("--logLevel=debug");
    const container = await runHealthy(lab, "web", "ok");
    await lab.zone.until([await recordOf(lab, container)]);

    await fails(lab, "ok");
    const from = agent.log.length;
    await container.restart({ t: 0 });
    await lab.zone.until([]);
    await says(agent, container, "starting", from);
    await lab.caughtUp();
    expect(changesOf(lab).filter((one) => one.startsWith("UPSERT"))).toHaveLength(1);

    await passes(lab, "ok");
    await lab.caughtUp();
    await lab.follows();
  });

  it("that was paused has its record again with its next good probe", async () => {
    await using lab = await engineLab();
    lab.agent();
    const container = await runHealthy(lab, "web", "ok");
    const record = await recordOf(lab, container);
    await lab.zone.until([record]);
    await container.pause();
    await lab.zone.until([]);
    await container.unpause();
    await lab.zone.until([record]);
    expect(changesOf(lab)).toEqual([`UPSERT ${record}`, `DELETE ${record}`, `UPSERT ${record}`]);
  });
});

describe("when all containers of a service on the host are unhealthy together", () => {
  it("their records are kept, and one warning names --allUnhealthy", async () => {
    await using lab = await engineLab();
    const agent = lab.agent("--logLevel=debug");
    const [web, api] = await Promise.all([
      runHealthy(lab, "web", "web"),
      runHealthy(lab, "api", "api"),
    ]);
    const both = [await recordOf(lab, web, "web"), await recordOf(lab, api, "api")];
    await lab.zone.until(both);

    await fails(lab, "web");
    await lab.proxy.untilEvent(isOf(web, "health_status: unhealthy"));
    await agent.until(({ level }) => level === "warn");
    // A second look at the same must not warn once more.
    const looked = nextLook(agent, web);
    await web.kill({ signal: "SIGHUP" });
    await looked;
    await lab.caughtUp();
    expect(agent.log.filter(({ level }) => level === "warn")).toEqual([
      expect.objectContaining({
        message: expect.stringMatching(/unhealthy: keeps their records .*--allUnhealthy/),
        record: `web.${lab.zone.name}`,
      }),
    ]);
    expect(lab.zone.now()).toEqual(expect.arrayContaining(both));
    expect(changesOf(lab, "web")).toHaveLength(1);

    const before = healthyEvents(lab, web);
    await passes(lab, "web");
    await lab.proxy.untilEvent(() => healthyEvents(lab, web) > before);
    await lab.caughtUp();
    expect(changesOf(lab, "web")).toHaveLength(1);
  });

  it("an agent that starts meanwhile keeps them, too, and they go with their containers", async () => {
    await using lab = await engineLab();
    const container = await runHealthy(lab, "web", "ok");
    await lab.agent("--once").exit();
    const record = await recordOf(lab, container);
    expect(lab.zone.now()).toEqual([record]);
    await fails(lab, "ok");
    await untilHealth(container, "unhealthy");

    const agent = lab.agent();
    await lab.caughtUp();
    expect(changesOf(lab)).toEqual([`UPSERT ${record}`]);
    expect(warningsOf(agent)).toHaveLength(1);
    await container.kill();
    await untilChanges(lab, 2);
    expect(changesOf(lab)).toEqual([`UPSERT ${record}`, `DELETE ${record}`]);
  });

  it("they go with --allUnhealthy=remove, and the warning says so", async () => {
    await using lab = await engineLab();
    const agent = lab.agent("--allUnhealthy=remove");
    const [first, last] = await Promise.all([
      runHealthy(lab, "web", "first"),
      runHealthy(lab, "web", "last"),
    ]);
    const both = [await recordOf(lab, first), await recordOf(lab, last)];
    await lab.zone.until(both);
    await Promise.all([fails(lab, "first"), fails(lab, "last")]);
    await lab.zone.until([]);
    expect(warningsOf(agent)).toEqual([
      expect.stringMatching(/unhealthy: has no records .*--allUnhealthy/),
    ]);

    await Promise.all([passes(lab, "first"), passes(lab, "last")]);
    await lab.zone.until(both);
  });

  it("no warning is given while a healthy one has only not been looked at yet", async () => {
    await using lab = await engineLab();
    const [sick, well] = await Promise.all([
      runHealthy(lab, "web", "sick"),
      runHealthy(lab, "web", "well"),
    ]);
    await fails(lab, "sick");
    await untilHealth(sick, "unhealthy");
    // The ECS agent's first word on the healthy one gets lost, so the other is known first.
    lab.ecs.fail({ path: new RegExp(well.id), times: 1, kind: { status: 500, body: "" } });
    const agent = lab.agent();
    await lab.zone.until([await recordOf(lab, well)]);
    expect(warningsOf(agent)).toEqual([]);
  });

  it("no warning is given of one that was paused and has not been probed since", async () => {
    await using lab = await engineLab();
    const agent = lab.agent();
    const container = await runHealthy(lab, "web", "ok");
    const record = await recordOf(lab, container);
    await lab.zone.until([record]);
    await container.pause();
    await lab.zone.until([]);
    await container.unpause();
    await lab.zone.until([record]);
    expect(warningsOf(agent)).toEqual([]);
  });

  it("all their records are there, though they fell ill one after another", async () => {
    await using lab = await engineLab();
    const agent = lab.agent();
    const [first, last] = await Promise.all([
      runHealthy(lab, "web", "first"),
      runHealthy(lab, "web", "last"),
    ]);
    const [firsts, lasts] = [await recordOf(lab, first), await recordOf(lab, last)];
    await lab.zone.until([firsts, lasts]);
    await fails(lab, "first");
    await lab.zone.until([lasts]);
    await fails(lab, "last");
    await agent.until(({ level }) => level === "warn");
    await lab.caughtUp();
    expect(lab.zone.now()).toEqual(expect.arrayContaining([firsts, lasts]));
  });
});

it("with --health=off a container has its record whatever its health", async () => {
  await using lab = await engineLab();
  const agent = lab.agent("--health=off", "--logLevel=debug");
  const container = await lab.run({ label: "web", ...checked(lab, "ok") });
  const record = await recordOf(lab, container);
  await lab.zone.until([record]);
  expect(await healthOf(container)).toBe("starting");

  await passes(lab, "ok");
  await lab.proxy.untilEvent(isOf(container, "health_status: healthy"));
  await fails(lab, "ok");
  await lab.proxy.untilEvent(isOf(container, "health_status: unhealthy"));
  await lab.caughtUp();
  expect(changesOf(lab)).toEqual([`UPSERT ${record}`]);
  expect(warningsOf(agent)).toEqual([]);
});

describe("the stop signal", () => {
  it("takes the record away within 300 ms, seconds before a container that ignores it dies", async () => {
    await using lab = await engineLab();
    const landed = landingTimes(lab);
    lab.agent();
    const containers = await Promise.all(
      [1, 2, 3].map(() => lab.run({ label: "web", command: STUBBORN })),
    );
    const records = await Promise.all(containers.map((container) => recordOf(lab, container)));
    await lab.zone.until(records);

    const stopped = Promise.all(containers.map((container) => container.stop({ t: 10 })));
    await lab.zone.until([]);
    expect(lab.proxy.events.filter(({ action }) => action === "die")).toEqual([]);
    await stopped;
    const measured = await Promise.all(
      containers.map(async (container, index) => {
        const gone = landed.get(`DELETE ${records[index]}`) ?? 0;
        const killed = await lab.proxy.untilEvent(isOf(container, "kill", '"signal":"15"'));
        const died = await lab.proxy.untilEvent(isOf(container, "die"));
        return { afterKill: gone - timeOf(killed), beforeDie: timeOf(died) - gone };
      }),
    );
    expect(median(measured.map(({ afterKill }) => afterKill))).toBeLessThanOrEqual(300);
    expect(Math.min(...measured.map(({ beforeDie }) => beforeDie))).toBeGreaterThan(9_000);
    await lab.caughtUp();
    expect(changesOf(lab)).toHaveLength(6);
  });

  it.each(["SIGUSR1", "10"])(
    "is the container's own (%s): that one takes its record away, TERM does not",
    async (stopSignal) => {
      await using lab = await engineLab();
      const agent = lab.agent("--logLevel=debug");
      const container = await lab.run({ label: "web", command: STUBBORN, stopSignal });
      const record = await recordOf(lab, container);
      await lab.zone.until([record]);

      const looked = nextLook(agent, container);
      await container.kill({ signal: "SIGTERM" });
      await lab.proxy.untilEvent(isOf(container, "kill", '"signal":"15"'));
      await looked;
      await lab.caughtUp();
      expect(changesOf(lab)).toEqual([`UPSERT ${record}`]);

      await container.kill({ signal: "SIGUSR1" });
      await untilChanges(lab, 2);
      expect(changesOf(lab).at(-1)).toBe(`DELETE ${record}`);
      expect((await container.inspect()).State.Running).toBe(true);
    },
  );

  it("is no other signal: HUP changes nothing at all", async () => {
    await using lab = await engineLab();
    const agent = lab.agent("--logLevel=debug");
    const container = await lab.run({ label: "web", command: STUBBORN });
    await lab.follows();
    const looked = nextLook(agent, container);
    await container.kill({ signal: "SIGHUP" });
    await looked;
    await lab.caughtUp();
    expect(changesOf(lab)).toHaveLength(1);
    await lab.follows();
  });

  it("that a container survives by --stopGrace gives its record back", async () => {
    await using lab = await engineLab();
    lab.agent("--stopGrace=1");
    const container = await lab.run({ label: "web", command: STUBBORN });
    const record = await recordOf(lab, container);
    await lab.zone.until([record]);
    await container.kill({ signal: "SIGTERM" });
    await untilChanges(lab, 3);
    expect(changesOf(lab)).toEqual([`UPSERT ${record}`, `DELETE ${record}`, `UPSERT ${record}`]);

    // It can be stopped once more.
    await container.kill({ signal: "SIGTERM" });
    await untilChanges(lab, 5);
    expect(changesOf(lab).slice(3)).toEqual([`DELETE ${record}`, `UPSERT ${record}`]);
  });
});

it("docker stop of a paused container does not bring its record back meanwhile", async () => {
  await using lab = await engineLab();
  lab.agent();
  const container = await lab.run({ label: "web", command: STUBBORN });
  const record = await recordOf(lab, container);
  await lab.zone.until([record]);
  await container.pause();
  await lab.zone.until([]);
  await container.stop({ t: 1 });
  await lab.caughtUp();
  expect(changesOf(lab)).toEqual([`UPSERT ${record}`, `DELETE ${record}`]);
});

describe("a container that goes on has its record again", () => {
  it("after pause and unpause", async () => {
    await using lab = await engineLab();
    const agent = lab.agent();
    const container = await lab.run({ label: "web" });
    const record = await recordOf(lab, container);
    await lab.zone.until([record]);
    await container.pause();
    await lab.zone.until([]);
    await container.unpause();
    await lab.zone.until([record]);
    expect(warningsOf(agent)).toEqual([]);
  });

  it("after docker restart, also one that had to be killed", async () => {
    await using lab = await engineLab();
    lab.agent();
    const [polite, stubborn] = [
      await lab.run({ label: "web" }),
      await lab.run({ label: "web", command: STUBBORN }),
    ];
    await lab.follows();
    await Promise.all([polite.restart(), stubborn.restart({ t: 1 })]);
    await lab.caughtUp();
    await lab.follows();
    expect(lab.zone.now().filter((one) => one.startsWith("web."))).toHaveLength(2);
  });

  it("after docker stop and docker start", async () => {
    await using lab = await engineLab();
    lab.agent();
    const container = await lab.run({ label: "web" });
    await lab.follows();
    const identifier = () => lab.route53.records(lab.zone.id).at(-1)?.setIdentifier;
    const before = identifier();
    await container.stop();
    await lab.zone.until([]);
    await container.start();
    await lab.follows();
    expect(lab.zone.now()).toHaveLength(1);
    expect(identifier()).toBe(before);
  });

  it("after its restart policy has brought it back, once it is healthy again", async () => {
    await using lab = await engineLab();
    const agent = lab.agent("--logLevel=debug");
    await passes(lab, "ok");
    const container = await lab.run({
      label: "web",
      restartPolicy: { Name: "always" },
      ...checked(lab, "ok"),
    });
    await untilChanges(lab, 1);
    await fails(lab, "ok");
    const from = agent.log.length;
    // From inside: after any signal sent through Docker, the policy no longer applies.
    const crash = await container.exec({ Cmd: ["sh", "-c", "kill -USR1 1"] });
    (await crash.start({ Detach: true })).destroy();
    await lab.zone.until([]);
    await says(agent, container, "starting", from);
    await passes(lab, "ok");
    await lab.caughtUp();
    await lab.follows();
  });
});

/** With a health check that passes as long as the file is there. */
async function runHealthy(lab: EngineLab, label: string, file: string): Promise<Container> {
  await passes(lab, file);
  const container = await lab.run({ label, ...checked(lab, file) });
  await untilHealth(container, "healthy");
  return container;
}

const healthOf = async (container: Container): Promise<string | undefined> =>
  (await container.inspect()).State.Health?.Status;

/** Asked of the engine itself: no agent need be there. */
async function untilHealth(container: Container, health: string): Promise<void> {
  while ((await healthOf(container)) !== health);
}

const healthyEvents = (lab: EngineLab, container: Container): number =>
  lab.proxy.events.filter(isOf(container, "health_status: healthy")).length;
