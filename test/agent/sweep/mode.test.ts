import { describe, expect, it } from "@jest/globals";
import { denied, THROTTLED } from "../../../lib/standins/ecs/control.ts";
import type { ZoneRecord } from "../../../lib/standins/route53/rules.ts";
import { instance, task, ZONE } from "../../support/build.ts";
import {
  cluster,
  recordOf,
  recordsIn,
  SWEPT_ZONE,
  shown,
  sweepLab,
} from "../../support/sweep-lab.ts";

/** Numbers of instances and tasks that no cluster of a lab has. */
const NOWHERE = 900;

const byHand: ZoneRecord = {
  name: `svc-0.${ZONE}.`,
  type: "A",
  ttlSeconds: 10,
  weight: 1,
  values: ["192.0.2.1"],
  setIdentifier: "by-hand",
};
const older: ZoneRecord = {
  ...byHand,
  name: `svc-1.${ZONE}.`,
  values: ["192.0.2.2"],
  setIdentifier: `ecs-discovery-0/${instance(NOWHERE)}/${task(NOWHERE)}`,
};

/** Lists of two pages and describes of two requests: prod has 110 of the 130 instances and 160 of the 250 tasks. */
const twoClusters = () => [
  cluster("prod", { instances: 110, tasks: 160 }),
  cluster("batch", { instances: 20, tasks: 90, from: 400 }),
];
const gone = recordOf({ instance: instance(NOWHERE), task: task(NOWHERE) });

const reasons = (entries: readonly { readonly reason: string }[] | undefined) =>
  Object.fromEntries(
    [...Map.groupBy(entries ?? [], ({ reason }) => reason)].map(([reason, all]) => [
      reason,
      all.length,
    ]),
  );
const without = (all: readonly ZoneRecord[], some: readonly ZoneRecord[]) =>
  all
    .filter((one) => !some.includes(one))
    .map(shown)
    .toSorted();

/** As a host's proxy writes it. */
const proxied = (host: string, over: Partial<ZoneRecord> = {}): ZoneRecord => ({
  ...byHand,
  name: `www.${ZONE}.`,
  setIdentifier: `ecs-proxy-1/${host}`,
  ...over,
});

it.concurrent("deletes what the proxies of dead hosts left, and nobody else's", async () => {
  const challenge: Partial<ZoneRecord> = {
    name: `_acme-challenge.www.${ZONE}.`,
    type: "TXT",
    values: ['"x"'],
    multiValueAnswer: true,
  };
  const { weight: _, ...withoutWeight } = proxied(instance(0), challenge);
  const dead = [
    proxied(instance(0)),
    proxied(instance(0), { name: `\\052.w.${ZONE}.` }),
    withoutWeight,
  ];
  const left = [
    proxied(instance(1)),
    proxied("i-0123456789abcdef0"),
    proxied(instance(NOWHERE)),
    proxied(instance(0), { setIdentifier: `ecs-proxy-2/${instance(0)}` }),
  ];
  const prod = cluster("prod", { instances: 2, tasks: 6 });
  await using lab = await sweepLab([prod], [...recordsIn(prod), ...dead, ...left]);
  const host = prod.instances.get(instance(0));
  if (host !== undefined) host.status = "INACTIVE";
  for (const one of prod.tasks.values()) one.instance = instance(1);
  const { code, report } = await lab.sweep("--maxDeletes=20");
  expect(report?.deleted.map(({ reason }) => reason)).toEqual(
    expect.arrayContaining(["instance-inactive"]),
  );
  const names = report?.deleted.filter(({ setIdentifier }) =>
    setIdentifier.startsWith("ecs-proxy-"),
  );
  expect(names?.map(({ name }) => name).toSorted()).toEqual([
    `*.w.${ZONE}`,
    `_acme-challenge.www.${ZONE}`,
    `www.${ZONE}`,
  ]);
  expect(reasons(report?.unsure)).toEqual({
    "not-in-ecs": 1,
    "unknown-instance": 1,
    "other-format": 1,
  });
  expect(code).toBe(0);
  const now = lab.route53
    .records(SWEPT_ZONE.id)
    .filter(({ setIdentifier = "" }) => setIdentifier.startsWith("ecs-proxy-"));
  expect(now.map(({ setIdentifier }) => String(setIdentifier)).toSorted()).toEqual(
    left.map(({ setIdentifier }) => String(setIdentifier)).toSorted(),
  );
});

