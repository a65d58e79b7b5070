import { randomBytes } from "node:crypto";
import { describe, expect, it } from "@jest/globals";
import { ecsAgent } from "../../lib/standins/ecs/introspection.ts";
import { containerInstanceArn, tasksOf } from "../../lib/standins/ecs/tasks.ts";
import { NAME_LABEL, newTaskLabel, type SimulatedLab, simulatedLab } from "../support/lab.ts";

const WEB = "web.example.internal 10.0.0.1";
const newInstance = () => randomBytes(16).toString("hex");

const serve = (lab: SimulatedLab, label: string, address: string) =>
  lab.engine.run({ labels: { [NAME_LABEL]: label, ...newTaskLabel() }, address });

/** How many record sets of the zone are this container instance's. */
const recordsOf = ({ route53, zone }: SimulatedLab, instance: string): number =>
  route53.records(zone.id).filter(({ setIdentifier = "" }) => setIdentifier.includes(instance))
    .length;

/** Another ECS agent of the same machine, with a container instance of its own. */
async function neighbour(lab: SimulatedLab) {
  const instance = newInstance();
  const ecs = await ecsAgent({
    containerInstanceArn: containerInstanceArn({ id: instance }),
    tasks: () => tasksOf(lab.engine.containers()),
  });
  return {
    instance,
    agent: () => lab.agent(`--introspectionUrl=${ecs.url}`),
    [Symbol.asyncDispose]: () => ecs.close(),
  };
}

describe("two container instances of one machine that share a --stateDir", () => {
  it("leave each other's records alone while both agents live, whichever of them starts again", async () => {
    await using lab = await simulatedLab();
    await using other = await neighbour(lab);
    serve(lab, "web", "10.0.0.1");
    const first = lab.agent();
    await lab.zone.until([WEB]);
    const second = other.agent();
    await second.until(({ message }) => message.includes("shares --stateDir"));
    await lab.zone.until([WEB, WEB]);
    second.kill("SIGKILL");
    await second.exit();
    const again = other.agent();
    await again.until(({ message }) => message.includes("shares --stateDir"));
    expect(lab.zone.now()).toEqual([WEB, WEB]);
    expect(recordsOf(lab, other.instance)).toBe(1);
    expect(lab.zone.landed).toEqual([`UPSERT ${WEB}`, `UPSERT ${WEB}`]);
    // Nor does one believe that its journal was taken from it.
    for (const agent of [first, again]) {
      agent.kill("SIGTERM");
      expect(await agent.exit()).toEqual({ code: 0, signal: null });
      expect(agent.log.filter(({ level }) => level === "error")).toEqual([]);
    }
    const third = lab.agent();
    await third.until(({ message }) => message.includes("from the journal"));
  });
});

describe("a host that its ECS agent registers under another container instance", () => {
  it.each<"exits" | "is killed">(["exits", "is killed"])(
    "ends, or is killed before it notices, and the next start removes exactly its former self's records (%s)",
    async (how) => {
      await using lab = await simulatedLab();
      const kept = serve(lab, "web", "10.0.0.1");
      const ends = serve(lab, "web", "10.0.0.2");
      // What an agent of a third host has published, and what none has.
      const foreign = {
        name: `web.${lab.zone.name}.`,
        type: "A",
        setIdentifier: `ecs-discovery-1/${newInstance()}/${newInstance()}`,
        weight: 1,
        ttlSeconds: 10,
        values: ["10.0.0.9"],
      } as const;
      const byHand = { ...foreign, setIdentifier: "by hand", values: ["10.0.0.8"] } as const;
      lab.route53.seed(lab.zone.id, [foreign, byHand]);
      const others = ["web.example.internal 10.0.0.8", "web.example.internal 10.0.0.9"];
      const agent = lab.agent("--resync=1");
      await lab.zone.until([WEB, "web.example.internal 10.0.0.2", ...others]);

      const now = newInstance();
      if (how === "is killed") {
        agent.kill("SIGKILL");
        await agent.exit();
        lab.ecs.register(containerInstanceArn({ id: now }));
      } else {
        lab.ecs.register(containerInstanceArn({ id: now }));
        expect(await agent.exit()).toEqual({ code: 1, signal: null });
        expect(agent.log.at(-1)).toMatchObject({
          cause: expect.stringContaining(`registered as container instance ${now} now`),
        });
      }
      lab.engine.kill(ends);
      const next = lab.agent("--resync=0");
      await lab.zone.until([WEB, ...others]);
      expect(recordsOf(lab, now)).toBe(1);
      expect(lab.zone.landed.filter((one) => one.startsWith("DELETE")).toSorted()).toEqual([
        `DELETE ${WEB}`,
        "DELETE web.example.internal 10.0.0.2",
      ]);
      await next.until(({ message }) => message.includes("was another container instance before"));

      // And it goes on as the one that it is now.
      lab.engine.kill(kept);
      await lab.zone.until(others);
      next.kill("SIGTERM");
      expect(await next.exit()).toEqual({ code: 0, signal: null });
      expect(lab.route53.requests.filter(({ result }) => result !== "ok")).toEqual([]);
    },
  );
});
