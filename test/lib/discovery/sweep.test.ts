import { describe, expect, it, test } from "@jest/globals";
import fc from "fast-check";
import { judgeRecords, sweepRefusal } from "../../../lib/discovery/sweep.ts";
import type { InstanceId, TaskId } from "../../../lib/ecs/arn.ts";
import type {
  Cluster,
  Described,
  Fleet,
  InstanceState,
  ReadCluster,
  TaskState,
} from "../../../lib/ecs/fleet.ts";
import { formatProxyIdentifier, type ProxyHost } from "../../../lib/route53/proxy-identifier.ts";
import { keyOf } from "../../../lib/route53/record-set.ts";
import { formatSetIdentifier, type Ownership } from "../../../lib/route53/set-identifier.ts";
import { instance, record, task } from "../../support/build.ts";

const [I, OTHER] = [instance(1), instance(2)];
const [T, OTHER_TASK] = [task(1), task(2)];

const found = (over: Partial<InstanceState> = {}): Described<InstanceState> => ({
  kind: "found",
  status: "ACTIVE",
  agentConnected: true,
  ...over,
});
const inState = (status: string): Described<TaskState> => ({ kind: "found", status });
const missing = { kind: "missing" } as const;

/** A cluster that was read; another instance and another task live there. */
const read = (
  name: string,
  over: {
    readonly listed?: readonly InstanceId[];
    readonly running?: readonly TaskId[];
    readonly instance?: Described<InstanceState>;
    readonly task?: Described<TaskState>;
  },
): ReadCluster => ({
  kind: "read",
  name,
  listed: new Set(over.listed ?? [OTHER]),
  running: new Set(over.running ?? [OTHER_TASK]),
  instances: new Map(over.instance === undefined ? [] : [[I, over.instance]]),
  tasks: new Map(over.task === undefined ? [] : [[T, over.task]]),
});
const unread: Cluster = { kind: "unread", name: "secret", problem: "ECS denied it" };

const ownedBy = (ownership: Ownership) =>
  record(1, { setIdentifier: formatSetIdentifier(ownership) });
const fate = (
  fleet: Fleet,
  ownership: Ownership = { instance: I, task: T },
  empty: string[] = [],
  unknownInstances: "keep" | "delete" = "keep",
) => {
  const rules = { emptyClusters: new Set(empty), unknownInstances };
  const [judged] = judgeRecords([ownedBy(ownership)], fleet, rules);
  return `${judged?.fate.kind}: ${judged?.fate.reason}`;
};

describe("the fate of a proxy's record, by its host", () => {
  const [here, elsewhere] = [
    read("a", { listed: [I], instance: found() }),
    read("b", { instance: missing }),
  ];
  const nowhere = [read("a", { instance: missing }), elsewhere];
  test.each<[string, string, Fleet, string, ("keep" | "delete")?]>([
    ["kept: host-there", "its instance is there", [here, elsewhere], I],
    [
      "kept: agent-disconnected",
      "the same, away",
      [read("a", { listed: [I], instance: found({ agentConnected: false }) })],
      I,
    ],
    [
      "dead: instance-inactive",
      "its instance is INACTIVE",
      [read("a", { instance: found({ status: "INACTIVE" }) })],
      I,
    ],
    ["unsure: unknown-instance", "nobody knows its instance", nowhere, I],
    ["dead: instance-gone", "the same, and no other account writes", nowhere, I, "delete"],
    [
      "unsure: cluster-unread",
      "the same, and a cluster can't be read",
      [...nowhere, unread],
      I,
      "delete",
    ],
    [
      "unsure: not-in-ecs",
      "an EC2 instance outside of ECS",
      nowhere,
      "i-0123456789abcdef0",
      "delete",
    ],
    [
      "unsure: not-in-ecs",
      "a host with a name of its own",
      nowhere,
      `host-${"0".repeat(32)}`,
      "delete",
    ],
  ])("%s where %s", (expected, _, fleet, host, unknownInstances = "keep") => {
    const rules = { emptyClusters: new Set<string>(), unknownInstances };
    const setIdentifier = formatProxyIdentifier(host as ProxyHost);
    const [judged] = judgeRecords([record(1, { setIdentifier })], fleet, rules);
    expect(`${judged?.fate.kind}: ${judged?.fate.reason}`).toBe(expected);
  });
});