describe("a sweep of 250 tasks on 130 instances in two clusters", () => {
  it.concurrent("deletes exactly what is dead, beside a cluster that it may not read", async () => {
    const secret = cluster("secret", { instances: 1, tasks: 1, from: 800 });
    const clusters = [...twoClusters(), secret];
    const records = [...clusters.flatMap(recordsIn), byHand, older, gone];
    await using lab = await sweepLab(clusters, records);
    const prod = lab.cluster("prod");
    lab.ecs.fail({ cluster: "secret", error: denied("ListContainerInstances") });
    // A dead instance, with its two tasks; a task that stopped; and one that ECS has forgotten.
    const host = prod.instances.get(instance(3));
    if (host !== undefined) host.status = "INACTIVE";
    for (const n of [3, 113]) prod.tasks.delete(task(n));
    const stopped = prod.tasks.get(task(5));
    if (stopped !== undefined) stopped.lastStatus = "STOPPED";
    lab.cluster("batch").tasks.delete(task(400));
    const dead = records.filter(({ setIdentifier = "" }) =>
      [3, 113, 5, 400].some(
        (n) => setIdentifier.startsWith("ecs-discovery-1/") && setIdentifier.endsWith(task(n)),
      ),
    );
    expect(dead).toHaveLength(4);

    const { code, report, cause } = await lab.sweep();
    expect(lab.zone.now()).toEqual(without(records, dead));
    expect(lab.zone.landed.toSorted()).toEqual(
      dead.map((one) => `DELETE ${shown(one)}`).toSorted(),
    );
    expect(lab.zone.changeRequests).toBe(1);
    expect(reasons(report?.deleted)).toEqual({
      "instance-inactive": 2,
      "task-stopped": 1,
      "task-missing": 1,
    });
    expect(reasons(report?.kept)).toEqual({ "task-runs": 246 });
    // It could live in the cluster that it may not read, as the other one does.
    expect(reasons(report?.unsure)).toEqual({ "cluster-unread": 2, "other-format": 1 });
    expect(code).toBe(1);
    expect(cause).toContain("cluster secret could not be read: ECS denied ListContainerInstances");
    expect(cause).toContain("allow ecs:ListContainerInstances");
    // Real pages: the second of each long list was read.
    const pages = lab.ecs.requests.filter(({ cluster: of, page }) => of === "prod" && page === 2);
    expect(new Set(pages.map(({ operation }) => operation))).toEqual(
      new Set(["ListContainerInstances", "ListTasks"]),
    );
    expect(Math.max(...lab.ecs.requests.map(({ ids }) => ids))).toBe(100);
  });

  it.concurrent("deletes the records of an instance that no cluster has, and ends with 0", async () => {
    const clusters = twoClusters();
    const records = [...clusters.flatMap(recordsIn), gone];
    await using lab = await sweepLab(clusters, records);
    const { code, report } = await lab.sweep("--unknownInstances=delete");
    expect(code).toBe(0);
    expect(lab.zone.now()).toEqual(without(records, [gone]));
    expect(reasons(report?.deleted)).toEqual({ "instance-gone": 1 });
  });

  it.concurrent("promise 11: in a zone that hosts of another region write, too, it keeps what is theirs, and says how to delete it", async () => {
    const clusters = twoClusters();
    const theirs = recordsIn(cluster("elsewhere", { instances: 3, tasks: 9, from: 4_000 }));
    const records = [...clusters.flatMap(recordsIn), ...theirs];
    await using lab = await sweepLab(clusters, records);
    const { code, report } = await lab.sweep("--maxDeletes=100%");
    expect(code).toBe(0);
    expect(lab.zone.now()).toEqual(without(records, []));
    expect(reasons(report?.unsure)).toEqual({ "unknown-instance": 9 });
    expect(report?.unsure[0]?.detail).toContain("--unknownInstances=delete");
  });

  it.concurrent.each([
    ["ListContainerInstances", 2],
    ["ListTasks", 2],
    ["DescribeContainerInstances", 1],
    ["DescribeTasks", 1],
  ] as const)(
    "deletes nothing of a cluster where page %s #%i is throttled",
    async (operation, page) => {
      const clusters = twoClusters();
      const records = [...clusters.flatMap(recordsIn), gone];
      await using lab = await sweepLab(clusters, records);
      lab.cluster("prod").tasks.delete(task(5));
      lab.cluster("batch").tasks.delete(task(400));
      lab.ecs.fail({ operation, cluster: "prod", page, error: THROTTLED });
      const { code, report, cause } = await lab.sweep("--patience=0");
      const dead = records.filter(({ setIdentifier = "" }) => setIdentifier.endsWith(task(400)));
      expect(lab.zone.now()).toEqual(without(records, dead));
      expect(reasons(report?.deleted)).toEqual({ "task-missing": 1 });
      expect(reasons(report?.unsure)["cluster-unread"]).toBeGreaterThanOrEqual(2);
      expect(code).toBe(1);
      expect(cause).toContain("cluster prod could not be read");
      expect(cause).toContain("Rate exceeded");
    },
  );

  it.concurrent("goes on within its patience where a page is throttled for a moment", async () => {
    const clusters = twoClusters();
    const records = [...clusters.flatMap(recordsIn), gone];
    await using lab = await sweepLab(clusters, records);
    lab.ecs.fail({ operation: "ListTasks", page: 2, times: 2, error: THROTTLED });
    const { code } = await lab.sweep("--unknownInstances=delete");
    expect(code).toBe(0);
    expect(lab.zone.now()).toEqual(without(records, [gone]));
    expect(lab.ecs.requests.filter(({ result }) => result === THROTTLED.code)).toHaveLength(2);
  });
});

