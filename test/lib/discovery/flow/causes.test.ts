import { expect, it } from "@jest/globals";
import type { Desired } from "../../../../lib/discovery/desired.ts";
import { changeCauses } from "../../../../lib/discovery/flow/causes.ts";
import type { Life } from "../../../../lib/docker/life.ts";
import { container, containerId, record, upsert } from "../../../support/build.ts";
import { fakeClock } from "../../../support/fake-clock.ts";

const serves = (n: number): Desired => ({
  kind: "serve",
  records: [record(n)],
  source: "ecs",
  well: true,
  problems: [],
});
const absent: Desired = { kind: "absent", reason: "stopping", detail: "" };
const unsure: Desired = {
  kind: "unsure",
  reason: "address-pending",
  detail: "",
  names: [],
  keeps: [],
};

function bench() {
  const clock = fakeClock();
  const all = changeCauses({ clock });
  return {
    ...all,
    clock,
    see: (n: number, desired: Desired | undefined, life?: Life) =>
      all.seen(containerId(n), {
        container: container(n),
        ...(desired && { desired }),
        ...(life && { life }),
      }),
    cause: (n: number) => all.of(upsert(record(n))),
  };
}

it("a change's cause is the container that came to ask for it, since its event", async () => {
  const { clock, heard, see, cause } = bench();
  heard(containerId(1));
  await clock.advance(2_000);
  see(1, undefined);
  see(1, unsure, "healthy");
  await clock.advance(1_000);
  // Another event of a look that is not settled does not make it younger.
  heard(containerId(1));
  see(1, serves(1), "healthy");
  await clock.advance(500);
  expect(cause(1)).toEqual({
    container: containerId(1),
    name: "web-1",
    reason: "healthy",
    seconds: 3.5,
  });
  expect(cause(2)).toBeUndefined();
});

it("or that asks for it no longer", async () => {
  const { clock, heard, see, cause, done } = bench();
  see(1, serves(1), "healthy");
  done([upsert(record(1))]);
  expect(cause(1)).toBeUndefined();
  await clock.advance(10_000);
  heard(containerId(1));
  await clock.advance(100);
  see(1, absent, "stopping");
  expect(cause(1)).toMatchObject({ reason: "stopping", seconds: 0.1 });
});

it("looks that find what was found before are the cause of nothing", async () => {
  const { clock, see, cause, done } = bench();
  see(1, serves(1), "healthy");
  done([upsert(record(1))]);
  await clock.advance(1_000);
  see(1, serves(1), "healthy");
  expect(cause(1)).toBeUndefined();
  see(1, serves(1), "unhealthy");
  expect(cause(1)).toMatchObject({ reason: "unhealthy", seconds: 0 });
});

it("without an event it counts from the look", async () => {
  const { clock, see, cause } = bench();
  see(1, serves(1), "healthy");
  await clock.advance(250);
  expect(cause(1)?.seconds).toBe(0.25);
});
