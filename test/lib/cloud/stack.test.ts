import { describe, expect, it, test } from "@jest/globals";
import { readTemplate } from "../../../lib/cloud/io/template.ts";
import {
  dataLoss,
  deletionOf,
  inOrder,
  type LiveStack,
  parameterDifferences,
  parametersOf,
  type ResourceChange,
  refusalOf,
  type StackFile,
  stateOf,
} from "../../../lib/cloud/stack.ts";
import { FOLDER_TAG, PREFIX_TAG } from "../../../lib/cloud/tags.ts";

const stack = (base: string, text: string): StackFile => {
  const read = readTemplate(`${base}.cf`, text);
  if ("problems" in read) throw new Error(JSON.stringify(read.problems));
  return { base, name: `p-${base}`, file: `${base}.cf`, template: read.template };
};
const live = (status: string, more: Partial<LiveStack> = {}): LiveStack => ({
  ...{ name: "p-x", id: "id", status, parameters: new Map(), outputs: new Map(), tags: new Map() },
  ...more,
});
const STORAGE = `
Parameters:
  Prefix: { Type: String }
  Size: { Type: Number, Default: 3 }
Resources:
  FileSystem:
    Type: AWS::EFS::FileSystem
    DeletionPolicy: Retain
Outputs:
  FileSystemId: { Value: !Ref FileSystem }
`;
const CLUSTER = `{
  "Parameters": { "FileSystemId": { "Type": "String" }, "Secret": { "Type": "String", "NoEcho": true, "Default": "x" } },
  "Resources": { "Cluster": { "Type": "AWS::ECS::Cluster" } }
}`;

describe("the state of a stack", () => {
  test.each([
    ["CREATE_COMPLETE", "ready"],
    ["UPDATE_ROLLBACK_COMPLETE", "ready"],
    ["UPDATE_IN_PROGRESS", "busy"],
    ["DELETE_IN_PROGRESS", "busy"],
    ["REVIEW_IN_PROGRESS", "absent"],
    ["DELETE_COMPLETE", "absent"],
    ["ROLLBACK_COMPLETE", "stuck"],
    ["CREATE_FAILED", "stuck"],
    ["DELETE_FAILED", "stuck"],
    ["UPDATE_ROLLBACK_FAILED", "stuck"],
  ])("%s is %s", (status, kind) => {
    expect(stateOf(live(status)).kind).toBe(kind);
  });

  it("that is stuck says what to do", () => {
    const state = stateOf(live("ROLLBACK_COMPLETE", { reason: "no such subnet" }));
    expect(state).toEqual({
      kind: "stuck",
      what: "stack p-x is ROLLBACK_COMPLETE (no such subnet): its creation failed, and it can only be deleted: `cluster destroy --confirm`, then apply again",
    });
  });
});

test.each([
  [
    "ours",
    [
      [FOLDER_TAG, "f"],
      [PREFIX_TAG, "p"],
    ],
    false,
    undefined,
  ],
  [
    "of another folder",
    [
      [FOLDER_TAG, "g"],
      [PREFIX_TAG, "p"],
    ],
    false,
    "not of this folder and prefix",
  ],
  ["the original's", [], false, "take it over with --adopt"],
  ["the original's, taken over", [], true, undefined],
] as const)("a stack that is %s", (_, tags, adopt, expected) => {
  const why = refusalOf(live("CREATE_COMPLETE", { tags: new Map(tags) }), {
    owner: { project: "f", prefix: "p" },
    adopt,
  });
  if (expected === undefined) expect(why).toBeUndefined();
  else expect(why).toContain(expected);
});

describe("parameters", () => {
  const storage = stack("storage", STORAGE);
  const cluster = stack("cluster", CLUSTER);
  const param = (value: string) => ({ value, file: "f", line: 1 });

  it("come from the stack's own file, the shared one, an earlier output, the run's names", () => {
    const sources = {
      files: new Map([
        ["storage", new Map([["Size", param("4")]])],
        ["ecs-cluster", new Map([["Size", param("5")]])],
      ]),
      given: { Prefix: "p" },
    };
    expect(parametersOf(storage, sources, []).values).toEqual(
      new Map([
        ["Prefix", "p"],
        ["Size", "4"],
      ]),
    );
    const none = { files: new Map(), given: {} };
    const before = [
      {
        file: storage,
        live: live("CREATE_COMPLETE", { outputs: new Map([["FileSystemId", "fs-1"]]) }),
      },
    ];
    expect(parametersOf(cluster, none, before).values.get("FileSystemId")).toBe("fs-1");
    expect(parametersOf(cluster, none, [{ file: storage, live: undefined }]).later).toEqual(
      new Map([["FileSystemId", "p-storage"]]),
    );
    expect(parametersOf(cluster, none, []).problems).toMatchObject([
      {
        text: "parameter FileSystemId has no value and no default: write FileSystemId=… into cluster.params",
      },
    ]);
  });

  it("differ from what they were, defaults included; hidden ones can't be compared", () => {
    const parameters = new Map([
      ["FileSystemId", "fs-1"],
      ["Secret", "****"],
    ]);
    const differ = (values: readonly (readonly [string, string])[]) =>
      parameterDifferences(cluster, live("CREATE_COMPLETE", { parameters }), new Map(values));
    expect(
      differ([
        ["FileSystemId", "fs-1"],
        ["Secret", "new"],
      ]),
    ).toEqual([]);
    expect(differ([["FileSystemId", "fs-2"]])).toEqual([
      { path: "FileSystemId", before: "fs-1", after: "fs-2" },
    ]);
  });

  it("put the stack that takes an output behind the one that has it", () => {
    expect(inOrder([cluster, storage]).map(({ base }) => base)).toEqual(["storage", "cluster"]);
  });
});

describe("data", () => {
  const change = (more: Partial<ResourceChange>): ResourceChange => ({
    ...{ action: "Modify", id: "FileSystem", type: "AWS::EFS::FileSystem", properties: [] },
    ...more,
  });
  test.each([
    [change({ replacement: "True" }), "would replace FileSystem"],
    [change({ action: "Remove" }), "would remove FileSystem"],
    [change({ replacement: "False" }), undefined],
    [change({ type: "AWS::EC2::SecurityGroup", replacement: "True" }), undefined],
  ])("%j", (one, expected) => {
    const loss = dataLoss("s", [one]);
    if (expected === undefined) expect(loss).toBeUndefined();
    else expect(loss).toContain(expected);
  });

  it("is kept when a folder is destroyed: a stack of its own stays, one with the cluster leaves it or is refused", () => {
    const both = `Resources:\n  C: { Type: AWS::ECS::Cluster }\n  F: { Type: AWS::EFS::FileSystem`;
    const kind = (text: string, deleteData = false) =>
      deletionOf(stack("s", text), { deleteData }).kind;
    expect(kind(STORAGE)).toBe("keep");
    expect(kind(STORAGE, true)).toBe("delete");
    expect(kind(CLUSTER)).toBe("delete");
    expect(kind(`${both} }\n`)).toBe("refuse");
    expect(kind(`${both}, DeletionPolicy: Retain }\n`)).toBe("delete");
  });
});

test.each([
  ["Resources: [", "expected YAML or JSON"],
  ["a: 1", "expected a template with Resources"],
])("the template %j is told as wrong", (text, expected) => {
  const read = readTemplate("x.cf", text);
  expect("problems" in read && read.problems[0]?.text).toContain(expected);
});
