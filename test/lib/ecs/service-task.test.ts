import { describe, expect, it, test } from "@jest/globals";
import fc from "fast-check";
import { jittered, nextPauseMs, waitMs } from "../../../lib/ecs/pace.ts";
import {
  absenceOf,
  isAbsence,
  type Observed,
  placesOf,
  type ServiceTask,
  servedBy,
  type Wanted,
} from "../../../lib/ecs/service-task.ts";

const wanted: Wanted = { container: "web", byHealth: true };
const container = (over: Partial<ServiceTask["containers"][number]> = {}) => ({
  name: "web",
  lastStatus: "RUNNING",
  health: "UNKNOWN" as const,
  bindings: [],
  ...over,
});
const task = (over: Partial<ServiceTask> = {}): ServiceTask => ({
  arn: "arn:aws:ecs:eu-west-1:123456789012:task/prod/t1",
  definition: "arn:aws:ecs:eu-west-1:123456789012:task-definition/web:7",
  lastStatus: "RUNNING",
  desiredStatus: "RUNNING",
  health: "UNKNOWN",
  containers: [container()],
  ...over,
});
const range = (first: number, last = first) => ({ first, last });

describe("a task gets nothing", () => {
  test.each<[string, Partial<ServiceTask>, Partial<Wanted>, string | undefined]>([
    ["runs", {}, {}, undefined],
    ["has no health check", { health: "UNKNOWN" }, {}, undefined],
    ["is of the wanted revision", {}, { revision: 7 }, undefined],
    ["is of another revision", {}, { revision: 6 }, "other-revision"],
    ["has stopped", { lastStatus: "STOPPED", desiredStatus: "STOPPED" }, {}, "stopped"],
    ["is to stop", { desiredStatus: "STOPPED" }, {}, "stopping"],
    ["deactivates", { lastStatus: "DEACTIVATING" }, {}, "stopping"],
    ["stops", { lastStatus: "STOPPING" }, {}, "stopping"],
    ["deprovisions", { lastStatus: "DEPROVISIONING" }, {}, "stopping"],
    ["is pending", { lastStatus: "PENDING" }, {}, "starting"],
    ["activates", { lastStatus: "ACTIVATING" }, {}, "starting"],
    ["has other containers", { containers: [container({ name: "log" })] }, {}, "no-container"],
    ["has none", { containers: [] }, {}, "no-container"],
    [
      "its container died",
      { containers: [container({ lastStatus: "STOPPED" })] },
      {},
      "container-stopped",
    ],
    ["is ill", { health: "UNHEALTHY" }, {}, "unhealthy"],
    ["its container is ill", { containers: [container({ health: "UNHEALTHY" })] }, {}, "unhealthy"],
    ["is ill, which does not count", { health: "UNHEALTHY" }, { byHealth: false }, undefined],
    [
      "is of another revision and has stopped",
      { lastStatus: "STOPPED" },
      { revision: 6 },
      "other-revision",
    ],
  ])("or not: it %s", (_, over, rules, reason) => {
    expect(absenceOf(task(over), { ...wanted, ...rules })?.reason).toBe(reason);
  });
});

describe("a task's places", () => {
  const bridge = (...bindings: ServiceTask["containers"][number]["bindings"]) =>
    task({ instance: "host", containers: [container({ bindings })] });
  const shown = (places: Observed["places"]) =>
    isAbsence(places)
      ? places.reason
      : [...places].map(([port, { address, port: at }]) => `${port}=${address}:${at}`).join(" ");
  const address = "10.0.1.5";

  test.each<[string, ServiceTask, object, string]>([
    [
      "bound on its host",
      bridge({ container: range(80), host: range(32768) }),
      { address },
      "80=10.0.1.5:32768",
    ],
    [
      "bound twice, for IPv4 and IPv6",
      bridge({ container: range(80), host: range(1) }, { container: range(80), host: range(2) }),
      { address },
      "80=10.0.1.5:1",
    ],
    [
      "a range",
      bridge({ container: range(8000, 8002), host: range(49153, 49155) }),
      { address },
      "8000=10.0.1.5:49153 8001=10.0.1.5:49154 8002=10.0.1.5:49155",
    ],
    [
      "of its own interface",
      task({ network: { ipv4: "10.0.2.2" } }),
      {
        address: "10.0.2.2",
        definition: { networkMode: "awsvpc", ports: new Map([["web", [range(80)]]]) },
      },
      "80=10.0.2.2:80",
    ],
    [
      "of its host's own ports",
      bridge(),
      { address, definition: { networkMode: "host", ports: new Map([["web", [range(80)]]]) } },
      "80=10.0.1.5:80",
    ],
    [
      "not bound yet, though declared",
      bridge(),
      { address, definition: { networkMode: "bridge", ports: new Map([["web", [range(80)]]]) } },
      "no-ports",
    ],
    ["without a port", bridge(), { address }, "no-ports"],
    ["without an address", bridge({ container: range(80), host: range(1) }), {}, "no-address"],
    [
      "at what is no address",
      bridge({ container: range(80), host: range(1) }),
      { address: "localhost" },
      "garbage",
    ],
    [
      "at ports that are none",
      bridge({ container: range(80), host: range(70_000) }),
      { address },
      "garbage",
    ],
    [
      "ranges of two lengths",
      bridge({ container: range(1, 3), host: range(1, 2) }),
      { address },
      "garbage",
    ],
    [
      "a range that runs backwards",
      bridge({ container: range(3, 1), host: range(3, 1) }),
      { address },
      "garbage",
    ],
    [
      "a range too wide to mean",
      bridge({ container: range(1, 60_000), host: range(1, 60_000) }),
      { address },
      "garbage",
    ],
  ])("%s", (_, one, known, expected) => {
    expect(shown(placesOf(one, wanted, known))).toBe(expected);
  });
});

