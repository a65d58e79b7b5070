import { describe, expect, it, test } from "@jest/globals";
import fc from "fast-check";
import { serviceDefinitionOf, taskDefinitionOf } from "../../../lib/ecs/definition.ts";
import { definitionsIn } from "../../../lib/ecs/definition-find.ts";
import { resolveTemplate } from "../../../lib/ecs/definition-template.ts";
import { leavesOf, wholeService, wholeTask } from "../../support/definitions.ts";

const container = { name: "web", image: "nginx" };
const pascal = (value: unknown, isMap = false): unknown => {
  if (Array.isArray(value)) return value.map((item) => pascal(item));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [
      isMap ? name : name.slice(0, 1).toUpperCase() + name.slice(1),
      pascal(member, ["options", "dockerLabels", "driverOpts", "labels"].includes(name)),
    ]),
  );
};

describe("a definition", () => {
  it("is the same in the spelling of CloudFormation", () => {
    const { trustedExecutionConfiguration: _, ...task } = wholeTask;
    expect(taskDefinitionOf(pascal(task))).toEqual({ value: task, problems: [] });
    const { hookDetails: _details, ...hook } =
      wholeService.deploymentConfiguration?.lifecycleHooks?.[0] ?? {};
    const service = {
      ...wholeService,
      deploymentConfiguration: { ...wholeService.deploymentConfiguration, lifecycleHooks: [hook] },
    };
    expect(serviceDefinitionOf(pascal(service))).toEqual({ value: service, problems: [] });
  });

  it("takes digits for numbers, texts for flags, and numbers for texts", () => {
    const { value, problems } = taskDefinitionOf({
      cpu: 256,
      containerDefinitions: [
        { memory: "512", essential: "True", environment: [{ name: "A", value: 5 }] },
      ],
    });
    expect(problems).toEqual([]);
    expect(value).toEqual({
      cpu: "256",
      containerDefinitions: [
        { memory: 512, essential: true, environment: [{ name: "A", value: "5" }] },
      ],
    });
  });

  test.each([
    [
      { family: "a", Family: "b" },
      "family",
      "twice",
      'expected one spelling, got both "family" and "Family"',
    ],
    [
      { containerDefinitions: {} },
      "containerDefinitions",
      "type",
      "expected a list, got an object",
    ],
    [
      { containerDefinitions: [{ memory: "1.5" }] },
      "containerDefinitions[0].memory",
      "type",
      'expected a whole number, got "1.5"',
    ],
    [
      { containerDefinitions: [{ essential: "yes" }] },
      "containerDefinitions[0].essential",
      "type",
      'expected true or false, got "yes"',
    ],
    [
      { containerDefinitions: [{ portMappings: [{ protcol: "tcp" }] }] },
      "containerDefinitions[0].portMappings[0].protcol",
      "unknown",
      "ECS knows no such member, did you mean protocol?",
    ],
    [
      { volumes: [{ name: "a", readOnly: true }] },
      "volumes[0].readOnly",
      "unknown",
      "ECS knows no such member",
    ],
  ])("%j is told as a problem of %s", (input, member, kind, text) => {
    expect(taskDefinitionOf(input).problems).toEqual([{ member, kind, text }]);
  });

  it("leaves out null, and what only ECS's answers hold", () => {
    const answer = { family: null, revision: 3, status: "ACTIVE", registeredAt: 1, tags: [null] };
    expect(taskDefinitionOf(answer)).toEqual({ value: { tags: [] }, problems: [] });
  });

  it("is told of Service Connect by the primary deployment", () => {
    const serviceConnectConfiguration = { enabled: true };
    const { value } = serviceDefinitionOf({
      serviceName: "a",
      deployments: [{ status: "ACTIVE" }, { status: "PRIMARY", serviceConnectConfiguration }],
    });
    expect(value.serviceConnectConfiguration).toEqual({ enabled: true });
  });

  it("of any shape at all is read, and never throws", () => {
    fc.assert(
      fc.property(fc.anything({ withNullPrototype: true }), (input) => {
        const { value, problems } = taskDefinitionOf(input);
        expect(leavesOf(value).length).toBeGreaterThanOrEqual(0);
        expect(problems.every(({ text }) => !text.includes("\n"))).toBe(true);
        definitionsIn(input);
      }),
    );
  });
});

