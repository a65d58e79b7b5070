import { describe, expect, it, test } from "@jest/globals";
import { addBalancer, plainBalancer } from "../../../../lib/standins/elb/classic-state.ts";
import { Form, Refusal } from "../../../../lib/standins/elb/form.ts";
import { elbRules } from "../../../../lib/standins/elb/server.ts";
import { addGroup, plainTargets } from "../../../../lib/standins/elb/targets-rules.ts";
import { GROUP } from "../../../support/balancer-world.ts";
import { INSTANCE, web } from "../../../support/elb.ts";
import { virtualClock } from "../../../support/virtual-clock.ts";

const CLASSIC = "2012-06-01";
const V2 = "2015-12-01";
type Fields = Readonly<Record<string, string | number>>;

/** The code of the refusal; "ok" without one. */
function world() {
  const clock = virtualClock();
  const rules = elbRules(clock);
  addBalancer(rules.classic, web());
  addGroup(rules.targets, { arn: GROUP, port: 80, delaySeconds: 2 });
  const ask = (version: string, operation: string, fields: Fields): string => {
    const form = new URLSearchParams(
      Object.entries(fields).map(([name, value]) => [name, String(value)]),
    );
    try {
      rules.answer(version, operation, new Form(form.toString()));
      return "ok";
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return error.code;
    }
  };
  return { rules, clock, ask };
}

const WEB = { LoadBalancerName: "web" };
const listener = (over: Fields = {}): Fields => ({
  ...WEB,
  "Listeners.member.1.LoadBalancerPort": 80,
  "Listeners.member.1.Protocol": "HTTP",
  "Listeners.member.1.InstancePort": 32_768,
  "Listeners.member.1.InstanceProtocol": "HTTP",
  ...over,
});
const at = (name: string) => `Listeners.member.1.${name}`;
const check = (over: Fields = {}): Fields => ({
  ...WEB,
  "HealthCheck.Target": "TCP:80",
  "HealthCheck.Interval": 30,
  "HealthCheck.Timeout": 5,
  "HealthCheck.UnhealthyThreshold": 2,
  "HealthCheck.HealthyThreshold": 10,
  ...over,
});

