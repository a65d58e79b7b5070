import { describe, expect, it, test } from "@jest/globals";
import { serviceDefinitionOf, taskDefinitionOf } from "../../../lib/ecs/definition.ts";
import {
  type Shape,
  serviceShape,
  taskDefinitionShape,
} from "../../../lib/ecs/definition-shape.ts";
import { type Mapped, manifestsOf } from "../../../lib/kubernetes/manifests.ts";
import { type Leaf, leavesOf, other, wholeService, wholeTask } from "../../support/definitions.ts";

const NAMES = new Map([
  ["arn:aws:secretsmanager:::secret:pull", "pull"],
  ["arn:aws:s3:::bucket/web.env", "web-env"],
  ["/prod/db", "db/password"],
]);

const mapped = (task: unknown, service: unknown): Mapped =>
  manifestsOf(
    {
      task: taskDefinitionOf(task),
      service: serviceDefinitionOf(service),
      fallbackName: "app",
    },
    { serviceType: "LoadBalancer", hostPorts: "drop", names: NAMES },
  );

const before = mapped(wholeTask, wholeService);

function isTold(path: string, { findings }: Mapped): boolean {
  return findings.some(({ member }) => {
    const plain = member.replace(/^service\./, "");
    return path === plain || path.startsWith(`${plain}.`) || path.startsWith(`${plain}[`);
  });
}

const objectsIn = (one: Mapped) =>
  one.kind === "manifests" ? JSON.stringify(one.objects) : JSON.stringify(one.refusals);

/** Every leaf is mapped (another value gives other objects, or is refused) or reported by name. */
function lost(leaves: readonly Leaf[], change: (leaf: Leaf) => Mapped): readonly string[] {
  return leaves
    .filter((leaf) => {
      const after = change(leaf);
      const isSame = objectsIn(after) === objectsIn(before);
      return isSame && !isTold(leaf.path, before) && !isTold(leaf.path, after);
    })
    .map(({ path }) => path);
}

describe("a definition in which every member stands", () => {
  it("is one that a pod can be", () => {
    expect(before.kind === "refused" ? before.refusals : []).toEqual([]);
  });

  test.each([
    ["a task definition", wholeTask, taskDefinitionShape],
    ["a service", wholeService, serviceShape],
  ] as const)("%s has every member of the API", (_, whole, shape) => {
    const there = new Set(leavesOf(whole).map(({ pattern }) => pattern));
    const paths = (one: Shape, at = ""): string[] => {
      if (typeof one === "string") return [at];
      if ("list" in one) return paths(one.list, `${at}[]`);
      return Object.entries(one.members).flatMap(([name, member]) =>
        paths(member, at === "" ? name : `${at}.${name}`),
      );
    };
    const missing = paths(shape).filter(
      (path) => ![...there].some((one) => one === path || one.startsWith(`${path}.`)),
    );
    expect(missing).toEqual([]);
  });

  it("has no member of the task definition that is lost in silence", () => {
    const change = (leaf: Leaf) => mapped(leaf.with(other(leaf.value)), wholeService);
    expect(lost(leavesOf(wholeTask), change)).toEqual([]);
  });

  it("has no member of the service that is lost in silence", () => {
    const change = (leaf: Leaf) => mapped(wholeTask, leaf.with(other(leaf.value)));
    expect(lost(leavesOf(wholeService), change)).toEqual([]);
  });

  it("gives the same objects every time, and says each thing once", () => {
    expect(mapped(wholeTask, wholeService)).toEqual(before);
    const lines = before.findings.map(({ member, why }) => `${member} ${why}`);
    expect(new Set(lines).size).toBe(lines.length);
  });

  it("says of everything why, and what to do", () => {
    for (const { member, why, todo } of before.findings) {
      expect({ member, said: why.length > 10 && todo.length > 5 }).toEqual({ member, said: true });
    }
  });
});

describe("what ECS does anyway", () => {
  /** As DescribeServices answers of a service for which nobody asked for more. */
  const described = {
    serviceName: "web",
    status: "ACTIVE",
    desiredCount: 1,
    launchType: "EC2",
    platformVersion: "LATEST",
    propagateTags: "NONE",
    availabilityZoneRebalancing: "DISABLED",
    enableECSManagedTags: false,
    enableExecuteCommand: false,
    schedulingStrategy: "REPLICA",
    deploymentController: { type: "ECS" },
    deploymentConfiguration: {
      deploymentCircuitBreaker: { enable: false, rollback: false },
      maximumPercent: 200,
      minimumHealthyPercent: 100,
      strategy: "ROLLING",
      bakeTimeInMinutes: 0,
      alarms: { alarmNames: [], rollback: false, enable: false },
    },
    loadBalancers: [],
    serviceRegistries: [],
    placementConstraints: [],
    placementStrategy: [],
    deployments: [{ id: "ecs-svc/1" }],
    events: [{ message: "has reached a steady state" }],
  };
  const task = {
    family: "web",
    containerDefinitions: [{ name: "web", image: "nginx", versionConsistency: "disabled" }],
  };

  it("is not reported as lost", () => {
    expect(mapped(task, described).findings).toEqual([]);
  });

  test.each([
    ["launchType", "FARGATE"],
    ["platformVersion", "1.4.0"],
    ["propagateTags", "SERVICE"],
    ["availabilityZoneRebalancing", "ENABLED"],
    ["deploymentConfiguration.bakeTimeInMinutes", 5],
    ["deploymentConfiguration.alarms", { alarmNames: ["a"], rollback: false, enable: true }],
  ])("anything else is: %s", (path, value) => {
    const [outer = "", inner] = path.split(".");
    const changed = inner === undefined ? value : { [inner]: value };
    const { findings } = mapped(task, { ...described, [outer]: changed });
    expect(findings.map(({ member, kind }) => [member, kind])).toEqual([[path, "unmapped"]]);
  });

  it("and a task definition that is named by whatever text is named so", () => {
    const { findings } = mapped(task, { ...described, taskDefinition: "Ignored/implied for now" });
    expect(findings[0]?.why).toContain('names "Ignored/implied for now"');
  });
});
