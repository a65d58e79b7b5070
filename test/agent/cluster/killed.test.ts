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
  cloud = await cloudStandIn();
});
afterEach(async () => {
  await cloud.close();
  await rm(folder, { recursive: true, force: true });
});

const run = (words: readonly string[], killAt?: { call: number; landed: boolean }): Promise<Ran> =>
  runCluster(cloud, { folder, words, clock: fakeClock(), ...(killAt && { killAt }) });

/** What the account has, as far as a folder can make it. */
const account = () => ({
  stacks: ["demo-ecs-storage", "demo-ecs-cluster"].map((name) =>
    cloud.cloudFormation.statusOf(name),
  ),
  revisions: cloud.ecs.revisions
    .filter(({ status }) => status === "ACTIVE")
    .map(({ family, revision }) => `${family}:${revision}`),
  services: [...cloud.ecs.services.values()].map(({ name, desired, taskDefinition, status }) => ({
    ...{ name, desired, status },
    runs: taskDefinition.replace(/^.*\//, ""),
  })),
});

const DONE = {
  stacks: ["CREATE_COMPLETE", "CREATE_COMPLETE"],
  revisions: ["demo-jenkins:1", "demo-webserver:1"],
  services: [
    { name: "jenkins", desired: 1, status: "ACTIVE", runs: "demo-jenkins:1" },
    { name: "webserver", desired: 2, status: "ACTIVE", runs: "demo-webserver:1" },
  ],
};

describe("an apply that is killed", () => {
  it("at any of its requests, landed or not, is finished by the next, and nothing is there twice", async () => {
    const whole = await run(["apply"]);
    expect([whole.code, whole.why]).toEqual([0, ""]);
    expect(account()).toEqual(DONE);
    expect(whole.calls).toBeGreaterThan(20);
    for (let call = 1; call <= whole.calls; call += 1) {
      for (const landed of [false, true]) {
        await cloud.close();
        cloud = await cloudStandIn();
        await rm(join(folder, "ecs-cluster.params"), { force: true });
        const killed = await run(["apply"], { call, landed });
        expect([call, killed.code]).toEqual([call, "killed"]);
        const next = await run(["apply"]);
        expect([call, landed, next.code]).toEqual([call, landed, 0]);
        expect(account()).toEqual(DONE);
        const before = cloud.requests.length;
        expect((await run(["apply"])).code).toBe(0);
        expect(cloud.requests.slice(before).filter((one) => !READS.test(one))).toEqual([]);
      }
    }
  });

  it("while it changes a service is finished by the next, with one revision more and no other", async () => {
    expect((await run(["apply"])).code).toBe(0);
    const text = (memory: number) =>
      `{"containerDefinitions":[{"name":"webserver","image":"nginx","memory":${memory}}]}`;
    let revision = 1;
    for (let call = 1; ; call += 1) {
      let wasKilled = false;
      for (const landed of [false, true]) {
        revision += 1;
        await writeFile(join(folder, "webserver.taskdef"), text(revision));
        const killed = await run(["apply"], { call, landed });
        wasKilled = killed.code === "killed";
        expect((await run(["apply"])).code).toBe(0);
        expect(account().services[1]).toMatchObject({ runs: `demo-webserver:${revision}` });
        expect(await run(["plan"])).toMatchObject({ code: 0 });
      }
      if (!wasKilled) break;
    }
    expect(revision).toBeGreaterThan(10);
  });
});

describe("a destroy that is killed", () => {
  it("at any of its requests is finished by the next", async () => {
    let calls = 1;
    for (let call = 1; call <= calls; call += 1) {
      await cloud.close();
      cloud = await cloudStandIn();
      expect((await run(["apply"])).code).toBe(0);
      const words = ["destroy", "--confirm", "--deleteData"];
      const first = await run(words, { call, landed: call % 2 === 0 });
      if (first.code === "killed") {
        calls = call + 1;
        expect([call, (await run(words)).code]).toEqual([call, 0]);
      }
      expect(account().revisions).toEqual([]);
      expect(account().services.filter(({ status }) => status !== "INACTIVE")).toEqual([]);
      expect(account().stacks).toEqual([undefined, undefined]);
      expect([...cloud.fileSystems.keys()]).toEqual([]);
    }
    expect(calls).toBeGreaterThan(15);
  });
});