/** Three hosts with two tasks each; task 2 has stopped. */
async function smallLab() {
  const prod = cluster("prod", { instances: 3, tasks: 6 });
  const records = recordsIn(prod);
  const lab = await sweepLab([prod], records);
  const stopped = prod.tasks.get(task(2));
  if (stopped === undefined) throw new Error("expected a task");
  stopped.lastStatus = "STOPPED";
  const dead = records.filter(({ setIdentifier = "" }) => setIdentifier.endsWith(task(2)));
  return {
    lab,
    prod,
    records,
    stopped,
    dead,
    [Symbol.asyncDispose]: () => lab[Symbol.asyncDispose](),
  };
}

describe("the second look", () => {
  it.concurrent("keeps what looked dead once and lives", async () => {
    await using small = await smallLab();
    const { lab, stopped } = small;
    let looks = 0;
    lab.ecs.onRequest(({ operation }) => {
      if (operation !== "DescribeTasks") return;
      looks += 1;
      stopped.lastStatus = "RUNNING";
    });
    const { code, report } = await lab.sweep();
    expect(code).toBe(0);
    expect(looks).toBe(1);
    expect(lab.zone.changeRequests).toBe(0);
    expect(reasons(report?.kept)).toEqual({ "task-runs": 6 });
    // It was looked at twice.
    expect(lab.ecs.requests.filter(({ operation }) => operation === "ListTasks")).toHaveLength(2);
  });

  it.concurrent("keeps a record that has changed in between", async () => {
    await using small = await smallLab();
    const { lab, dead } = small;
    const [record] = dead;
    if (record === undefined) throw new Error("expected a record");
    let changed = false;
    lab.ecs.onRequest(({ operation }) => {
      if (operation !== "DescribeTasks" || changed) return;
      changed = true;
      lab.route53.edit("Z00SWEEP", [
        { action: "UPSERT", record: { ...record, values: ["10.9.9.9"] } },
      ]);
    });
    const { code, report } = await lab.sweep();
    expect(code).toBe(0);
    expect(lab.zone.changeRequests).toBe(0);
    expect(reasons(report?.kept)).toEqual({ "task-runs": 5, "changed-meanwhile": 1 });
  });

  it.concurrent("deletes no other record when somebody was faster than its request", async () => {
    await using small = await smallLab();
    const { lab, dead, records } = small;
    const [record] = dead;
    if (record === undefined) throw new Error("expected a record");
    // Another, living record of the same name, which the writer will read after the refusal.
    const neighbour = {
      ...recordOf({ instance: instance(0), task: task(10) }),
      values: ["10.8.8.8"],
    };
    lab.cluster("prod").tasks.set(task(10), { id: task(10), instance: instance(0) });
    lab.route53.seed("Z00SWEEP", [{ ...neighbour, name: record.name }]);
    const stopHearing = lab.route53.onRequest(({ operation }, phase) => {
      if (operation !== "ChangeResourceRecordSets" || phase !== "arrived") return;
      stopHearing();
      lab.route53.edit("Z00SWEEP", [
        { action: "UPSERT", record: { ...record, values: ["10.9.9.9"] } },
      ]);
    });
    const { code, report } = await lab.sweep();
    expect(code).toBe(0);
    expect(lab.zone.landed).toEqual([]);
    expect(lab.zone.now()).toEqual(
      [
        ...without(records, dead),
        `${record.name.slice(0, -1)} 10.8.8.8`,
        `${record.name.slice(0, -1)} 10.9.9.9`,
      ].toSorted(),
    );
    expect(reasons(report?.kept)).toEqual({ "task-runs": 6, "changed-meanwhile": 1 });
  });
});

