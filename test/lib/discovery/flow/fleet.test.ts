import { describe, expect, it } from "@jest/globals";
import {
  type EcsPage,
  type EcsReads,
  everyCluster,
  readFleet,
} from "../../../../lib/discovery/flow/fleet.ts";
import type { InstanceId, TaskId } from "../../../../lib/ecs/arn.ts";
import type { Described, ReadCluster } from "../../../../lib/ecs/fleet.ts";
import { Fatal, Unavailable } from "../../../../lib/kit/failure.ts";
import { retry } from "../../../../lib/kit/flow/retry.ts";
import { instance, task } from "../../../support/build.ts";
import { fakeClock } from "../../../support/fake-clock.ts";

const PAGE = 100;

interface Told {
  readonly clusters: Readonly<
    Record<
      string,
      { readonly instances: readonly InstanceId[]; readonly running: readonly TaskId[] }
    >
  >;
  /** Called before each answer; throws what goes wrong. */
  readonly before?: (operation: string, cluster: string, from: string | undefined) => void;
}

/** ECS as a table; every request is noted as `operation cluster` with the page or the number of ids. */
function ecsOf({ clusters, before }: Told) {
  const asked: string[] = [];
  const pageOf = <Id>(all: readonly Id[], from: string | undefined): EcsPage<Id> => {
    const at = Number(from ?? 0);
    const next = at + PAGE < all.length && { next: String(at + PAGE) };
    return { ids: all.slice(at, at + PAGE), ...next };
  };
  const note = (operation: string, cluster: string, of: string | undefined) => {
    asked.push(`${operation} ${cluster} ${of ?? 0}`);
    before?.(operation, cluster, of);
  };
  const describeIn = <Id extends string, State>(
    ids: readonly Id[],
    there: readonly Id[],
    state: State,
  ) =>
    new Map(
      ids.map((id): [Id, Described<State>] => [
        id,
        there.includes(id) ? { kind: "found", ...state } : { kind: "missing" },
      ]),
    );
  const ecs: EcsReads = {
    async clusters(from) {
      note("clusters", "", from);
      return pageOf(Object.keys(clusters), from);
    },
    async instances(cluster, from) {
      note("instances", cluster, from);
      return pageOf(clusters[cluster]?.instances ?? [], from);
    },
    async runningTasks(cluster, from) {
      note("running", cluster, from);
      return pageOf(clusters[cluster]?.running ?? [], from);
    },
    async describeInstances(cluster, ids) {
      note("describeInstances", cluster, String(ids.length));
      return describeIn(ids, clusters[cluster]?.instances ?? [], {
        status: "ACTIVE",
        agentConnected: true,
      });
    },
    async describeTasks(cluster, ids) {
      note("describeTasks", cluster, String(ids.length));
      return describeIn(ids, [], { status: "" });
    },
  };
  return { ecs, asked };
}

const at = <T>(of: (n: number) => T, from: number, count: number): readonly T[] =>
  Array.from({ length: count }, (_, n) => of(from + n));
const once = <T>(act: () => Promise<T>) => act();
const owners = (instances: readonly InstanceId[], firstTask: number) =>
  instances.map((on, n) => ({ instance: on, task: task(firstTask + n) }));

