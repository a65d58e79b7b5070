import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { type CloudStandIn, cloudStandIn } from "../../../lib/standins/cloud/server.ts";
import { type Ran, runCluster } from "../../support/cluster-lab.ts";
import { fakeClock } from "../../support/fake-clock.ts";
import { loopbackAws } from "../../support/loopback-aws.ts";

const EXAMPLE = fileURLToPath(new URL("../../../deploy/cluster/example/", import.meta.url));
const READS = /^(?:Describe|List|Get)/;

loopbackAws();
let cloud: CloudStandIn;
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "killed-"));
  await cp(EXAMPLE, folder, { recursive: true });
  // Its account may hold many prefixes side by side.
  await writeFile(
    join(folder, "ecs-cluster.params"),
    "VpcId=vpc-1\nSubnetA=subnet-a\nSubnetB=subnet-b\nSubnetC=subnet-c\n",
  );
  cloud = await cloudStandIn();
});
afterEach(async () => {
  await cloud.close();
  await rm(folder, { recursive: true, force: true });
});

interface Kill {
  readonly call: number;
  readonly landed: boolean;
}
const run = (prefix: string, words: readonly string[], killAt?: Kill): Promise<Ran> =>
  runCluster(cloud, { folder, words, prefix, clock: fakeClock(), ...(killAt && { killAt }) });

/** What the account has of a prefix, which stands there as `-`. */
const account = (prefix: string) => ({
  stacks: ["ecs-storage", "ecs-cluster"].map((base) =>
    cloud.cloudFormation.statusOf(`${prefix}-${base}`),
  ),
  revisions: cloud.ecs.revisions
    .filter(({ status, family }) => status === "ACTIVE" && family.startsWith(`${prefix}-`))
    .map(({ family, revision }) => `${family.slice(prefix.length)}:${revision}`),
  services: [...cloud.ecs.services.values()]
    .filter(({ cluster }) => cluster === `${prefix}-cluster`)
    .map(({ name, desired, taskDefinition, status }) => ({
      ...{ name, desired, status },
      runs: taskDefinition.replace(/^.*\//, "").slice(prefix.length),
    })),
});

const DONE = {
  stacks: ["CREATE_COMPLETE", "CREATE_COMPLETE"],
  revisions: ["-jenkins:1", "-webserver:1"],
  services: [
    { name: "jenkins", desired: 1, status: "ACTIVE", runs: "-jenkins:1" },
    { name: "webserver", desired: 2, status: "ACTIVE", runs: "-webserver:1" },
  ],
};

describe("an apply that is killed", () => {
  it("at any of its requests, landed or not, is finished by the next, and nothing is there twice", async () => {
    const whole = await run("whole", ["apply"]);
    expect([whole.code, whole.why]).toEqual([0, ""]);
    expect(account("whole")).toEqual(DONE);
    expect(whole.calls).toBeGreaterThan(20);
    for (let call = 1; call <= whole.calls; call += 1) {
      for (const landed of [false, true]) {
        const prefix = `k${call}${landed ? "y" : "n"}`;
        const killed = await run(prefix, ["apply"], { call, landed });
        expect([prefix, killed.code]).toEqual([prefix, "killed"]);
        const next = await run(prefix, ["apply"]);
        expect([prefix, next.code, next.why]).toEqual([prefix, 0, ""]);
        expect(account(prefix)).toEqual(DONE);
      }
    }
    const before = cloud.requests.length;
    expect((await run("k9y", ["apply"])).code).toBe(0);
    expect(cloud.requests.slice(before).filter((one) => !READS.test(one))).toEqual([]);
  }, 180_000);

  it("while it changes a service is finished by the next, with one revision more and no other", async () => {
    expect((await run("p", ["apply"])).code).toBe(0);
    const text = (memory: number) =>
      `{"containerDefinitions":[{"name":"webserver","image":"nginx","memory":${memory}}]}`;
    let revision = 1;
    for (let call = 1, wasKilled = true; wasKilled; call += 1) {
      for (const landed of [false, true]) {
        revision += 1;
        await writeFile(join(folder, "webserver.taskdef"), text(4 + revision));
        wasKilled = (await run("p", ["apply"], { call, landed })).code === "killed";
        const next = await run("p", ["apply"]);
        expect([call, next.code, next.why]).toEqual([call, 0, ""]);
        expect(account("p").services[1]).toMatchObject({ runs: `-webserver:${revision}` });
      }
    }
    expect(revision).toBeGreaterThan(10);
  });
});

describe("a destroy that is killed", () => {
  it("at any of its requests is finished by the next", async () => {
    const words = ["destroy", "--confirm", "--deleteData"];
    let call = 1;
    for (let wasKilled = true; wasKilled; call += 1) {
      const prefix = `d${call}`;
      expect((await run(prefix, ["apply"])).code).toBe(0);
      wasKilled = (await run(prefix, words, { call, landed: call % 2 === 0 })).code === "killed";
      const next = await run(prefix, words);
      expect([call, next.code, next.why]).toEqual([call, 0, ""]);
      expect(account(prefix).revisions).toEqual([]);
      expect(account(prefix).services.filter(({ status }) => status !== "INACTIVE")).toEqual([]);
      expect(account(prefix).stacks).toEqual([undefined, undefined]);
      expect([...cloud.fileSystems.keys()]).toEqual([]);
    }
    expect(call).toBeGreaterThan(15);
  }, 180_000);
});
