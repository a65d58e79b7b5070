import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, test } from "@jest/globals";
import type { Container } from "dockerode";
import { TEST_IMAGE } from "../support/engine.ts";
import { type EngineLab, engineLab, NAME_LABEL, newTaskLabel, SERVE } from "../support/lab.ts";

const setIdentifiers = (lab: EngineLab, service: string) =>
  lab.route53
    .records(lab.zone.id)
    .filter(({ name }) => name === `${service}.${lab.zone.name}.`)
    .map(({ setIdentifier }) => setIdentifier);

describe("promise 1: one weighted record per task of a service", () => {
  it("makes two record sets of two tasks", async () => {
    await using lab = await engineLab();
    lab.agent();
    const first = await lab.service("web").start();
    await lab.service("web").start();
    await lab.follows();
    expect(new Set(setIdentifiers(lab, "web")).size).toBe(2);

    await first.stop();
    await lab.follows();
    expect(lab.zone.now()).toHaveLength(1);
  });

  it("makes one of two containers that share a task's network, present while either runs", async () => {
    await using lab = await engineLab();
    lab.agent();
    const labels = newTaskLabel();
    const pause = await lab.run({
      labels: { ...labels, "com.amazonaws.ecs.container-name": "~internal~ecs~pause" },
    });
    const networkMode = `container:${pause.id}`;
    const first = await lab.run({ label: "web", labels, networkMode });
    const second = await lab.run({ label: "web", labels, networkMode });
    await lab.follows();
    await lab.caughtUp();
    const [record = ""] = lab.zone.now().filter((one) => one.startsWith("web."));

    await first.stop();
    await lab.caughtUp();
    expect(lab.zone.now().filter((one) => one.startsWith("web."))).toEqual([record]);
    expect(lab.zone.landed.filter((one) => one.includes(" web."))).toEqual([`UPSERT ${record}`]);

    await second.stop();
    await lab.follows();
    expect(lab.zone.landed.at(-1)).toBe(`DELETE ${record}`);
  });
});

describe("a container's record goes with its process", () => {
  test.each<[string, (container: Container) => Promise<unknown>]>([
    ["docker stop", (container) => container.stop()],
    ["docker kill -9", (container) => container.kill({ signal: "SIGKILL" })],
    ["a crash", (container) => container.kill({ signal: "SIGUSR1" })],
    ["docker rm -f", (container) => container.remove({ force: true })],
  ])("at %s", async (_, end) => {
    await using lab = await engineLab();
    lab.agent();
    const container = await lab.run({ label: "web" });
    await lab.follows();
    expect(lab.zone.now()).toHaveLength(1);

    await end(container);
    await lab.zone.until([]);
  });
});

it("gives a restarted container its record again, for the same task", async () => {
  await using lab = await engineLab();
  lab.agent();
  const container = await lab.run({ label: "web" });
  await lab.follows();
  const before = setIdentifiers(lab, "web");

  await container.restart();
  await lab.caughtUp();
  await lab.follows();
  expect(setIdentifiers(lab, "web")).toEqual(before);
});

it("gives a container back its record when its restart policy brings it back", async () => {
  await using lab = await engineLab();
  lab.agent();
  const container = await lab.run({ label: "web", restartPolicy: { Name: "on-failure" } });
  await lab.follows();

  const starts = () =>
    lab.proxy.events.filter(({ id, action }) => id === container.id && action === "start").length;
  const before = starts();
  // From inside: after any signal sent through Docker, the policy no longer applies.
  const crash = await container.exec({ Cmd: ["sh", "-c", "kill -USR1 1"] });
  (await crash.start({ Detach: true })).destroy();
  await lab.proxy.untilEvent(() => starts() > before);
  await lab.caughtUp();
  await lab.follows();
  expect(setIdentifiers(lab, "web")).toHaveLength(1);
});

it("gives no record to a container that waits for its restart policy, until it runs again", async () => {
  await using lab = await engineLab();
  lab.agent();
  // Its address is the pause container's, as in a task of ECS: it does not go when the process dies.
  const pause = await lab.run({});
  const container = await lab.run({
    label: "web",
    networkMode: `container:${pause.id}`,
    command: ["sh", "-c", `[ -e /gate/open ] || exit 1; ${SERVE.at(-1)}`],
    binds: [`${lab.folder}:/gate`],
    restartPolicy: { Name: "on-failure" },
  });
  const waits = async () => {
    const { State, RestartCount } = await container.inspect();
    return State.Restarting ? RestartCount : undefined;
  };
  // Docker doubles the delay each time, so in the end one is long enough for a whole look.
  for (let seen = false; !seen; ) {
    const before = await waits();
    await lab.caughtUp();
    const records = setIdentifiers(lab, "web");
    seen = before !== undefined && (await waits()) === before;
    if (seen) expect(records).toEqual([]);
  }

  await writeFile(join(lab.folder, "open"), "");
  await lab.route53.until(lab.zone.id, () => setIdentifiers(lab, "web").length === 1);
  await lab.caughtUp();
  await lab.follows();
});