describe("--maxDeletes", () => {
  it.concurrent("refuses with the numbers what is above it, and deletes nothing", async () => {
    await using small = await smallLab();
    const { lab, prod } = small;
    const before = lab.zone.now();
    for (const n of [0, 1, 3]) prod.tasks.delete(task(n));
    const { code, report, cause } = await lab.sweep();
    expect(code).toBe(1);
    expect(cause).toContain("would delete 4 of 6 records (67 %, limit 50 %)");
    expect(cause).toContain("--maxDeletes");
    expect(lab.zone.now()).toEqual(before);
    expect(lab.zone.changeRequests).toBe(0);
    expect(report?.refused).toContain("would delete 4 of 6");
    expect(report?.deleted).toHaveLength(4);
  });

  it.concurrent("allows what it says", async () => {
    await using small = await smallLab();
    const { lab, prod } = small;
    for (const n of [0, 1, 3]) prod.tasks.delete(task(n));
    expect((await lab.sweep("--maxDeletes=3")).code).toBe(1);
    expect(lab.zone.changeRequests).toBe(0);
    expect((await lab.sweep("--maxDeletes=4")).code).toBe(0);
    expect(lab.zone.now()).toHaveLength(2);
  });
});

describe("an empty answer", () => {
  it.concurrent("of a cluster that had records leaves them all unsure, until it is said to be right", async () => {
    const prod = cluster("prod", { instances: 3, tasks: 6 });
    const edge = cluster("edge", { instances: 2, tasks: 2, from: 400 });
    const records = [prod, edge].flatMap(recordsIn);
    await using lab = await sweepLab([prod, edge], records);
    edge.instances.clear();
    edge.tasks.clear();
    const { code, report } = await lab.sweep();
    expect(code).toBe(0);
    expect(lab.zone.changeRequests).toBe(0);
    expect(reasons(report?.unsure)).toEqual({ "empty-answer": 2 });
    expect(report?.unsure[0]?.detail).toContain("edge (--emptyClusters");

    expect((await lab.sweep("--emptyClusters=edge", "--unknownInstances=delete")).code).toBe(0);
    expect(lab.zone.now()).toEqual(recordsIn(prod).map(shown).toSorted());
  });

  it.concurrent("of all clusters is never everything dead, whatever the limit", async () => {
    const prod = cluster("prod", { instances: 3, tasks: 6 });
    await using lab = await sweepLab([prod]);
    prod.instances.clear();
    prod.tasks.clear();
    const { report } = await lab.sweep("--maxDeletes=100%");
    expect(reasons(report?.unsure)).toEqual({ "empty-answer": 6 });
    expect(lab.zone.changeRequests).toBe(0);
  });

  it.concurrent("with no cluster at all is none either", async () => {
    const prod = cluster("prod", { instances: 3, tasks: 6 });
    const records = recordsIn(prod);
    await using lab = await sweepLab([], records);
    const { code, report } = await lab.sweep("--maxDeletes=100%");
    expect(code).toBe(0);
    expect(reasons(report?.unsure)).toEqual({ "no-cluster": 6 });
  });
});

