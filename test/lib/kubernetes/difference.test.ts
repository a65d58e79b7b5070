import { describe, expect, it, test } from "@jest/globals";
import { isSameStatus, statusOf } from "../../../lib/kubernetes/conditions.ts";
import { differences } from "../../../lib/kubernetes/difference.ts";
import type { KubeObject } from "../../../lib/kubernetes/object.ts";

describe("what is there differs from what is wanted", () => {
  test.each([
    ["nowhere, by a default", { a: 1 }, { a: 1, b: 2 }, []],
    ["where a value is another", { a: { b: 1 } }, { a: { b: 2 } }, ["a.b"]],
    ["where it is missing", { a: 1 }, {}, ["a"]],
    [
      "nowhere, by an item of others",
      { env: [{ name: "A", value: "1" }] },
      { env: [{ name: "X" }, { name: "A", value: "1" }] },
      [],
    ],
    [
      "at an item of a name",
      { env: [{ name: "A", value: "1" }] },
      { env: [{ name: "A", value: "2" }] },
      ["env[A].value"],
    ],
    [
      "at a port of a protocol",
      { ports: [{ port: 1, protocol: "UDP" }] },
      { ports: [{ port: 1, protocol: "TCP" }] },
      ["ports[1,UDP]"],
    ],
    ["in a plain list as a whole", { args: ["a"] }, { args: ["a", "b"] }, ["args"]],
    ["nowhere, by an empty object", { v: {} }, { v: { medium: "" } }, []],
    ["by a missing empty object", { v: {} }, {}, ["v"]],
  ])("%s", (_, wanted, there, paths) => {
    expect(differences(wanted, there)).toEqual(paths);
  });
});

describe("the status of an ECSDeployment", () => {
  const owner = (status?: object): KubeObject => ({
    metadata: { name: "a", namespace: "n", uid: "u", resourceVersion: "1", generation: 4 },
    ...(status && { status: { ...status } }),
  });
  const workload = (status: object, spec: object = { replicas: 2 }): KubeObject => ({
    kind: "Deployment",
    metadata: { name: "a", uid: "w", resourceVersion: "2", generation: 1 },
    spec: { ...spec },
    status: { observedGeneration: 1, ...status },
  });
  const said = (status: object, spec?: object) =>
    statusOf(owner(), { kind: "mapped", workload: workload(status, spec) }, [], "now")
      .conditions.slice(0, 2)
      .map(({ status: value, reason }) => `${value} ${reason}`);

  test.each([
    [
      { replicas: 2, updatedReplicas: 2, availableReplicas: 2 },
      undefined,
      ["True Available", "False Complete"],
    ],
    [
      { replicas: 2, updatedReplicas: 2, availableReplicas: 1 },
      undefined,
      ["False PodsNotReady", "True RollingOut"],
    ],
    [
      { replicas: 3, updatedReplicas: 2, availableReplicas: 3 },
      undefined,
      ["False PodsNotReady", "True RollingOut"],
    ],
    [
      { observedGeneration: 0, replicas: 2, updatedReplicas: 2, availableReplicas: 2 },
      undefined,
      ["False PodsNotReady", "True RollingOut"],
    ],
    [{}, { replicas: 0 }, ["True Available", "False Complete"]],
    [
      { conditions: [{ type: "Progressing", status: "False", message: "deadline" }] },
      undefined,
      ["False Stuck", "False Stuck"],
    ],
  ])("of a Deployment with %j", (status, spec, expected) => {
    expect(said(status, spec)).toEqual(expected);
  });

  it("keeps the times of conditions that stay, so that the same standing is the same status", () => {
    const standing = { kind: "refused", refusals: [{ member: "m", problem: "p" }] } as const;
    const first = statusOf(owner(), standing, [], "first");
    const second = statusOf(owner(first), standing, [], "second");
    expect(second).toEqual(first);
    expect(isSameStatus(second, owner(first).status)).toBe(true);
    const mended = statusOf(owner(first), { kind: "mapped", workload: undefined }, [], "third");
    expect(mended.conditions.find(({ type }) => type === "Valid")).toMatchObject({
      status: "True",
      lastTransitionTime: "third",
    });
    expect(isSameStatus(mended, owner(first).status)).toBe(false);
  });
});
