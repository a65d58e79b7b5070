import { describe, expect, it } from "@jest/globals";
import type Docker from "dockerode";
import { type EngineLab, engineLab, newTaskLabel } from "../support/lab.ts";
import { type OwnEngine, ownEngine } from "../support/own-engine.ts";
import { supervised } from "../support/supervised.ts";

const ENDS = [
  ["stopped", "SIGTERM"],
  ["killed", "SIGKILL"],
] as const;

const service = (lab: EngineLab, label: string, restartPolicy?: { readonly Name: string }) =>
  lab.run({ label, labels: newTaskLabel(), ...(restartPolicy && { restartPolicy }) });

/** Every change of a service's records that has landed so far. */
const changesOf = (lab: EngineLab, label: string) =>
  lab.zone.landed.filter((one) => one.includes(` ${label}.`));

const killBehindItsBack = async (engine: OwnEngine, container: Docker.Container) => {
  const { State } = await container.inspect();
  return () => engine.killProcess(State.Pid);
};

describe("with live-restore", () => {
  it.each(ENDS)(
    "while dockerd is %s, records stay, however often the agent is restarted; after that what lives is untouched and what died is gone",
    async (_, signal) => {
      await using engine = await ownEngine({ liveRestore: true });
      await using lab = await engineLab({ engineSocket: engine.socketPath });
      using agents = supervised(() => lab.agent("--patience=1"));
      const [, , dies] = await Promise.all(["a", "b", "dies"].map((one) => service(lab, one)));
      if (dies === undefined) throw new Error("expected three containers");
      await lab.follows();
      const before = lab.zone.now();
      expect(before).toHaveLength(3);
      const kill = await killBehindItsBack(engine, dies);

      await engine.end(signal);
      // The stream's cut, and then twice a patience without an engine.
      await agents.untilExits(3);
      expect(agents.exits.map(({ code }) => code)).toEqual([1, 1, 1]);
      await kill();
      expect(lab.zone.now()).toEqual(before);
      expect(lab.zone.landed).toHaveLength(3);

      await engine.start();
      await lab.caughtUp();
      await lab.follows();
      expect(changesOf(lab, "a")).toHaveLength(1);
      expect(changesOf(lab, "b")).toHaveLength(1);
      expect(changesOf(lab, "dies")).toHaveLength(2);
      expect(lab.zone.now()).toHaveLength(3);
    },
  );
});

describe("without live-restore", () => {
  it.each(ENDS)(
    "when dockerd is %s, the records of what it took with it go, and come back with its containers",
    async (_, signal) => {
      await using engine = await ownEngine({ liveRestore: false });
      await using lab = await engineLab({ engineSocket: engine.socketPath });
      using agents = supervised(() => lab.agent());
      await Promise.all([service(lab, "dies"), service(lab, "restarts", { Name: "always" })]);
      await lab.follows();
      expect(lab.zone.now()).toHaveLength(2);

      await engine.end(signal);
      await agents.untilExits(1);
      expect(agents.exits).toEqual([{ code: 1, signal: null }]);
      await engine.start();
      await lab.caughtUp();
      await lab.follows();
      expect(lab.zone.now().map((one) => one.split(".")[0])).toEqual(["marker-1", "restarts"]);
      expect(agents.exits).toHaveLength(1);
    },
  );
});