describe("reading the fleet", () => {
  it("reads every page of the list of clusters", async () => {
    const names = at((n) => `c${n}`, 0, 250);
    const clusters = Object.fromEntries(
      names.map((name) => [name, { instances: [], running: [] }]),
    );
    const { ecs, asked } = ecsOf({ clusters });
    expect(await everyCluster({ ecs, retry: once })).toEqual(names);
    expect(asked).toEqual(["clusters  0", "clusters  100", "clusters  200"]);
  });

  it("reads every page, and asks for at most a hundred at once", async () => {
    const hosts = at(instance, 0, 250);
    const { ecs, asked } = ecsOf({
      clusters: { a: { instances: hosts, running: at(task, 5_000, 101) } },
    });
    const [read] = (await readFleet(["a"], owners(hosts, 1), { ecs, retry: once })) as [
      ReadCluster,
    ];
    expect(read).toMatchObject({ kind: "read", name: "a" });
    expect([read.listed.size, read.running.size]).toEqual([250, 101]);
    expect([read.instances.size, read.tasks.size]).toEqual([250, 250]);
    expect(asked).toEqual([
      ...["instances a 0", "instances a 100", "instances a 200", "running a 0", "running a 100"],
      ...["describeInstances a 100", "describeInstances a 100", "describeInstances a 50"],
      ...["describeTasks a 100", "describeTasks a 100", "describeTasks a 50"],
    ]);
  });

  it("asks a cluster for what it lists and for what none lists, and not for what runs", async () => {
    const { ecs, asked } = ecsOf({
      clusters: {
        a: { instances: [instance(1)], running: [task(1)] },
        b: { instances: [instance(2)], running: [] },
      },
    });
    const fleet = await readFleet(
      ["a", "b"],
      [
        { instance: instance(1), task: task(1) },
        { instance: instance(2), task: task(2) },
        { instance: instance(3), task: task(3) },
        // Outside of ECS: of no interest to DescribeTasks.
        { instance: instance(2), task: task(9), container: task(9).slice(0, 12) },
      ],
      { ecs, retry: once },
    );
    // Its instance is nowhere, so whoever knows its task proves that it was here.
    expect(asked).toEqual(expect.arrayContaining(["describeTasks a 1", "describeTasks b 2"]));
    const described = fleet.map((one) => one.kind === "read" && [...one.instances.keys()]);
    expect(described).toEqual([
      [instance(1), instance(3)],
      [instance(2), instance(3)],
    ]);
  });

  it.each(["instances", "running", "describeInstances", "describeTasks"])(
    "a failure of %s leaves that cluster unread, and no other",
    async (failing) => {
      const { ecs } = ecsOf({
        clusters: {
          a: { instances: [instance(1)], running: [] },
          b: { instances: [instance(2)], running: [] },
        },
        before(operation, cluster) {
          if (operation === failing && cluster === "a") throw new Fatal(`no ${operation}`);
        },
      });
      const fleet = await readFleet(["a", "b"], owners([instance(1), instance(2)], 1), {
        ecs,
        retry: once,
      });
      expect(fleet).toEqual([
        { kind: "unread", name: "a", problem: `no ${failing}` },
        expect.objectContaining({ kind: "read", name: "b" }),
      ]);
    },
  );

  it("tries a page again within the patience, and only that page; then the cluster is unread", async () => {
    const clock = fakeClock();
    let failures = 3;
    const { ecs, asked } = ecsOf({
      clusters: { a: { instances: at(instance, 0, 150), running: [] } },
      before(operation, _, from) {
        if (operation !== "instances" || from !== "100" || failures === 0) return;
        failures -= 1;
        throw new Unavailable("ECS", "is throttled", { demand: "fewer" });
      },
    });
    const patient = <T>(act: () => Promise<T>) =>
      retry(act, {
        clock,
        random: () => 0.5,
        limitMs: 60_000,
        stop: new AbortController().signal,
      });
    const reading = readFleet(["a"], [], { ecs, retry: patient });
    await clock.advance(60_000);
    expect(await reading).toMatchObject([{ kind: "read" }]);
    expect(asked.filter((one) => one === "instances a 0")).toHaveLength(1);
    expect(asked.filter((one) => one === "instances a 100")).toHaveLength(4);

    failures = Number.POSITIVE_INFINITY;
    const inVain = readFleet(["a"], [], { ecs, retry: patient });
    await clock.advance(120_000);
    expect(await inVain).toMatchObject([
      { kind: "unread", name: "a", problem: expect.stringContaining("ECS is throttled") },
    ]);
  });

  it("a list that leads back to a page of its own is no list", async () => {
    const { ecs } = ecsOf({ clusters: { a: { instances: [], running: [] } } });
    const circular = { ...ecs, runningTasks: async () => ({ ids: [task(1)], next: "again" }) };
    expect(await readFleet(["a"], [], { ecs: circular, retry: once })).toMatchObject([
      { kind: "unread", problem: expect.stringContaining("leads back") },
    ]);
  });

  it("rejects for a defect, and at the stop: neither is a failure of ECS", async () => {
    for (const error of [new TypeError("a defect"), new Error("stopped")]) {
      const { ecs } = ecsOf({
        clusters: { a: { instances: [], running: [] } },
        before() {
          throw error;
        },
      });
      await expect(readFleet(["a"], [], { ecs, retry: once })).rejects.toBe(error);
    }
  });
});