describe("the fate of a record, by its instance and its task", () => {
  const elsewhere = read("b", { instance: missing });
  const here = (over: Parameters<typeof read>[1]) => [
    read("a", { listed: [I], instance: found(), ...over }),
    elsewhere,
  ];
  const empty = { listed: [], running: [] };
  test.each<[string, string, Fleet]>([
    ["kept: task-runs", "task listed as running", here({ running: [T] })],
    [
      "kept: task-runs",
      "task listed in a cluster without the instance",
      [read("a", { instance: missing, running: [T] })],
    ],
    [
      "kept: instance-not-active",
      "it runs on a draining instance",
      here({ running: [T], instance: found({ status: "DRAINING" }) }),
    ],
    [
      "kept: agent-disconnected",
      "it runs on an instance without its agent",
      here({ running: [T], instance: found({ agentConnected: false }) }),
    ],
    [
      "dead: instance-inactive",
      "instance INACTIVE",
      [read("a", { instance: found({ status: "INACTIVE" }) }), elsewhere],
    ],
    [
      "dead: instance-inactive",
      "instance INACTIVE beside an unread cluster",
      [read("a", { instance: found({ status: "INACTIVE" }) }), unread],
    ],
    [
      "kept: instance-not-active",
      "instance INACTIVE, task listed as running",
      [
        read("a", { instance: found({ status: "INACTIVE", agentConnected: true }), running: [T] }),
        elsewhere,
      ],
    ],
    ["dead: task-stopped", "task STOPPED", here({ task: inState("STOPPED") })],
    ["dead: task-stopped", "task DELETED", here({ task: inState("DELETED") })],
    [
      "dead: task-stopped",
      "task STOPPED on a draining instance",
      here({ task: inState("STOPPED"), instance: found({ status: "DRAINING" }) }),
    ],
    [
      "dead: task-stopped",
      "task STOPPED beside an unread cluster",
      [...here({ task: inState("STOPPED") }), unread],
    ],
    ...[
      "PROVISIONING",
      "PENDING",
      "ACTIVATING",
      "RUNNING",
      "DEACTIVATING",
      "STOPPING",
      "DEPROVISIONING",
    ].map((status): [string, string, Fleet] => [
      "kept: task-not-stopped",
      `task ${status}`,
      here({ task: inState(status) }),
    ]),
    [
      "kept: instance-not-active",
      "task STOPPING on a draining instance",
      here({ task: inState("STOPPING"), instance: found({ status: "DRAINING" }) }),
    ],
    ["dead: task-missing", "task MISSING", here({ task: missing })],
    [
      "unsure: instance-unsteady",
      "task MISSING on a draining instance",
      here({ task: missing, instance: found({ status: "DRAINING" }) }),
    ],
    [
      "unsure: instance-unsteady",
      "task MISSING on an instance without its agent",
      here({ task: missing, instance: found({ agentConnected: false }) }),
    ],
    [
      "unsure: empty-answer",
      "task MISSING in a cluster that lists no task",
      here({ task: missing, running: [] }),
    ],
    ["unsure: no-answer", "no word about the task", here({})],
    [
      "unsure: unknown-instance",
      "instance MISSING everywhere, not a word about its task",
      [read("a", { instance: missing }), elsewhere],
    ],
    [
      "unsure: unknown-instance",
      "instance MISSING everywhere, task MISSING",
      [read("a", { instance: missing, task: missing }), elsewhere],
    ],
    [
      "dead: task-stopped",
      "instance MISSING everywhere, but a cluster knows its task as STOPPED",
      [read("a", { instance: missing, task: inState("STOPPED") }), elsewhere],
    ],
    [
      "kept: task-not-stopped",
      "instance MISSING everywhere, but a cluster knows its task as STOPPING",
      [read("a", { instance: missing, task: inState("STOPPING") }), elsewhere],
    ],
    [
      "unsure: cluster-unread",
      "instance MISSING beside an unread cluster",
      [read("a", { instance: missing }), unread],
    ],
    ["unsure: cluster-unread", "only an unread cluster", [unread]],
    ["unsure: no-answer", "no word about the instance in one cluster", [read("a", {}), elsewhere]],
    [
      "unsure: no-answer",
      "instance MISSING, but listed",
      [read("a", { instance: missing, listed: [I] }), elsewhere],
    ],
    [
      "unsure: empty-answer",
      "instance MISSING, one cluster empty",
      [read("a", { instance: missing, ...empty }), elsewhere],
    ],
    [
      "unsure: empty-answer",
      "instance MISSING in the only cluster, which is empty",
      [read("a", { instance: missing, ...empty })],
    ],
    [
      "unsure: unknown-instance",
      "instance MISSING, a cluster with tasks alone",
      [read("a", { instance: missing, listed: [] }), elsewhere],
    ],
    ["unsure: no-cluster", "no cluster at all", []],
  ])("%s, for %s", (expected, _, fleet) => {
    expect(fate(fleet)).toBe(expected);
  });

  it("promise 11: a record of another region or account, of which nothing here knows, is never dead by default", () => {
    const region = [read("a", { instance: missing, task: missing }), elsewhere];
    expect(fate(region)).toBe("unsure: unknown-instance");
    expect(fate(region, { instance: I, task: T }, [], "delete")).toBe("dead: instance-gone");
  });

  it("is dead: instance-gone, where the empty cluster is known to be so", () => {
    const fleet = [read("a", { instance: missing, ...empty }), elsewhere];
    const of = (known: string) => fate(fleet, { instance: I, task: T }, [known], "delete");
    expect(of("a")).toBe("dead: instance-gone");
    expect(of("b")).toBe("unsure: empty-answer");
  });
});

