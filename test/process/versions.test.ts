import { describe, expect, it } from "@jest/globals";
import { DOCKER_API_VERSIONS } from "../../lib/standins/docker/engine.ts";
import { NAME_LABEL, newTaskLabel, simulatedLab } from "../support/lab.ts";

const TERM = 15;
const HUP = 1;

const labelled = (label: string) => ({ [NAME_LABEL]: label, ...newTaskLabel() });

describe.each(DOCKER_API_VERSIONS)("an engine of API %s", (apiVersion) => {
  it("is followed through all that becomes of its containers", async () => {
    await using lab = await simulatedLab({ apiVersion });
    const { engine, zone } = lab;
    const web = (...values: readonly string[]) =>
      zone.until(values.map((address) => `web.${zone.name} ${address}`));
    const start = (address: string, healthcheck = false) =>
      engine.run({ labels: labelled("web"), address, healthcheck });

    // There before the agent: one that serves, one that is not ready yet, one that has ended, one without a label.
    const first = start("10.0.0.1");
    const checked = start("10.0.0.2", true);
    const ended = start("10.0.0.3");
    engine.crash(ended);
    const plain = engine.run({ name: "plain", address: "10.0.0.4" });
    const agent = lab.agent();
    await web("10.0.0.1");

    engine.health(checked, "healthy");
    await web("10.0.0.1", "10.0.0.2");
    engine.health(checked, "unhealthy");
    await web("10.0.0.1");
    engine.health(checked, "healthy");
    await web("10.0.0.1", "10.0.0.2");

    engine.pause(first);
    await web("10.0.0.2");
    engine.unpause(first);
    await web("10.0.0.1", "10.0.0.2");

    // Any other signal says nothing; the stop signal is the end, before the end.
    engine.kill(first, HUP);
    engine.kill(checked, TERM, { survives: true });
    await web("10.0.0.1");
    engine.kill(checked);
    engine.start(checked);
    engine.health(checked, "healthy");
    await web("10.0.0.1", "10.0.0.2");

    engine.start(ended);
    await web("10.0.0.1", "10.0.0.2", "10.0.0.3");
    engine.restart(ended);
    engine.autoRestart(first);
    engine.oom(checked);
    await web("10.0.0.1", "10.0.0.3");
    engine.stop(ended, { ignoresTerm: true });
    await web("10.0.0.1");

    engine.restart(plain);
    engine.stop(plain);
    engine.remove(first, { force: true });
    const last = start("10.0.0.5");
    await web("10.0.0.5");
    engine.stop(last);
    await web();

    agent.kill("SIGTERM");
    expect(await agent.exit()).toEqual({ code: 0, signal: null });
    expect(agent.log).toContainEqual(expect.objectContaining({ dockerApi: apiVersion }));
    const unread = agent.log.filter(
      ({ level, message }) => level !== "info" && message.includes("Docker"),
    );
    expect(unread).toEqual([]);
    const paths = engine.requests.map(({ path }) => path);
    expect(paths.filter((path) => /^\/v\d/.test(path) || path.includes(plain))).toEqual([]);
    // The removed one is no longer there to be looked at.
    const refused = engine.requests.filter(({ status }) => status !== 200);
    expect(refused.filter(({ path }) => path !== `/containers/${first}/json`)).toEqual([]);
  });

  it("gives the addresses of containers outside of ECS", async () => {
    await using lab = await simulatedLab({ apiVersion });
    const run = (networkMode: string, address: string) =>
      lab.engine.run({ labels: { [NAME_LABEL]: networkMode }, networkMode, address });
    const bridge = run("bridge", "172.17.0.2");
    run("own", "172.18.0.2");
    lab.agent("--addressSource=docker");
    const { name } = lab.zone;
    await lab.zone.until([`bridge.${name} 172.17.0.2`, `own.${name} 172.18.0.2`]);
    lab.engine.crash(bridge);
    await lab.zone.until([`own.${name} 172.18.0.2`]);
  });
});

it.each([
  "client version 1.24 is too old. Minimum supported API version is 1.44, please upgrade your client to a newer version",
  "client version 1.52 is too new. Maximum supported API version is 1.41",
])("an engine that says %p ends the agent at once, with the engine's words", async (message) => {
  await using lab = await simulatedLab();
  lab.engine.run({ labels: labelled("web"), address: "10.0.0.1" });
  lab.engine.fail({ path: /./, kind: { status: 400, message } });
  const agent = lab.agent();
  expect(await agent.exit()).toEqual({ code: 1, signal: null });
  expect(agent.log.at(-1)).toMatchObject({
    message: "ends: failed",
    exitCode: 1,
    cause: `Docker refused version with status 400: ${message}`,
  });
  expect(lab.engine.requests).toHaveLength(1);
  expect(lab.zone.changeRequests).toBe(0);
});
