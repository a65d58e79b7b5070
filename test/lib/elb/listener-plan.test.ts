import { describe, expect, it, test } from "@jest/globals";
import { callText } from "../../../lib/elb/calls.ts";
import { wishedCheck } from "../../../lib/elb/health-check.ts";
import { localPortRange, takenProblem } from "../../../lib/elb/listen-ports.ts";
import {
  callsOfPlan,
  isEmptyPlan,
  planBalancer,
  planDiff,
  type Wish,
} from "../../../lib/elb/listener-plan.ts";
import type { LoadBalancer } from "../../../lib/elb/load-balancer.ts";
import { questionsFor } from "../../../lib/elb/names.ts";
import { planTargets } from "../../../lib/elb/target-plan.ts";

const US = "i-0123456789abcdef0";
const CHECK = {
  target: "HTTP:32768/health",
  intervalSeconds: 30,
  timeoutSeconds: 5,
  unhealthyThreshold: 2,
  healthyThreshold: 10,
};
const listener = (lbPort: number, instancePort: number, policies: readonly string[] = []) => ({
  listener: { lbPort, protocol: "HTTP", instancePort, instanceProtocol: "HTTP" },
  policies,
});
const balancer = (over: Partial<LoadBalancer> = {}): LoadBalancer => ({
  name: "web",
  listeners: [listener(80, 32_768), listener(81, 32_800)],
  backEnds: new Map(),
  healthCheck: CHECK,
  instances: new Set([US]),
  ...over,
});
const every = (instancePort: number, over: Partial<Wish> = {}): Wish => ({
  service: "a",
  mode: "rewrite",
  ports: { kind: "every", instancePort },
  healthCheck: undefined,
  presence: "in",
  ...over,
});
const each = (pairs: readonly (readonly [number, number])[], over: Partial<Wish> = {}): Wish =>
  every(0, { ports: { kind: "each", byLbPort: new Map(pairs) }, ...over });
const NONE = { ports: { kind: "none" } } as const;

const short = (wishes: readonly Wish[], over: Partial<LoadBalancer> = {}) => {
  const plan = planBalancer(balancer(over), wishes, US);
  return {
    moves: plan.moves.map(({ from, toPort }) => `${from.listener.lbPort}→${toPort}`),
    check: plan.healthCheck?.to.target,
    presence: plan.presence,
    refused: plan.refusals.map(({ service }) => service),
  };
};
const nothing = { moves: [], check: undefined, presence: undefined, refused: [] };

describe("the plan of a load balancer", () => {
  test.each<[string, readonly Wish[], Partial<LoadBalancer>, object]>([
    ["nothing is wanted", [], {}, nothing],
    ["all is as wanted", [each([[80, 32_768]])], {}, nothing],
    [
      "every listener follows",
      [every(40_000)],
      {},
      { ...nothing, moves: ["80→40000", "81→40000"], check: "HTTP:40000/health" },
    ],
    [
      "a named listener follows, the other stays",
      [each([[81, 40_000]])],
      {},
      { ...nothing, moves: ["81→40000"] },
    ],
    ["there is no task", [every(0, { ...NONE, presence: "leave" })], {}, nothing],
    [
      "two services share it",
      [each([[80, 1_000]]), each([[81, 2_000]], { service: "b" })],
      {},
      { ...nothing, moves: ["80→1000", "81→2000"], check: "HTTP:1000/health" },
    ],
    [
      "one names a listener, the other has the rest",
      [every(1_000), each([[81, 2_000]], { service: "b" })],
      {},
      { ...nothing, moves: ["80→1000", "81→2000"], check: "HTTP:1000/health" },
    ],
    [
      "two want every listener",
      [every(32_768), every(2_000, { service: "b" })],
      {},
      { ...nothing, moves: ["81→32768"], refused: ["b"] },
    ],
    [
      "two want the same listener",
      [each([[80, 32_768]]), each([[80, 2_000]], { service: "b" })],
      {},
      { ...nothing, refused: ["b"] },
    ],
    ["a listener is not there", [each([[443, 1_000]])], {}, { ...nothing, refused: ["a"] }],
    [
      "the health check has drifted",
      [each([[80, 32_768]])],
      { healthCheck: { ...CHECK, target: "TCP:1" } },
      { ...nothing, check: "TCP:32768" },
    ],
    [
      "this host is not registered",
      [each([[80, 32_768]])],
      { instances: new Set() },
      { ...nothing, presence: "register" },
    ],
    [
      "no task is meant to run",
      [every(0, { ...NONE, presence: "out" })],
      {},
      { ...nothing, presence: "deregister" },
    ],
    [
      "one has none, another has",
      [every(0, { ...NONE, presence: "out" }), each([[80, 32_768]], { service: "b" })],
      {},
      nothing,
    ],
    [
      "one has none, of another it is not known",
      [
        every(0, { ...NONE, presence: "out" }),
        every(0, { ...NONE, presence: "leave", service: "b" }),
      ],
      {},
      nothing,
    ],
    [
      "another host is there: rewrite is refused",
      [every(40_000)],
      { instances: new Set([US, "i-b"]) },
      { ...nothing, refused: ["a"] },
    ],
    [
      "another host is there: forward is not",
      [every(8_080, { mode: "forward" })],
      { instances: new Set(["i-b"]) },
      {
        moves: ["80→8080", "81→8080"],
        check: "HTTP:8080/health",
        presence: "register",
        refused: [],
      },
    ],
    [
      "another host is there, and no task here: this one leaves",
      [every(0, { ...NONE, presence: "out" })],
      { instances: new Set([US, "i-b"]) },
      { ...nothing, presence: "deregister" },
    ],
  ])("%s", (_, wishes, over, expected) => {
    expect(short(wishes, over)).toEqual(expected);
  });

  it("shows the same as a difference and as calls, policies and back end included", () => {
    const plan = planBalancer(
      balancer({
        listeners: [listener(80, 32_768, ["stick"])],
        backEnds: new Map([[32_768, ["proxy"]]]),
        instances: new Set(),
      }),
      [every(40_000)],
      US,
    );
    expect(isEmptyPlan(plan)).toBe(false);
    expect(planDiff(plan, US)).toEqual([
      "- listener 80/HTTP → 32768/HTTP",
      "+ listener 80/HTTP → 40000/HTTP (a, policies stick kept, back-end policies proxy kept)",
      "- health check HTTP:32768/health every 30 s, timeout 5 s, healthy after 10, unhealthy after 2",
      "+ health check HTTP:40000/health every 30 s, timeout 5 s, healthy after 10, unhealthy after 2",
      "- back-end policies of instance port 32768",
      `+ instance ${US}`,
    ]);
    expect(callsOfPlan(plan, US).map(callText)).toEqual([
      "CreateLoadBalancerListeners web listener 80/HTTP → 32768/HTTP",
      "SetLoadBalancerPoliciesOfListener web listener 80: stick",
      "SetLoadBalancerPoliciesForBackendServer web instance port 40000: proxy",
      "DeleteLoadBalancerListeners web listener 80",
      "CreateLoadBalancerListeners web listener 80/HTTP → 40000/HTTP",
      "SetLoadBalancerPoliciesOfListener web listener 80: stick",
      "ConfigureHealthCheck web HTTP:40000/health every 30 s, timeout 5 s, healthy after 10, unhealthy after 2",
      "SetLoadBalancerPoliciesForBackendServer web instance port 32768: no policy",
      `RegisterInstancesWithLoadBalancer web ${US}`,
    ]);
  });
});