describe("the record of a container outside of ECS", () => {
  const outside = { instance: I, task: T, container: T.slice(0, 12) };
  it("is kept while its instance is there, whatever ECS says of a task", () => {
    expect(fate([read("a", { instance: found(), task: missing })], outside)).toBe(
      "kept: not-a-task",
    );
  });
  it("is dead with its instance", () => {
    const gone = [read("a", { instance: missing })];
    expect(fate(gone, outside, [], "delete")).toBe("dead: instance-gone");
    expect(fate(gone, outside)).toBe("unsure: unknown-instance");
  });
  it("is told from a container's own record in a task", () => {
    const inTask = { ...outside, container: "abcdefabcdef" };
    expect(
      fate([read("a", { listed: [I], instance: found(), task: inState("STOPPED") })], inTask),
    ).toBe("dead: task-stopped");
  });
});

test("a record of another form is never dead", () => {
  const [judged] = judgeRecords(
    [record(1, { setIdentifier: `ecs-discovery-0/${I}/${T}` })],
    [read("a", { instance: missing })],
    { emptyClusters: new Set(), unknownInstances: "delete" },
  );
  expect(judged?.fate).toMatchObject({ kind: "unsure", reason: "other-format" });
});

describe("no failure to read leads to more deletes", () => {
  const ids = fc.integer({ min: 1, max: 6 });
  /** Each instance lives in one cluster at most, as in ECS; of every task and instance there is some answer, or none. */
  const worlds = fc.record({
    homes: fc.dictionary(
      fc.constantFrom("1", "2", "3", "4", "5", "6"),
      fc.constantFrom("a", "b", "c"),
    ),
    states: fc.array(
      fc.record({
        status: fc.constantFrom("ACTIVE", "DRAINING", "INACTIVE"),
        agentConnected: fc.boolean(),
      }),
      { minLength: 7, maxLength: 7 },
    ),
    tasks: fc.array(
      fc.record({
        on: ids,
        status: fc.constantFrom("RUNNING", "STOPPING", "STOPPED", "missing", "silent"),
      }),
      { minLength: 1, maxLength: 12 },
    ),
    empty: fc.subarray(["a", "b", "c"]),
  });
  type World = typeof worlds extends fc.Arbitrary<infer W> ? W : never;

  const fleetOf = ({ homes, states, tasks }: World): readonly ReadCluster[] =>
    ["a", "b", "c"].map((name): ReadCluster => {
      const livesHere = (n: number) => homes[`${n}`] === name;
      const hosts = [1, 2, 3, 4, 5, 6];
      const here = tasks
        .map((one, n) => ({ ...one, id: task(n) }))
        .filter(({ on }) => livesHere(on));
      const live = hosts.filter((n) => livesHere(n) && states[n]?.status !== "INACTIVE");
      return {
        kind: "read",
        name,
        listed: new Set(live.map(instance)),
        running: new Set(here.filter(({ status }) => status === "RUNNING").map(({ id }) => id)),
        instances: new Map(
          hosts.map((n) => [instance(n), livesHere(n) ? found(states[n]) : missing]),
        ),
        tasks: new Map(
          here
            .filter(({ status }) => status !== "silent" && status !== "RUNNING")
            .map(({ id, status }) => [id, status === "missing" ? missing : inState(status)]),
        ),
      };
    });
  const deadIn = (world: World, fleet: Fleet) =>
    judgeRecords(
      world.tasks.map(({ on }, n) => ownedBy({ instance: instance(on), task: task(n) })),
      fleet,
      { emptyClusters: new Set(world.empty), unknownInstances: "delete" },
    )
      .filter(({ fate: one }) => one.kind === "dead")
      .map(({ record: one }) => keyOf(one));

  it("whichever clusters could not be read", () => {
    fc.assert(
      fc.property(worlds, fc.subarray(["a", "b", "c"]), (world, failing) => {
        const whole = fleetOf(world);
        const broken = whole.map(
          (one): Cluster => (failing.includes(one.name) ? { ...unread, name: one.name } : one),
        );
        const dead = new Set(deadIn(world, whole));
        for (const key of deadIn(world, broken)) expect(dead).toContain(key);
      }),
      { numRuns: 2_000 },
    );
  });

  it("whatever ECS left out of its answers", () => {
    fc.assert(
      fc.property(
        worlds,
        fc.array(ids),
        fc.array(fc.nat({ max: 11 })),
        (world, instances, tasks) => {
          const whole = fleetOf(world);
          const silenced = whole.map((one) => ({
            ...one,
            instances: new Map(
              [...one.instances].filter(([id]) => !instances.map(instance).includes(id)),
            ),
            tasks: new Map([...one.tasks].filter(([id]) => !tasks.map(task).includes(id))),
          }));
          const dead = new Set(deadIn(world, whole));
          for (const key of deadIn(world, silenced)) expect(dead).toContain(key);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it("nothing that was not seen completely is dead", () => {
    fc.assert(
      fc.property(worlds, (world) => {
        const all = fleetOf(world);
        for (const { name } of all) {
          const broken = all.map((one): Cluster => (one.name === name ? { ...unread, name } : one));
          const livedThere = world.tasks.flatMap(({ on }, n) =>
            world.homes[`${on}`] === name
              ? [keyOf(ownedBy({ instance: instance(on), task: task(n) }))]
              : [],
          );
          const dead = deadIn(world, broken);
          for (const key of livedThere) expect(dead).not.toContain(key);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it("and what is listed as running never is", () => {
    fc.assert(
      fc.property(worlds, fc.subarray(["a", "b", "c"]), (world, failing) => {
        const fleet = fleetOf(world).map(
          (one): Cluster => (failing.includes(one.name) ? { ...unread, name: one.name } : one),
        );
        const running = fleet.flatMap((one) => (one.kind === "read" ? [...one.running] : []));
        const dead = deadIn(world, fleet).join("\n");
        for (const id of running) expect(dead).not.toContain(id);
      }),
    );
  });
});

describe("a sweep of many deletes", () => {
  const half = { kind: "share", percent: 50 } as const;
  test.each([
    [0, 0, half],
    [50, 100, half],
    [1, 2, half],
    [100, 100, { kind: "share", percent: 100 } as const],
    [20, 30, { kind: "count", records: 20 } as const],
  ])("of %i among %i is let through by its limit", (dead, seen, limit) => {
    expect(sweepRefusal({ seen, dead }, limit)).toBeUndefined();
  });
  test.each([
    [41, 44, half, "would delete 41 of 44 records (93 %, limit 50 %)"],
    [1, 1, half, "would delete 1 of 1 records (100 %, limit 50 %)"],
    [
      21,
      30,
      { kind: "count", records: 20 } as const,
      "would delete 21 of 30 records (70 %, limit 20)",
    ],
    [1, 30, { kind: "count", records: 0 } as const, "would delete 1 of 30 records (3 %, limit 0)"],
  ])("of %i among %i is refused with the numbers", (dead, seen, limit, sentence) => {
    expect(sweepRefusal({ seen, dead }, limit)).toContain(sentence);
  });
});
