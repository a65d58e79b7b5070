import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, test } from "@jest/globals";
import { type CloudStandIn, cloudStandIn } from "../../../lib/standins/cloud/server.ts";
import { type Ran, runCluster } from "../../support/cluster-lab.ts";
import { fakeClock } from "../../support/fake-clock.ts";
import { loopbackAws } from "../../support/loopback-aws.ts";

loopbackAws();
let cloud: CloudStandIn;
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "apply-"));
  cloud = await cloudStandIn();
  cloud.ecs.clusters.add("prod");
});
afterEach(async () => {
  await cloud.close();
  await rm(folder, { recursive: true, force: true });
});

/** Into a cluster that is there, so that no stack is in the way. */
const run = (...words: readonly string[]): Promise<Ran> =>
  runCluster(cloud, { folder, words: [...words, "--cluster=prod"], clock: fakeClock() });
const write = (file: string, text: string) => writeFile(join(folder, file), text);
const taskdef = (image: string, more = "") =>
  `{"containerDefinitions":[{"name":"a","image":"${image}","memory":8}]${more}}`;
const service = (name: string) => cloud.ecs.services.get(`prod/${name}`);
const writes = async (act: () => Promise<Ran>) => {
  const before = cloud.requests.length;
  const ran = await act();
  return {
    ...ran,
    writes: cloud.requests.slice(before).filter((one) => !/^(?:Describe|List|Get)/.test(one)),
  };
};

describe("a folder for a cluster of others", () => {
  it("is loaded into it, and the cluster stays as it is", async () => {
    await write("web.taskdef", taskdef("nginx"));
    await write("web.service", "{}");
    expect(await writes(() => run("apply"))).toMatchObject({
      code: 0,
      writes: ["RegisterTaskDefinition", "CreateService"],
    });
    expect(await writes(() => run("destroy", "--confirm"))).toMatchObject({
      code: 0,
      writes: ["DeleteService", "DeregisterTaskDefinition", "DeleteTaskDefinitions"],
    });
    expect([...cloud.ecs.clusters]).toEqual(["prod"]);
  });
});

describe("a service that does not come up", () => {
  beforeEach(async () => {
    await write("web.taskdef", taskdef("nginx"));
    await write("web.service", '{"desiredCount": 2}');
    expect((await run("apply", "--wait=60")).code).toBe(0);
    await write("web.taskdef", taskdef("broken"));
  });

  it("is told with ECS's events and the reasons of its tasks, and stays so", async () => {
    const { code, why } = await run("apply", "--wait=60");
    expect(code).toBe(1);
    expect(why).toContain(
      "service web failed: ECS deployment circuit breaker: tasks failed to start.",
    );
    expect(why).toContain(
      "ECS says: (service web) was unable to start tasks: CannotPullContainerError.",
    );
    expect(why).toContain("a task stopped: CannotPullContainerError: pull access denied");
    expect(service("web")?.taskDefinition).toMatch(/:2$/);
    // Nothing is left to change, and yet it does not run.
    expect(await writes(() => run("apply", "--wait=60"))).toMatchObject({ code: 1, writes: [] });
  });

  it("goes back where it is asked to, and the next plan says that the file is not what runs", async () => {
    expect((await run("apply", "--wait=60", "--rollback")).code).toBe(1);
    expect(service("web")?.taskDefinition).toMatch(/:1$/);
    expect((await run("plan")).code).toBe(3);
    await write("web.taskdef", taskdef("nginx"));
    expect((await run("apply", "--wait=60")).code).toBe(0);
  });
});

describe("a service", () => {
  beforeEach(async () => {
    await write("web.taskdef", taskdef("nginx"));
  });

  it("keeps the number of tasks that somebody gave it, unless its file has one", async () => {
    await write("web.service", "{}");
    await run("apply");
    const web = service("web");
    if (web !== undefined) web.desired = 7;
    expect((await run("plan")).code).toBe(0);
    await write("web.service", '{"desiredCount": 2}');
    expect((await run("apply")).code).toBe(0);
    expect(service("web")?.desired).toBe(2);
    if (web !== undefined) web.desired = 7;
    const plan = await run("plan");
    expect(plan.code).toBe(3);
    expect(plan.said.join("")).toContain('"path":"desiredCount","before":"7","after":"2"');
  });

  it("that made itself has one task, may be scaled up, and comes back when it was drained", async () => {
    await write("web.taskdef", taskdef("nginx", ` /* AUTOCREATE.SERVICE */`));
    await run("apply");
    expect(service("web")?.desired).toBe(1);
    expect((await run("drain", "web")).code).toBe(0);
    expect(service("web")?.desired).toBe(0);
    expect((await run("apply")).code).toBe(0);
    expect(service("web")?.desired).toBe(1);
  });

  it("is made anew for a create-only member with --recreate alone, and is said until then", async () => {
    await write("web.service", '{"launchType": "EC2"}');
    await run("apply");
    const first = service("web");
    await write("web.service", '{"launchType": "EXTERNAL"}');
    const plan = await run("plan");
    expect(plan.code).toBe(3);
    expect(plan.said.join("")).toContain('"createOnly":[{"path":"launchType"');
    await run("apply");
    expect(service("web")).toBe(first);
    expect((await run("apply", "--recreate")).code).toBe(0);
    expect(service("web")?.members).toMatchObject({ launchType: "EXTERNAL" });
    expect((await run("plan")).code).toBe(0);
  });

  it("of somebody else is refused before anything is applied, and taken over with --adopt", async () => {
    await write("web.service", "{}");
    await run("apply");
    const web = service("web");
    if (web !== undefined) web.tags = [];
    await write("other.taskdef", taskdef("nginx"));
    const refused = await writes(() => run("apply"));
    expect(refused).toMatchObject({ code: 1, writes: [] });
    expect(refused.why).toContain(
      "service web is in the cluster and not of this folder and prefix",
    );
    expect((await run("apply", "--adopt")).code).toBe(0);
    expect((await run("plan")).code).toBe(0);
  });

  it("whose file is gone stays, and goes with --prune; one of another folder never does", async () => {
    await write("web.service", "{}");
    await run("apply");
    await rm(join(folder, "web.service"));
    await rm(join(folder, "web.taskdef"));
    await write("other.taskdef", taskdef("nginx", " /* AUTOCREATE.SERVICE */"));
    expect((await run("apply", "--project=another", "--taskPrefix=x-")).code).toBe(0);
    await rm(join(folder, "other.taskdef"));
    await write("new.taskdef", taskdef("nginx"));
    expect((await run("apply")).code).toBe(0);
    expect(service("web")?.status).toBe("ACTIVE");
    expect((await run("apply", "--prune", "TASK_PREFIX=")).code).toBe(0);
    expect([service("web")?.status, service("other")?.status]).toEqual(["INACTIVE", "ACTIVE"]);
    const active = cloud.ecs.revisions.filter(({ status }) => status === "ACTIVE");
    expect(active.map(({ family }) => family)).toEqual(["x-other", "new"]);
  });

  it("is drained where it is ours and can be", async () => {
    await write("web.service", '{"schedulingStrategy": "DAEMON"}');
    await run("apply");
    expect((await run("drain", "web")).why).toContain("one task on each host (DAEMON)");
    expect((await run("drain", "nobody")).why).toContain('has no service "nobody"');
  });
});

