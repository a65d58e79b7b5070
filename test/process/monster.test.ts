import { readFileSync } from "node:fs";
import { expect, it } from "@jest/globals";
import { MAIN } from "../support/agent-process.ts";
import { NAME_LABEL, newTaskLabel, type SimulatedLab, simulatedLab } from "../support/lab.ts";

/** Those of the image that bound memory: see the Dockerfile's ENTRYPOINT. */
const IMAGE_FLAGS = ["--max-semi-space-size=1", "--max-old-space-size=64"];
const MEBIBYTE = 1_048_576;

const serve = (lab: SimulatedLab, label: string, address: string, labels = {}) =>
  lab.engine.run({ labels: { [NAME_LABEL]: label, ...newTaskLabel(), ...labels }, address });

const residentMb = (pid: number): number =>
  Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;

it("no label, however long, costs another container its record, under the image's memory flags", async () => {
  await using lab = await simulatedLab();
  serve(lab, "first", "10.0.0.1");
  const names = Array.from({ length: 60_000 }, (_, n) => `a${n}`).join(",");
  serve(lab, names, "10.0.1.1");
  // 42 MiB of labels in every list.
  for (let n = 0; n < 5; n += 1) {
    serve(lab, "long", `10.0.2.${n}`, { long: "x".repeat(8.4 * MEBIBYTE) });
  }
  const monster = serve(lab, "monster", "10.0.3.1", { long: "x".repeat(2 * MEBIBYTE) });
  const agent = lab.agentBy([process.execPath, ...IMAGE_FLAGS, MAIN], ["--resync=0"]);
  const before = ["first.example.internal 10.0.0.1", "monster.example.internal 10.0.3.1"];
  await lab.zone.until(before);
  const skipped = (text: string) =>
    agent.until(({ message, reason }) => reason === "bad-label" && message.includes(text));
  await skipped("expected at most 16384 characters");
  await skipped("more than 8 MiB");

  const asked = lab.engine.requests.length;
  for (let n = 0; n < 20; n += 1) lab.engine.restart(monster);
  serve(lab, "last", "10.0.0.2");
  await lab.zone.until([...before, "last.example.internal 10.0.0.2"]);
  const since = lab.engine.requests.slice(asked).map(({ path }) => path);
  // Its long lines tell who it is: no look at every container.
  expect(since.filter((path) => path.startsWith("/containers/json"))).toEqual([]);
  expect(since.length).toBeLessThan(100);
  expect(residentMb(agent.pid)).toBeLessThan(256);
  agent.kill("SIGTERM");
  expect(await agent.exit()).toEqual({ code: 0, signal: null });
});