describe("what is served", () => {
  const seen = (id: string, ...ports: readonly number[]): Observed => ({
    id,
    places: new Map(
      ports.map((port) => [port, { id, address: "10.0.0.1", port: port + Number(id), weight: 1 }]),
    ),
  });
  const shown = (served: ReturnType<typeof servedBy>) =>
    Object.fromEntries(
      [...served.ports].map(([port, all]) => [port, all.map(({ id }) => id).join()]),
    );

  it("are all ports of all tasks, whatever their order", () => {
    expect(shown(servedBy([seen("2", 80, 81), seen("1", 80)], undefined))).toEqual({
      80: "1,2",
      81: "2",
    });
  });
  it("are those that are asked for, under the numbers that are asked for", () => {
    const rules = [
      { listen: 8081, container: 80 },
      { listen: 9, container: 9 },
    ];
    const served = servedBy([seen("1", 80, 81)], rules);
    expect(shown(served)).toEqual({ 8081: "1", 9: "" });
    expect(served.absences).toEqual([
      { of: "port 9", reason: "no-task", detail: "no task that may be used has port 9" },
    ]);
  });
  it("are a thousand ports at most", () => {
    const ports = Array.from({ length: 1_003 }, (_, n) => n + 1);
    const served = servedBy([seen("1", ...ports)], undefined);
    expect(served.ports.size).toBe(1_000);
    expect(served.absences.map(({ of }) => of)).toEqual(["port 1001", "port 1002", "port 1003"]);
  });
  it("never depends on the order in which ECS tells of the tasks", () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(["1", "2", "3", "4", "5"], { minLength: 2 }), (ids) => {
        const observed = ids.map((id) => seen(id, 80));
        expect(servedBy(observed, undefined)).toEqual(servedBy(observed.toReversed(), undefined));
      }),
    );
  });
});

describe("the pause until the next poll", () => {
  test.each([
    [7_000, "read", 7_000],
    [100_000, "read", 97_000],
    [7_000, "throttled", 35_000],
    [3_599_000, "throttled", 3_600_000],
    [100_000, "failed", 100_000],
  ] as const)("after %d ms and %s is %d ms", (before, outcome, expected) => {
    expect(nextPauseMs(before, outcome, 7_000)).toBe(expected);
  });
  it("is never shorter than asked for", () => {
    expect(nextPauseMs(1_000, "read", 60_000)).toBe(60_000);
  });
  test.each([
    ["read", true, 0, 100_000],
    ["throttled", true, 1, 100_000],
    ["throttled", false, 1, 20_000],
    ["failed", false, 1, 500],
    ["failed", false, 4, 4_000],
    ["failed", false, 5, 30_000],
    ["failed", true, 1, 30_000],
  ] as const)(
    "of 100 s after %s (read before: %s, %d misses) is waited for %d ms",
    (outcome, hasRead, misses, expected) => {
      expect(waitMs(100_000, { outcome, hasRead, misses, askedMs: 7_000 })).toBe(expected);
    },
  );
  it("is 5 to 9 seconds for a mean of 7", () => {
    expect(jittered(7_000, 0)).toBeCloseTo(5_000);
    expect(jittered(7_000, 0.5)).toBeCloseTo(7_000);
    expect(jittered(7_000, 1)).toBeCloseTo(9_000);
  });
});