it("sends the changes of thirty containers that start at once in a few requests", async () => {
  await using lab = await engineLab({ latencyMs: 1_000 });
  const agent = lab.agent();
  await agent.until(({ message }) => message.startsWith("every container is looked at"));
  const held: string[] = [];
  lab.proxy.rewrite(({ line }) => {
    held.push(line);
    return [];
  });
  await Promise.all(
    Array.from({ length: 30 }, (_, index) => lab.run({ label: `web-${index % 3}` })),
  );
  await lab.proxy.untilEvent(() => held.length === 30);
  for (const line of held) lab.proxy.send(line);
  await lab.follows();
  expect(lab.zone.now()).toHaveLength(30);
  expect(lab.zone.changeRequests).toBeLessThan(15);
});

it("asks nothing about a container without the label", async () => {
  await using lab = await engineLab();
  lab.agent();
  await lab.caughtUp();
  const container = await lab.run({ labels: newTaskLabel() });
  await container.stop();
  await lab.caughtUp();
  expect(lab.proxy.requests.filter(({ path }) => path.includes(container.id))).toEqual([]);
});

it("promise 9: skips what is no service name with one warning each, and folds upper case", async () => {
  await using lab = await engineLab();
  const agent = lab.agent();
  const bad = ["", "my_web", "-x", "a..b", "a".repeat(64), "*"];
  const containers = await Promise.all(
    bad.map(async (label, index) => ({
      label,
      name: `bad-${index}`,
      container: await lab.run({ label, name: `bad-${index}` }),
    })),
  );
  await lab.run({ label: "Web" });
  await lab.caughtUp();

  const warnings = agent.log.filter(({ level }) => level === "warn");
  expect(warnings).toHaveLength(bad.length);
  for (const { label, name, container } of containers) {
    const own = warnings.find((line) => line["name"] === lab.named(name));
    expect(own).toMatchObject({
      container: container.id.slice(0, 12),
      reason: "bad-name",
      message: expect.stringContaining(`label ${NAME_LABEL}: expected `),
    });
    expect(own?.message).toContain(label === "" ? "an empty value" : JSON.stringify(label));
  }
  expect(lab.zone.now()).toEqual([
    expect.stringMatching(/^marker-1\./),
    expect.stringMatching(/^web\./),
  ]);
});

it("promises 2 and 7: leaves other people's records alone, and none of them holds up the rest", async () => {
  await using lab = await engineLab();
  const foreign = [
    { name: "api.example.internal.", type: "A", ttlSeconds: 60, values: ["192.0.2.1"] },
    { name: "www.example.internal.", type: "CNAME", ttlSeconds: 60, values: ["other.example."] },
    {
      name: "web.example.internal.",
      type: "A",
      ttlSeconds: 10,
      values: ["192.0.2.2"],
      weight: 1,
      setIdentifier: `ecs-discovery-1/${"f".repeat(32)}/${"e".repeat(32)}`,
    },
  ];
  lab.route53.seed(lab.zone.id, foreign);
  const agent = lab.agent();
  const services = ["api", "www", "web", "db"];
  const containers = await Promise.all(services.map((label) => lab.run({ label })));

  const refusals = (record: string) =>
    agent.log.filter(
      (line) =>
        line.message.startsWith("Route 53 refuses the record") &&
        line["record"] === `${record}.${lab.zone.name}`,
    );
  for (const name of ["api", "www"]) await agent.until(() => refusals(name).length > 0);
  await lab.caughtUp();
  const landed = (await lab.expected()).filter((one) => !/^(api|www)\./.test(one));
  await lab.zone.until([...landed, "web.example.internal 192.0.2.2"]);

  for (const container of containers) await container.stop();
  await lab.caughtUp();
  await lab.zone.until([...(await lab.expected()), "web.example.internal 192.0.2.2"]);
  expect(lab.route53.records(lab.zone.id)).toEqual(
    expect.arrayContaining(foreign.map((record) => expect.objectContaining(record))),
  );
  expect(refusals("api")).toHaveLength(1);
  expect(refusals("www")).toHaveLength(1);
});

it("reads a label that comes from the image", async () => {
  await using lab = await engineLab();
  lab.agent();
  const tag = { repo: lab.named("image"), tag: "1" };
  const source = await lab.docker.createContainer({
    Image: TEST_IMAGE,
    Cmd: SERVE,
    Labels: { "eda-test": lab.id },
  });
  await source.commit({ ...tag, changes: `LABEL ${NAME_LABEL}=from-image` });
  try {
    const container = await lab.run({ image: `${tag.repo}:${tag.tag}` });
    await lab.follows();
    expect(setIdentifiers(lab, "from-image")).toHaveLength(1);
    await container.remove({ force: true });
    await lab.zone.until([]);
  } finally {
    await lab.docker.getImage(`${tag.repo}:${tag.tag}`).remove({ force: true });
  }
});