describe("a sweep", () => {
  it.concurrent("with --dryRun prints the same report and changes nothing", async () => {
    await using small = await smallLab();
    const { lab } = small;
    const before = lab.zone.now();
    const dry = await lab.sweep("--dryRun");
    expect(dry.code).toBe(0);
    expect(lab.zone.now()).toEqual(before);
    expect(lab.zone.changeRequests).toBe(0);
    const wet = await lab.sweep();
    expect(dry.report).toEqual({ ...wet.report, dryRun: true });
    expect(reasons(wet.report?.deleted)).toEqual({ "task-stopped": 1 });
  });

  it.concurrent("says in text what it did", async () => {
    await using small = await smallLab();
    const { lab } = small;
    lab.route53.seed("Z00SWEEP", [older]);
    const process = lab.start();
    expect(await process.exit()).toEqual({ code: 0, signal: null });
    expect(process.stdout.split("\n")).toEqual([
      `zone Z00SWEEP (${ZONE}): 6 records of agents, 1 deleted, 5 kept, 1 unsure`,
      `  deleted svc-2.${ZONE} A 10.1.0.2: task-stopped, task ${task(2)} is STOPPED in cluster prod`,
      `  unsure svc-1.${ZONE} A ${older.setIdentifier}: other-format, looks like an agent's, and none of this version wrote it`,
      "  5 kept: task-runs",
      "  read cluster prod",
    ]);
  });

  it.concurrent("that is refused prints its report and nothing else: the log goes to standard error", async () => {
    await using small = await smallLab();
    const process = small.lab.start("--json", "--maxDeletes=0");
    expect(await process.exit()).toEqual({ code: 1, signal: null });
    expect(JSON.parse(process.stdout)).toMatchObject({ schemaVersion: 1, seen: 6 });
    expect((await process.errorLog()).at(-1)?.["cause"]).toContain("would delete 1 of 6");
  });

  it.concurrent("that is stopped while it deletes lets that land, says what is left, and ends with 1", async () => {
    const prod = cluster("prod", { instances: 1, tasks: 1_200 });
    await using lab = await sweepLab([
      prod,
      cluster("batch", { instances: 1, tasks: 1, from: 2_000 }),
    ]);
    const host = prod.instances.get(instance(0));
    if (host === undefined) throw new Error("expected an instance");
    host.status = "INACTIVE";
    prod.tasks.clear();
    lab.route53.set({ latencyMs: 200 });
    const process = lab.start("--json", "--maxDeletes=100%");
    lab.route53.onRequest(({ operation }, phase) => {
      if (operation === "ChangeResourceRecordSets" && phase === "arrived") process.kill("SIGTERM");
    });
    expect(await process.exit()).toEqual({ code: 1, signal: null });
    expect(lab.zone.changeRequests).toBe(1);
    expect(lab.zone.landed).toHaveLength(1_000);
    const report = process.log.find((line) => "schemaVersion" in line);
    expect(report?.["deleted"]).toHaveLength(1_000);
    expect(reasons(report?.["unsure"] as [])).toEqual({ unfinished: 200 });
    expect((await process.errorLog()).at(-1)).toMatchObject({
      cause: "ended before 200 dead records were deleted",
    });
  });

  it.concurrent("that is stopped between its looks deletes nothing, and does not look as if all were well", async () => {
    await using small = await smallLab();
    const { lab } = small;
    const process = lab.start("--confirmAfter=600");
    await lab.asked(({ operation }) => operation === "DescribeTasks");
    process.kill("SIGTERM");
    expect(await process.exit()).toEqual({ code: 1, signal: null });
    expect(process.stdout).toBe("");
    expect(lab.zone.changeRequests).toBe(0);
  });

  it.concurrent("keeps what is on an instance that drains or lost its agent, and containers outside of ECS", async () => {
    const prod = cluster("prod", { instances: 3, tasks: 3 });
    const lone = { instance: instance(2), task: task(77), container: task(77).slice(0, 12) };
    const records = [...recordsIn(prod), recordOf(lone)];
    await using lab = await sweepLab([prod], records);
    const [drains, lost] = [prod.instances.get(instance(0)), prod.instances.get(instance(1))];
    if (drains === undefined || lost === undefined) throw new Error("expected instances");
    drains.status = "DRAINING";
    lost.agentConnected = false;
    const { code, report } = await lab.sweep();
    expect(code).toBe(0);
    expect(reasons(report?.kept)).toEqual({
      "instance-not-active": 1,
      "agent-disconnected": 1,
      "task-runs": 1,
      "not-a-task": 1,
    });
  });

  it.concurrent("reads the clusters of --clusters only, and needs no list of all", async () => {
    await using small = await smallLab();
    const { lab, dead, records } = small;
    lab.ecs.fail({ operation: "ListClusters", error: denied("ListClusters") });
    const arn = "arn:aws:ecs:eu-west-1:123456789012:cluster/prod";
    expect((await lab.sweep(`--clusters=${arn}`)).code).toBe(0);
    expect(lab.zone.now()).toEqual(without(records, dead));
  });

  it.concurrent.each([
    [
      "no such cluster",
      ["--clusters=prod,nosuch"],
      /ECS knows no cluster "nosuch" in this account and region: see/,
    ],
    [
      "no such zone",
      ["--hostedZoneId=Z00NOSUCH"],
      /Route 53 refused GetHostedZone on zone Z00NOSUCH/,
    ],
  ])("%s: one sentence, exit code 1", async (_, flags, sentence) => {
    await using small = await smallLab();
    const { code, cause } = await small.lab.sweep(...flags);
    expect(code).toBe(1);
    expect(cause).toMatch(sentence);
  });

  it.concurrent("no permission to list the clusters: names the IAM action, exit code 1, nothing deleted", async () => {
    await using small = await smallLab();
    const { lab } = small;
    lab.ecs.fail({ operation: "ListClusters", error: denied("ListClusters") });
    const { code, cause } = await lab.sweep();
    expect(code).toBe(1);
    expect(cause).toContain("allow ecs:ListClusters in the role of this process");
    expect(lab.zone.changeRequests).toBe(0);
  });

  it.concurrent("no permission to delete: names the IAM action, exit code 1", async () => {
    await using small = await smallLab();
    const { lab } = small;
    lab.route53.fail({
      operation: "ChangeResourceRecordSets",
      kind: { error: { status: 403, code: "AccessDenied", message: "not authorized" } },
    });
    const { code, cause, report } = await lab.sweep();
    expect(code).toBe(1);
    expect(cause).toContain("allow route53:ChangeResourceRecordSets");
    expect(report?.deleted).toEqual([]);
    expect(reasons(report?.unsure)).toEqual({ unfinished: 1 });
  });

  it.concurrent("with wrong flags says so all at once, exit code 2", async () => {
    await using small = await smallLab();
    const { code, process } = await small.lab.sweep(
      "--maxDeletes=101%",
      "--clusters=a,,b",
      "--confirmAfter=0",
    );
    expect(code).toBe(2);
    expect((await process.stderr).trim().split("\n")).toEqual([
      expect.stringMatching(
        /--clusters: expected names or ARNs of clusters, separated by commas, got "a,,b"/,
      ),
      expect.stringMatching(/--confirmAfter: expected a whole number from 1 to 600, got "0"/),
      expect.stringMatching(/--maxDeletes: expected .*, got "101%"/),
    ]);
  });
});
