import { describe, expect, it } from "@jest/globals";
import { type EngineLab, engineLab } from "../support/lab.ts";

/** Containers that stay, go, come back, and one that is over at once. */
async function comeAndGo(lab: EngineLab): Promise<void> {
  const [goes, restarts] = await Promise.all([
    lab.run({ label: "goes" }),
    lab.run({ label: "restarts" }),
    lab.run({ label: "stays" }),
  ]);
  await goes.kill();
  await restarts.restart();
  const short = await lab.run({ label: "short", command: ["sh", "-c", "exit 0"] });
  await short.wait();
}

const untilFollowing = async (lab: EngineLab) =>
  lab.agent().until(({ message }) => message.startsWith("every container is looked at"));

describe("an event is only a reason to look", () => {
  it("so doubled events change nothing", async () => {
    await using lab = await engineLab();
    lab.proxy.rewrite(({ line }) => [line, line]);
    await untilFollowing(lab);
    await comeAndGo(lab);
    await lab.caughtUp();
    await lab.follows();
  });

  it("so an end that comes before its start leaves no record behind", async () => {
    await using lab = await engineLab();
    const held = new Map<string, string>();
    lab.proxy.rewrite(({ action, id, line }) => {
      if (action === "start") {
        held.set(id, line);
        return [];
      }
      const start = held.get(id);
      held.delete(id);
      return [line, ...(start === undefined ? [] : [start])];
    });
    await untilFollowing(lab);
    await comeAndGo(lab);
    // Once its start has come by, so has everything before it.
    const last = await lab.run({ label: "last" });
    await lab.proxy.untilEvent(({ id }) => id === last.id);
    lab.proxy.rewrite(({ line }) => [line]);
    for (const line of held.values()) lab.proxy.send(line);
    await lab.caughtUp();
    await lab.follows();
  });

  it("and an unreadable one is a reason to look at all, which makes up for lost ones", async () => {
    await using lab = await engineLab();
    const agent = lab.agent();
    const dies = await lab.run({ label: "dies" });
    await lab.follows();
    lab.proxy.rewrite(() => []);
    await comeAndGo(lab);
    await dies.remove({ force: true });
    await lab.proxy.untilEvent(({ id, action }) => id === dies.id && action === "die");
    expect(lab.zone.now()).toHaveLength(1);

    lab.proxy.send("no JSON at all");
    await lab.follows();
    const warnings = agent.log.filter(({ level }) => level === "warn");
    expect(warnings.map(({ message }) => message)).toEqual([
      "Docker's event stream holds a line that is not JSON; looks at every container",
    ]);
    expect(agent.ended).toBe(false);
  });
});

it.each([
  ["reset", "Docker cut its event stream"],
  ["end", "Docker ended its event stream"],
] as const)(
  "promise 7: when the event stream ends (%s) the change in flight lands, and the exit code is 1",
  async (how, cause) => {
    await using lab = await engineLab({ latencyMs: 300 });
    lab.route53.onRequest(({ operation }, phase) => {
      if (operation === "ChangeResourceRecordSets" && phase === "arrived") lab.proxy.cut(how);
    });
    await lab.run({ label: "web" });
    const agent = lab.agent();
    expect(await agent.exit()).toEqual({ code: 1, signal: null });
    expect(lab.zone.now()).toEqual(await lab.expected());
    expect(lab.zone.now()).toHaveLength(1);
    expect(lab.zone.changeRequests).toBe(1);
    expect(agent.log).toContainEqual(expect.objectContaining({ message: "registered" }));
    expect(agent.log.at(-1)).toMatchObject({
      message: "ends: failed",
      exitCode: 1,
      cause: expect.stringContaining(cause),
    });
  },
);
