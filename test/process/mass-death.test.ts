import { expect, it } from "@jest/globals";
import { NAME_LABEL, newTaskLabel, simulatedLab } from "../support/lab.ts";

const COUNT = 200;

it("200 containers that are killed at once are out of the zone without a question about any of them", async () => {
  await using lab = await simulatedLab();
  const all = Array.from({ length: COUNT }, (_, n) => ({
    name: `service-${n % 10}`,
    address: `10.0.${n >> 8}.${n & 255}`,
  }));
  const ids = all.map(({ name, address }) =>
    lab.engine.run({ labels: { [NAME_LABEL]: name, ...newTaskLabel() }, address }),
  );
  lab.agent();
  await lab.zone.until(all.map(({ name, address }) => `${name}.example.internal ${address}`));

  const before = { asked: lab.engine.requests.length, changes: lab.zone.changeRequests };
  // As Docker does it: no answer about a container before it is taken down. Here, that is never.
  lab.engine.fail({ path: /^\/containers\/[0-9a-f]+\/json/, kind: "hang" });
  for (const id of ids) lab.engine.kill(id);
  await lab.zone.until([]);
  const asked = lab.engine.requests.slice(before.asked).map(({ path }) => path);
  // A look that began between the signal and the end is given up; there are as many as workers at the most.
  expect(asked.length).toBeLessThanOrEqual(5);
  // The first lone one, and the rest in one or two full requests.
  expect(lab.zone.changeRequests - before.changes).toBeLessThanOrEqual(6);
});