describe("cleanup", () => {
  it("keeps the newest three revisions and what a service runs, of its own families alone", async () => {
    await write("web.service", "{}");
    for (let n = 1; n <= 6; n += 1) {
      await write("web.taskdef", taskdef(`nginx:${n}`));
      await run("apply");
    }
    const web = service("web");
    if (web !== undefined) web.taskDefinition = web.taskDefinition.replace(/:6$/, ":1");
    expect(await run("cleanup")).toMatchObject({ code: 0 });
    const active = cloud.ecs.revisions.filter(({ status }) => status === "ACTIVE");
    expect(active.map(({ revision }) => revision)).toEqual([1, 4, 5, 6]);
  });
});

describe("templates", () => {
  it("writes skeletons with every member that ECS takes, and overwrites nothing", async () => {
    expect((await run("templates")).code).toBe(0);
    const into = join(folder, "templates");
    expect((await readdir(into)).toSorted()).toEqual([
      ...["ecs-cluster.cf", "ecs-cluster.params", "ecs-storage.cf"],
      ...["service.template", "taskdef.template"],
    ]);
    const skeleton = JSON.parse(await readFile(join(into, "taskdef.template"), "utf8")) as object;
    expect(skeleton).toMatchObject({
      family: "",
      containerDefinitions: [
        {
          name: "",
          image: "",
          portMappings: [{ containerPort: 0 }],
          dockerLabels: { KeyName: "" },
        },
      ],
    });
    await writeFile(join(into, "service.template"), "mine");
    await run("templates");
    expect(await readFile(join(into, "service.template"), "utf8")).toBe("mine");
  });
});

describe("files that are wrong", () => {
  it("are told all at once with their lines, and nothing is asked of AWS", async () => {
    await write("a.taskdef", "{\n  oops\n}");
    await write("b.service", '{"desiredCount": "2"}');
    await write("c.taskdef", taskdef("nginx"));
    await write("local.mk", "PREFIX=$(shell id)\n");
    const ran = await writes(() => run("apply"));
    expect(ran).toMatchObject({ code: 1, calls: 0 });
    for (const place of [
      "a.taskdef:2: ",
      "b.service:1: desiredCount: expected a number",
      "local.mk:1: ",
    ]) {
      expect(ran.why).toContain(place);
    }
  });

  it("name a parameter that no template has, and one that has no value", async () => {
    await write("ecs-cluster.params", "VpcID=vpc-1\nSubnetA=a\n");
    const { code, why } = await runCluster(cloud, { folder, words: ["plan"], clock: fakeClock() });
    expect(code).toBe(1);
    expect(why).toContain(
      "ecs-cluster.params:1: no template has a parameter VpcID, did you mean VpcId?",
    );
    await write("ecs-cluster.params", "VpcId=vpc-1\nSubnetA=a\nSubnetB=b\n");
    const missing = await runCluster(cloud, { folder, words: ["plan"], clock: fakeClock() });
    expect(missing.why).toContain("parameter SubnetC has no value and no default: write SubnetC=…");
  });
});

test("what looks like a secret in an environment is hidden in a plan", async () => {
  const withPassword = (value: string) =>
    `{"containerDefinitions":[{"name":"a","image":"b","memory":8,"environment":[{"name":"DB_PASSWORD","value":"${value}"}]}]}`;
  await write("web.taskdef", withPassword("hunter2-one"));
  await run("apply");
  await write("web.taskdef", withPassword("hunter2-two"));
  const plan = await run("plan");
  expect(plan.code).toBe(3);
  expect(plan.said.join("")).toContain("environment[DB_PASSWORD].value");
  expect(plan.said.join("")).not.toContain("hunter2");
});
