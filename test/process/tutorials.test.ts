import { readdirSync } from "node:fs";
import { expect, it, test } from "@jest/globals";
import { haproxyProgram } from "../support/haproxy.ts";
import { blocksIn, difference, runSteps, stepsIn } from "../support/tutorial.ts";

const FOLDER = "docs/tutorials";
const HERE = ["ambassador", "balancer", "cluster", "convert", "discover", "login", "proxy"];
/** Nobody runs these yet: kube's builds a control plane. */
const NOT_RUN = ["kube"];
const LIMIT_MS = 300_000;

const [setUp = ""] = blocksIn(`${FOLDER}/README.md`, "sh");
const stepsOf = (name: string) =>
  blocksIn(`${FOLDER}/${name}.md`, "console").flatMap((block) => stepsIn(block));

test("every tutorial is run here, or listed as one that is not", () => {
  const names = readdirSync(new URL(`../../${FOLDER}`, import.meta.url)).map((file) =>
    file.replace(/\.md$/, ""),
  );
  expect(names.toSorted()).toEqual(["README", ...HERE, ...NOT_RUN].toSorted());
});

// They mostly wait, so all run at once.
const runs = new Map<string, Promise<readonly string[]>>();
test("they can be set up", async () => {
  await haproxyProgram();
  for (const name of HERE) runs.set(name, runSteps(setUp, stepsOf(name)));
});

test.each(HERE)(
  "%s: each command prints what the document shows",
  async (name) => {
    expect(stepsOf(name).length).toBeGreaterThan(1);
    expect(await runs.get(name)).toEqual([]);
  },
  LIMIT_MS,
);

it("tells outputs apart", () => {
  expect(difference(["a … c", "…", "z"], "a b c\nd\nz")).toBeUndefined();
  expect(difference(["a … c", "z"], "a b c\nd\nz")).toContain('"z" from line 2');
  expect(difference(["a"], "a\nb")).toContain("expected no more");
  expect(difference(["…"], "")).toBeUndefined();
});
