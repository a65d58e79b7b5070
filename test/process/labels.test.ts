import { describe, expect, it } from "@jest/globals";
import type { Container } from "dockerode";
import type { AgentProcess, LogLine } from "../support/agent-process.ts";
import { type EngineLab, engineLab, NAME_LABEL } from "../support/lab.ts";

const WEIGHT_LABEL = "discovery.service.weight";
const TTL_LABEL = "discovery.service.ttl";
const STUBBORN = ["sleep", "3600"];

/** The record sets of a service, as `name weight ttl`. */
const contents = (lab: EngineLab, ...services: readonly string[]): readonly string[] =>
  lab.route53
    .records(lab.zone.id)
    .filter(({ name }) => services.some((service) => name === `${service}.${lab.zone.name}.`))
    .map(({ name, weight, ttlSeconds }) => `${name.split(".")[0]} ${weight} ${ttlSeconds}`);

/** All but the markers', by which the lab knows that the agent has caught up. */
const names = (lab: EngineLab): readonly string[] =>
  lab.zone
    .now()
    .map((one) => one.replace(/\..*/, ""))
    .filter((name) => !name.startsWith("marker-"));

const warningsOf = ({ log }: AgentProcess): readonly LogLine[] =>
  log.filter(({ level }) => level === "warn");

const warningOf = ({ id }: Container, reason: string, message: string) =>
  expect.objectContaining({
    container: id.slice(0, 12),
    reason,
    message: expect.stringContaining(message),
  });

describe("the name label", () => {
  it("holds several names with commas between them, spaces left out of account", async () => {
    await using lab = await engineLab();
    const agent = lab.agent();
    const container = await lab.run({ label: "web, v2.api ,  Shop,web" });
    await lab.caughtUp();
    expect(names(lab)).toEqual(["shop", "v2", "web"]);
    const addresses = lab.zone
      .now()
      .filter((one) => !one.startsWith("marker-"))
      .map((one) => one.split(" ")[1]);
    expect(new Set(addresses).size).toBe(1);
    expect(warningsOf(agent)).toEqual([]);

    await container.kill();
    await lab.caughtUp();
    expect(names(lab)).toEqual([]);
  });

  it("of several names loses only the bad ones, with one warning", async () => {
    await using lab = await engineLab();
    const agent = lab.agent();
    const container = await lab.run({ label: "web,my_api,db", command: STUBBORN });
    await lab.caughtUp();
    // Another look is no reason for another warning.
    await container.kill({ signal: "SIGHUP" });
    await lab.caughtUp();
    expect(names(lab)).toEqual(["db", "web"]);
    const expected = `label ${NAME_LABEL}: expected letters, digits, hyphens and dots only, got "my_api"`;
    expect(warningsOf(agent)).toEqual([warningOf(container, "bad-name", expected)]);
  });

  it("with nothing but bad names makes one warning that tells each of them", async () => {
    await using lab = await engineLab();
    const agent = lab.agent();
    const container = await lab.run({ label: "my_api,,-x" });
    await lab.caughtUp();
    expect(names(lab)).toEqual([]);
    expect(warningsOf(agent)).toEqual([warningOf(container, "bad-name", 'got "my_api"; ')]);
    expect(warningsOf(agent)[0]?.message).toContain("got an empty value; ");
    expect(warningsOf(agent)[0]?.message).toContain('got "-x"');
  });

  it("claims only what --allowedNames allows: the warning of any other names the flag", async () => {
    await using lab = await engineLab();
    const agent = lab.agent("--allowedNames=web,api-*");
    const [, , refused, partly] = await Promise.all([
      lab.run({ label: "WEB" }),
      lab.run({ label: "api-2" }),
      lab.run({ label: "webs" }),
      lab.run({ label: "api-3,db" }),
    ]);
    await agent.until(() => warningsOf(agent).length >= 2);
    await lab.route53.until(lab.zone.id, () => names(lab).length >= 3);
    expect(names(lab)).toEqual(["api-2", "api-3", "web"]);
    const expected = "expected a name that --allowedNames allows (web,api-*), got";
    expect(warningsOf(agent)).toHaveLength(2);
    expect(warningsOf(agent)).toEqual(
      expect.arrayContaining([
        warningOf(refused, "bad-name", `${expected} "webs"`),
        warningOf(partly, "bad-name", `${expected} "db"`),
      ]),
    );
  });
});

describe("the labels for weight and TTL", () => {
  it("beat the flags, each for its own container", async () => {
    await using lab = await engineLab();
    lab.agent("--weight=7", "--ttl=20");
    await lab.run({ label: "plain" });
    await lab.run({ label: "both", labels: { [WEIGHT_LABEL]: "200", [TTL_LABEL]: "30" } });
    await lab.run({ label: "weight", labels: { [WEIGHT_LABEL]: "0" } });
    await lab.run({ label: "ttl", labels: { [TTL_LABEL]: "0" } });
    await lab.caughtUp();
    expect(contents(lab, "plain", "both", "weight", "ttl").toSorted()).toEqual([
      "both 200 30",
      "plain 7 20",
      "ttl 7 0",
      "weight 0 20",
    ]);
  });

  it("that ask for several TTLs under one name get the least, as one name has one", async () => {
    await using lab = await engineLab();
    const agent = lab.agent();
    await lab.run({ label: "web", labels: { [TTL_LABEL]: "60" } });
    const least = await lab.run({ label: "web", labels: { [TTL_LABEL]: "5" } });
    await lab.caughtUp();
    expect(contents(lab, "web")).toEqual(["web 1 5", "web 1 5"]);
    await least.kill();
    await lab.caughtUp();
    expect(contents(lab, "web")).toEqual(["web 1 60"]);
    expect(warningsOf(agent)).toEqual([]);
  });

  it.each([
    [WEIGHT_LABEL, "256", 255],
    [WEIGHT_LABEL, "-1", 255],
    [WEIGHT_LABEL, "1.5", 255],
    [WEIGHT_LABEL, "", 255],
    [TTL_LABEL, "10s", 2_147_483_647],
    [TTL_LABEL, "2147483648", 2_147_483_647],
  ])("when bad (%s: %j) leave the container out, with one warning", async (label, text, max) => {
    await using lab = await engineLab();
    const agent = lab.agent();
    const container = await lab.run({
      label: "web",
      labels: { [label]: text },
      command: STUBBORN,
    });
    await agent.until(() => warningsOf(agent).length > 0);
    await container.kill({ signal: "SIGHUP" });
    await lab.caughtUp();
    expect(names(lab)).toEqual([]);
    const got = JSON.stringify(text);
    const expected = `label ${label}: expected a whole number from 0 to ${max}, got ${got}`;
    expect(warningsOf(agent)).toEqual([warningOf(container, "bad-label", expected)]);
  });
});
