import { expect, it } from "@jest/globals";
import fc from "fast-check";
import {
  balancerWorld,
  type Fault,
  GROUP,
  hostTask,
  Killed,
} from "../../support/balancer-world.ts";
import { INSTANCE, web } from "../../support/elb.ts";

const SERVICES = [
  { serviceName: "a", family: "a", exposedContainerName: "app", loadBalancerName: "web" },
  {
    serviceName: "t",
    family: "t",
    exposedContainerName: "app",
    mode: "targets",
    targetGroupArn: GROUP,
  },
];
/** A run is several processes: two hundred times the work of a rule's. */
const RUNS = Math.max(60, Math.floor(Number(process.env["FUZZ_RUNS"] ?? 0) / 200));
const LIMIT_MS = 600_000;
const THEIRS = { id: INSTANCE, port: 9_000 };

/** One deploy of both services, and what goes wrong with each request meanwhile, in their order. */
const deploy = fc.record({
  keepsOld: fc.boolean(),
  cycles: fc.integer({ min: 1, max: 4 }),
  faults: fc.array(
    fc.oneof(
      { weight: 4, arbitrary: fc.constant<Fault>("none") },
      fc.constantFrom<Fault>("lost", "landed", "refused", "killed before", "killed after"),
    ),
    { maxLength: 30 },
  ),
});

async function worldOf() {
  const world = await balancerWorld({
    services: SERVICES,
    balancers: [web({ healthCheck: { target: "HTTP:32768/health" } }), web({ name: "other" })],
    groups: [{ arn: GROUP, port: 80, delaySeconds: 0, targets: [THEIRS] }],
  });
  world.outside.tasks = [hostTask("a", 32_768), hostTask("t", 50_000)];
  return world;
}

it(
  "whatever goes wrong with any request or with the disk, and wherever it is killed, in the end all is as wanted, and nothing else was touched",
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(deploy, { minLength: 1, maxLength: 4 }), async (deploys) => {
        const world = await worldOf();
        const other = world.elb.plain("other");
        let port = 40_000;
        for (const { keepsOld, cycles, faults } of deploys) {
          port += 10;
          const old = keepsOld ? world.outside.tasks : [];
          world.outside.tasks = [...old, hostTask("a", port), hostTask("t", 10_000 + port)];
          const left = [...faults];
          world.faults(() => left.shift() ?? "none");
          for (let times = 0; times < cycles; times += 1) {
            const isKilled = await world.cycle().then(
              () => false,
              (error: unknown) => error instanceof Killed || Promise.reject(error),
            );
            if (!isKilled) continue;
            world.faults(() => "none");
            await world.restart();
            world.faults(() => left.shift() ?? "none");
          }
        }
        world.faults(() => "none");
        world.outside.tasks = [hostTask("a", port), hostTask("t", 10_000 + port)];
        // Whatever was refused rests for ten minutes at the most.
        await world.clock.pass(world.clock.now() + 601_000);
        for (let times = 0; times < 8; times += 1) await world.cycle();
        const { listeners, backEnds, check, instances } = world.elb.plain("web");
        expect(listeners).toMatchObject([{ lbPort: 80, instancePort: port, policies: ["stick"] }]);
        expect(backEnds[port]).toEqual(["proxy"]);
        expect(check.target).toBe(`HTTP:${port}/health`);
        expect(instances).toEqual([INSTANCE]);
        expect(world.elb.plain("other")).toEqual(other);
        const targets = world.targets(GROUP).filter((one) => !one.endsWith(" draining"));
        expect(targets).toEqual([`${INSTANCE}:9000`, `${INSTANCE}:${10_000 + port}`]);
        expect(world.outside.disk).toContain('"begun":[]');
      }),
      { numRuns: RUNS },
    );
  },
  LIMIT_MS,
);

/** Of requests and writings, each with a moment before and one after it, the end at this moment. */
function killAt(at: number) {
  let seen = 0;
  let isKilled = false;
  return {
    wasKilled: () => isKilled,
    next(): Fault {
      if (isKilled) return "killed before";
      const isNow = seen === Math.floor(at / 2);
      seen += 1;
      if (!isNow) return "none";
      isKilled = true;
      return at % 2 === 0 ? "killed before" : "killed after";
    },
  };
}

it("killed before or after each request of a deploy in turn: the next start brings everything to its end", async () => {
  let kills = 0;
  for (let at = 0; ; at += 1) {
    const world = await worldOf();
    await world.cycle();
    world.outside.tasks.push(hostTask("a", 40_000), hostTask("t", 60_000));
    const kill = killAt(at);
    world.faults(kill.next);
    await world.cycle().catch((error: unknown) => {
      if (!(error instanceof Killed)) throw error;
    });
    if (!kill.wasKilled()) break;
    kills += 1;
    world.faults(() => "none");
    await world.restart();
    for (let times = 0; times < 3; times += 1) await world.cycle();
    expect({ at, ...world.elb.plain("web") }).toMatchObject({
      at,
      listeners: [{ instancePort: 40_000, policies: ["stick"] }],
      backEnds: { 40000: ["proxy"] },
      check: { target: "HTTP:40000/health" },
    });
    expect(world.targets(GROUP)).toContain(`${INSTANCE}:60000`);
  }
  expect(kills).toBeGreaterThan(25);
});