describe("the stand-in of Classic Load Balancers", () => {
  test.each<readonly [string, string, Fields, string]>([
    ["an operation that it does not know", "CreateLoadBalancer", WEB, "InvalidAction"],
    [
      "a field that it does not know",
      "DeleteLoadBalancerListeners",
      { ...WEB, Force: "true" },
      "ValidationError",
    ],
    [
      "an unknown load balancer",
      "ConfigureHealthCheck",
      check({ LoadBalancerName: "x" }),
      "LoadBalancerNotFound",
    ],
    [
      "one unknown name among several",
      "DescribeLoadBalancers",
      { "LoadBalancerNames.member.1": "web", "LoadBalancerNames.member.2": "x" },
      "LoadBalancerNotFound",
    ],
    ["a page of 401", "DescribeLoadBalancers", { PageSize: 401 }, "ValidationError"],
    [
      "a listener with another instance port",
      "CreateLoadBalancerListeners",
      listener({ [at("InstancePort")]: 40_000 }),
      "DuplicateListener",
    ],
    [
      "HTTP that leads to TCP",
      "CreateLoadBalancerListeners",
      listener({ [at("LoadBalancerPort")]: 81, [at("InstanceProtocol")]: "TCP" }),
      "InvalidConfigurationRequest",
    ],
    [
      "HTTPS without a certificate",
      "CreateLoadBalancerListeners",
      listener({ [at("LoadBalancerPort")]: 443, [at("Protocol")]: "HTTPS" }),
      "InvalidConfigurationRequest",
    ],
    [
      "one instance port both secure and not",
      "CreateLoadBalancerListeners",
      listener({ [at("LoadBalancerPort")]: 81, [at("InstanceProtocol")]: "HTTPS" }),
      "InvalidConfigurationRequest",
    ],
    [
      "a policy that is not there",
      "SetLoadBalancerPoliciesOfListener",
      { ...WEB, LoadBalancerPort: 80, "PolicyNames.member.1": "none" },
      "PolicyNotFound",
    ],
    [
      "policies of a listener that is not there",
      "SetLoadBalancerPoliciesOfListener",
      { ...WEB, LoadBalancerPort: 81, "PolicyNames.member.1": "stick" },
      "ListenerNotFound",
    ],
    [
      "a listener's policy on a back end",
      "SetLoadBalancerPoliciesForBackendServer",
      { ...WEB, InstancePort: 80, "PolicyNames.member.1": "stick" },
      "InvalidConfigurationRequest",
    ],
    [
      "a timeout as long as the interval",
      "ConfigureHealthCheck",
      check({ "HealthCheck.Interval": 5 }),
      "ValidationError",
    ],
    [
      "an HTTP check without a path",
      "ConfigureHealthCheck",
      check({ "HealthCheck.Target": "HTTP:80" }),
      "ValidationError",
    ],
    [
      "an id that is no instance's",
      "RegisterInstancesWithLoadBalancer",
      { ...WEB, "Instances.member.1.InstanceId": "web-1" },
      "InvalidInstance",
    ],
  ])("refuses %s, and nothing has changed", (_, operation, fields, code) => {
    const { rules, ask } = world();
    const before = plainBalancer(rules.classic, "web");
    expect(ask(CLASSIC, operation, fields)).toBe(code);
    expect(plainBalancer(rules.classic, "web")).toEqual(before);
  });

  it("takes a listener with the same settings again, and deletes one that is not there", () => {
    const { ask } = world();
    expect(ask(CLASSIC, "CreateLoadBalancerListeners", listener())).toBe("ok");
    const gone = { ...WEB, "LoadBalancerPorts.member.1": 81 };
    expect(ask(CLASSIC, "DeleteLoadBalancerListeners", gone)).toBe("ok");
  });

  it("counts a deleted listener as there for as long as it is told to; its policies are gone, the back end's stay", async () => {
    const { rules, clock, ask } = world();
    rules.classic.deleteTakesMs = 1_000;
    expect(
      ask(CLASSIC, "DeleteLoadBalancerListeners", { ...WEB, "LoadBalancerPorts.member.1": 80 }),
    ).toBe("ok");
    const anew = listener({ [at("InstancePort")]: 40_000 });
    expect(ask(CLASSIC, "CreateLoadBalancerListeners", anew)).toBe("DuplicateListener");
    await clock.pass(clock.now() + 1_001);
    expect(ask(CLASSIC, "CreateLoadBalancerListeners", anew)).toBe("ok");
    const { listeners, backEnds } = plainBalancer(rules.classic, "web");
    expect(listeners).toMatchObject([{ instancePort: 40_000, policies: [] }]);
    expect(backEnds).toEqual({ 32768: ["proxy"] });
  });
});

describe("the stand-in of target groups", () => {
  const target = (port: number, id = INSTANCE): Fields => ({
    TargetGroupArn: GROUP,
    "Targets.member.1.Id": id,
    "Targets.member.1.Port": port,
  });

  test.each<readonly [string, string, Fields, string]>([
    ["an operation that it does not know", "DeleteTargetGroup", {}, "InvalidAction"],
    [
      "a field that it does not know",
      "RegisterTargets",
      { TargetGroupArn: GROUP, Weight: 1 },
      "ValidationError",
    ],
    [
      "an unknown group",
      "RegisterTargets",
      { ...target(1), TargetGroupArn: "arn:none" },
      "TargetGroupNotFound",
    ],
    [
      "an address in a group of instances",
      "RegisterTargets",
      target(1, "10.0.0.1"),
      "InvalidTarget",
    ],
  ])("refuses %s", (_, operation, fields, code) => {
    const { rules, ask } = world();
    expect(ask(V2, operation, fields)).toBe(code);
    expect(plainTargets(rules.targets, GROUP)).toEqual([]);
  });

  it("keeps one instance with two ports apart, and forgets what has drained", async () => {
    const { rules, clock, ask } = world();
    for (const port of [1, 2]) expect(ask(V2, "RegisterTargets", target(port))).toBe("ok");
    expect(ask(V2, "DeregisterTargets", target(1))).toBe("ok");
    expect(ask(V2, "DeregisterTargets", target(3))).toBe("ok");
    expect(plainTargets(rules.targets, GROUP)).toEqual([`${INSTANCE}:1 draining`, `${INSTANCE}:2`]);
    await clock.pass(clock.now() + 2_001);
    expect(ask(V2, "DescribeTargetHealth", { TargetGroupArn: GROUP })).toBe("ok");
    expect(plainTargets(rules.targets, GROUP)).toEqual([`${INSTANCE}:2`]);
  });
});