test.each([
  [{}, "HTTP:1/health", 30, 5],
  [{ path: "/x" }, "HTTP:1/x", 30, 5],
  [{ protocol: "TCP" as const }, "TCP:1", 30, 5],
  [{ protocol: "HTTPS" as const }, "HTTPS:1/health", 30, 5],
  [{ intervalSeconds: 5 }, "HTTP:1/health", 5, 4],
  [{ timeoutSeconds: 40 }, "HTTP:1/health", 41, 40],
])("a health check that shall be %j", (wish, target, intervalSeconds, timeoutSeconds) => {
  const listeners = [{ instancePort: 32_768, wanted: 1 }];
  expect(wishedCheck(CHECK, { listeners, wish })).toEqual({
    ...CHECK,
    target,
    intervalSeconds,
    timeoutSeconds,
  });
});

const target = (port: number) => ({ id: US, port });
const state = (port: number, word: string) => ({ id: US, port, state: word, reason: "" });
const own = (port: number) => ({ targetGroupArn: "g", id: US, port });

test.each([
  ["wanted and not there", [target(1)], [], [], { register: [target(1)] }],
  ["wanted and there", [target(1)], [state(1, "healthy")], [own(1)], {}],
  [
    "wanted, there by somebody else",
    [target(1)],
    [state(1, "healthy")],
    [],
    { others: [target(1)] },
  ],
  ["wanted and draining", [target(1)], [state(1, "draining")], [own(1)], { register: [target(1)] }],
  ["not wanted, ours", [], [state(1, "unhealthy")], [own(1)], { deregister: [target(1)] }],
  ["not wanted, somebody else's", [], [state(1, "healthy")], [], {}],
  ["not wanted, ours, draining", [], [state(1, "draining")], [own(1)], { forget: [target(1)] }],
  [
    "two ports of one instance",
    [target(1), target(2)],
    [state(1, "healthy")],
    [own(1)],
    { register: [target(2)] },
  ],
])("a target that is %s", (_, wanted, there, ours, expected) => {
  const empty = { register: [], deregister: [], forget: [], others: [] };
  expect(planTargets(wanted, there, ours)).toEqual({ ...empty, ...expected });
});

test.each([
  [0, undefined, []],
  [20, undefined, [20]],
  [21, undefined, ["all"]],
  [100, 400, ["all"]],
  // Five questions by name cost less than six pages.
  [100, 2_400, [20, 20, 20, 20, 20]],
  [1, 5_000, [1]],
])("%i names among %s load balancers are asked for by %j", (count, total, expected) => {
  const names = Array.from({ length: count }, (_, n) => `lb-${n}`);
  const questions = questionsFor(names, total);
  expect(questions.map((one) => (one.kind === "all" ? "all" : one.names.length))).toEqual(expected);
});

test.each([
  [8_080, undefined],
  [32_768, "32768-60999"],
  [31_000, "30000-40000"],
  [65_535, "49153-65535"],
])("port %i is refused as one of %s", (port, range) => {
  const problem = takenProblem(port, localPortRange("30000\t40000\n"));
  if (range === undefined) expect(problem).toBeUndefined();
  else expect(problem).toContain(port === 32_768 ? "30000-40000" : range);
});
