import { describe, expect, it, test } from "@jest/globals";
import { namesOf, parseLocalMake, substitute, variableOf } from "../../../lib/cloud/variables.ts";

const given = { USER: "joe", PROJECT: "ecs-efs" };
const read = (text: string) => parseLocalMake("local.mk", text, given);

describe("local.mk", () => {
  test.each([
    ["PROFILE=work", { PROFILE: "work" }],
    ["PROFILE = work # mine", { PROFILE: "work" }],
    ["export PREFIX := a\r\nPREFIX=b", { PREFIX: "b" }],
    ["PREFIX?=x", { PREFIX: "x" }],
    [
      `PREFIX=$(PROJECT)-$(USER)\nCLUSTER=$${"{PREFIX}"}-c`,
      { PREFIX: "ecs-efs-joe", CLUSTER: "ecs-efs-joe-c" },
    ],
    ["NAME=web\nPREFIX=$(NAME)-1", { PREFIX: "web-1" }],
    ["PREFIX=a$$b", { PREFIX: "a$b" }],
    ["all:\n\tPREFIX=no\ninclude x.mk\nOTHER=$(shell ls)", {}],
  ])("%j", (text, expected) => {
    expect(read(text)).toEqual({ variables: expected, problems: [] });
  });

  test.each(["PREFIX=$(shell whoami)", "PREFIX=$(PREFIX)x", "PREFIX=$(NOBODY)", "PREFIX=a$"])(
    "%j can only be worked out by make",
    (text) => {
      const { variables, problems } = read(`\n${text}`);
      expect(variables).toEqual({});
      expect(problems).toMatchObject([{ file: "local.mk", line: 2 }]);
      expect(problems[0]?.text).toContain("only make can work out");
    },
  );
});

describe("the names", () => {
  it("are the original's where nothing is said", () => {
    const { names, problems } = namesOf({}, { folder: "ecs-efs", user: "joe" });
    expect(problems).toEqual([]);
    expect(names).toMatchObject({
      prefix: "ecs-efs-joe-sandbox",
      cluster: "ecs-efs-joe-sandbox-cluster",
      taskPrefix: "ecs-efs-joe-sandbox-",
      clusterGiven: false,
    });
  });

  it("are each as they are given", () => {
    const variables = { PREFIX: "p", CLUSTER: "prod", TASK_PREFIX: "", PROJECT: "x y" };
    expect(namesOf(variables, { folder: "f", user: "u" }).names).toMatchObject({
      prefix: "p",
      cluster: "prod",
      taskPrefix: "",
      project: "x y",
    });
  });

  it("that AWS would not take are told all at once, with what to set", () => {
    const { problems } = namesOf(
      { CLUSTER: "a b", TASK_PREFIX: "a/" },
      { folder: "my folder", user: "joe" },
    );
    expect(problems).toHaveLength(3);
    expect(problems.join("\n")).toContain("set --prefix or PREFIX");
    expect(problems.join("\n")).toContain("set --taskPrefix or TASK_PREFIX");
  });
});

describe("a template", () => {
  const substitutes = { TASK_PREFIX: "p-", IMAGE_PREFIX: "i-", REGISTRY_BASE: "r.io" };
  // A dollar sign is written as %.
  test.each([
    ["%{TASK_PREFIX}web", "p-web"],
    ["%TASK_PREFIX", "p-"],
    ["%TASK_PREFIXES %{TASK_PREFIX", "%TASK_PREFIXES %{TASK_PREFIX"],
    ["%{REGISTRY_BASE}/%{IMAGE_PREFIX}hello", "r.io/i-hello"],
    ["%{AWS::StackName} %{HOME} %HOME %1", "%{AWS::StackName} %{HOME} %HOME %1"],
  ])("%j becomes %j", (text, expected) => {
    const dollars = (one: string) => one.replaceAll("%", "$");
    expect(substitute(dollars(text), substitutes)).toBe(dollars(expected));
  });
});

test.each([
  ["CONFIRM=true", { name: "CONFIRM", value: "true" }],
  ["PREFIX=a=b", { name: "PREFIX", value: "a=b" }],
  ["HOME=x", undefined],
  ["apply", undefined],
])("the word %j as a variable", (word, expected) => {
  expect(variableOf(word)).toEqual(expected);
});