describe("in a document, definitions are found", () => {
  const task = { family: "web", containerDefinitions: [container] };
  const service = { serviceName: "web", taskDefinition: "web" };
  test.each([
    ["a task definition", task, ["task"]],
    ["a list of containers", [container], ["task"]],
    [
      "an answer of DescribeTaskDefinition",
      { taskDefinition: task, tags: [] },
      ["task taskDefinition"],
    ],
    ["a service", service, ["service"]],
    [
      "an answer of DescribeServices",
      { services: [service, service], failures: [] },
      ["service services[0]", "service services[1]"],
    ],
    ["an answer of CreateService", { service }, ["service service"]],
    [
      "a template",
      {
        Resources: {
          T: { Type: "AWS::ECS::TaskDefinition", Properties: task },
          B: { Type: "AWS::S3::Bucket" },
        },
      },
      ["task Resources.T"],
    ],
    ["a resource", { Type: "AWS::ECS::Service", Properties: service }, ["service"]],
    [
      "a list of manifests",
      { kind: "List", items: [{ kind: "ECSDeployment" }] },
      ["deployment items[0]"],
    ],
    ["both in a list", [task, service], ["task [0]", "service [1]"]],
    ["nothing of ours", { a: 1 }, []],
    ["nothing", null, []],
  ])("%s", (_, document, found) => {
    const { definitions } = definitionsIn(document);
    expect(definitions.map(({ kind, at }) => `${kind} ${at}`.trim())).toEqual(found);
  });

  it("and another manifest is named", () => {
    expect(definitionsIn({ apiVersion: "v1", kind: "Pod" }).problems).toEqual([
      "Pod of v1 is no ECSDeployment",
    ]);
  });
});

describe("a template's functions", () => {
  const resolved = (Properties: unknown, more: object = {}, given: Record<string, string> = {}) => {
    const Resources = { T: { Type: "AWS::ECS::TaskDefinition", Properties } };
    const all = resolveTemplate({ Resources, ...more }, new Map(Object.entries(given)));
    return (all.get("T") as { Properties: { X: unknown } }).Properties.X;
  };
  const Parameters = {
    Tag: { Type: "String", Default: "1" },
    Ports: { Type: "CommaDelimitedList", Default: "80,81" },
    Open: { Type: "String" },
  };
  const Conditions = {
    Yes: { "Fn::Equals": [{ Ref: "Tag" }, "1"] },
    No: { "Fn::Not": [{ Condition: "Yes" }] },
    Unsure: { "Fn::And": [{ Condition: "Yes" }, { "Fn::Equals": [{ Ref: "Open" }, ""] }] },
  };
  const Mappings = { M: { a: { b: "mapped" } } };
  test.each([
    [{ Ref: "Tag" }, "1"],
    [{ Ref: "Ports" }, ["80", "81"]],
    [{ "Fn::Sub": `app:\${Tag}-\${!Tag}` }, `app:1-\${Tag}`],
    [{ "Fn::Sub": [`\${A}/\${Tag}`, { A: { Ref: "Tag" } }] }, "1/1"],
    [{ "Fn::Join": [":", ["a", { Ref: "Tag" }]] }, "a:1"],
    [{ "Fn::Select": ["1", { Ref: "Ports" }] }, "81"],
    [{ "Fn::Split": ["-", "a-b"] }, ["a", "b"]],
    [{ "Fn::FindInMap": ["M", "a", "b"] }, "mapped"],
    [{ "Fn::If": ["Yes", "then", "else"] }, "then"],
    [{ "Fn::If": ["No", "then", { Ref: "AWS::NoValue" }] }, undefined],
    [{ "Fn::If": ["Unsure", "then", "else"] }, "then"],
    [[{ "Fn::If": ["No", "x", { Ref: "AWS::NoValue" }] }, "y"], ["y"]],
    [{ Ref: "Open" }, { text: `\${Open}` }],
    [{ "Fn::GetAtt": ["Role", "Arn"] }, { text: `\${Role.Arn}` }],
    [{ "Fn::Sub": `\${AWS::Region}/x` }, { text: `\${AWS::Region}/x` }],
    [{ "Fn::ImportValue": { "Fn::Sub": `\${Tag}:Vpc` } }, { text: `\${Fn::ImportValue 1:Vpc}` }],
  ])("%j", (given, expected) => {
    const value = resolved({ X: given }, { Parameters, Conditions, Mappings });
    expect(value).toEqual(expected);
  });

  it("take the values given before the defaults", () => {
    const value = { "Fn::Sub": `\${Tag} \${AWS::Region}` };
    expect(resolved({ X: value }, { Parameters }, { Tag: "2", "AWS::Region": "eu-west-1" })).toBe(
      "2 eu-west-1",
    );
  });
});
