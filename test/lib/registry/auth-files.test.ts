import { describe, expect, it, test } from "@jest/globals";
import fc from "fast-check";
import { authOf, mergeDockerConfig, mergeEcsConfig } from "../../../lib/registry/auth-files.ts";

const none: ReadonlySet<string> = new Set();
const merge = (text: string | undefined, set: Record<string, string>, remove = none) => {
  const merged = mergeDockerConfig(text, { set: new Map(Object.entries(set)), remove });
  if ("problem" in merged) throw new Error(merged.problem);
  return merged;
};

describe("Docker's config.json", () => {
  it("is made where there is none", () => {
    expect(JSON.parse(merge(undefined, { "quay.io": "YQ==" }).text)).toEqual({
      auths: { "quay.io": { auth: "YQ==" } },
    });
  });

  it("keeps everything of others, and loses only what is to go", () => {
    const before = {
      proxies: { default: {} },
      auths: {
        "a.io": { auth: "x", email: "e" },
        "b.io": { auth: "y", identitytoken: "t" },
        "c.io": {},
      },
      credHelpers: { "d.io": "ecr-login" },
    };
    const { text } = merge(JSON.stringify(before), { "b.io": "z" }, new Set(["a.io"]));
    expect(JSON.parse(text)).toEqual({
      ...before,
      auths: { "b.io": { auth: "z" }, "c.io": {} },
    });
  });

  it("stays as it is written where nothing changes", () => {
    const text = '{ "auths": {"quay.io": {"auth": "YQ=="}}, "x": 1}';
    expect(merge(text, { "quay.io": "YQ==" }).text).toBe(text);
  });

  it("is told to have what wins over a login", () => {
    const text = JSON.stringify({ credsStore: "desktop", credHelpers: { "quay.io": "x" } });
    expect(merge(text, { "quay.io": "YQ==" }).notes).toEqual([
      "config.json has a credsStore, which wins over every login written here",
      "config.json has a credHelper for quay.io, which wins over its login",
    ]);
  });

  test.each(['{"auths": {"quay.io": {"auth": "c2VjcmV0"}', "[]", '{"auths": []}', "c2VjcmV0"])(
    "is left alone as %j, and never quoted",
    (text) => {
      const merged = mergeDockerConfig(text, { set: new Map([["a", "b"]]), remove: none });
      expect("problem" in merged && merged.problem).toContain("mend it, or remove it");
      expect(JSON.stringify(merged)).not.toContain("c2VjcmV0");
    },
  );
});

describe("ecs.config", () => {
  test.each([
    [
      undefined,
      { "a.io": "x" },
      'ECS_ENGINE_AUTH_TYPE=dockercfg\nECS_ENGINE_AUTH_DATA={"a.io":{"auth":"x"}}\n',
    ],
    [
      "ECS_CLUSTER=c\nECS_ENGINE_AUTH_TYPE=docker\nECS_ENGINE_AUTH_DATA=old\n# ECS_ENGINE_AUTH_DATA is ours\nX=1",
      { "b.io": "y", "a.io": "x" },
      'ECS_CLUSTER=c\n# ECS_ENGINE_AUTH_DATA is ours\nX=1\nECS_ENGINE_AUTH_TYPE=dockercfg\nECS_ENGINE_AUTH_DATA={"a.io":{"auth":"x"},"b.io":{"auth":"y"}}\n',
    ],
    ["ECS_CLUSTER=c\nECS_ENGINE_AUTH_DATA=old\n", {}, "ECS_CLUSTER=c\n"],
    [undefined, {}, ""],
  ])("of %j with %j", (before, auths, after) => {
    expect(mergeEcsConfig(before, new Map(Object.entries(auths)))).toBe(after);
  });

  it("is the same after the second time, whatever was in it", () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.dictionary(fc.stringMatching(/^[a-z.]{1,9}$/), fc.base64String()),
        (text, auths) => {
          const all = new Map(Object.entries(auths));
          const once = mergeEcsConfig(text, all);
          expect(mergeEcsConfig(once, all)).toBe(once);
        },
      ),
    );
  });
});

test("a login is user and password in base64, as UTF-8", () => {
  expect(authOf("joe", "pä:ss")).toBe(Buffer.from("joe:pä:ss").toString("base64"));
});
