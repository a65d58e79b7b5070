import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "@jest/globals";
import { commonFlags } from "../../agent/cli/common-flags.ts";
import { pinnedPython } from "../support/python.ts";
import { readmeCommand } from "../support/readme.ts";

const run = promisify(execFile);
const ROOT = new URL("../../", import.meta.url);
const pathOf = (file: string) => fileURLToPath(new URL(file, ROOT));
const read = (file: string) => readFileSync(pathOf(file), "utf8");

test.each([
  [".github/workflows/ci.yaml", "vendor.github-workflows"],
  [".github/workflows/release.yaml", "vendor.github-workflows"],
  ["deploy/compose.yaml", "vendor.compose-spec"],
])("%s is what its schema (%s) asks for", async (file, schema) => {
  const python = await pinnedPython();
  const check = [join(dirname(python), "check-jsonschema"), "--builtin-schema", schema];
  const { stdout } = await run(python, [...check, pathOf(file)]);
  expect(stdout.trim()).toBe("ok -- validation done");
});

/** The flags of a `docker run` and their values, sorted, in one spelling. */
function dockerFlags(text: string): readonly string[] {
  const [, line = ""] = /docker run (.*)/.exec(text.replaceAll("\\\n", " ")) ?? [];
  return (line.match(/(?:--?[a-z-]+)(?:[ =](?:"[^"]*"|[^-\s]\S*))?/g) ?? [])
    .map((flag) => flag.replace("--volume", "-v").replace("=", " ").replace("%%", "%"))
    .toSorted();
}

/** Who runs the container, and what it may: the rest is a matter of who starts it again. */
const RIGHTS = /^(--network|--read-only|--cap-drop|--security-opt|--group-add|-v|--name) ?/;
const rightsIn = (text: string) => dockerFlags(text).filter((flag) => RIGHTS.test(flag));

test.each(["deploy/user-data.sh", "deploy/ecs-discovery-agent.service"])(
  "%s gives the agent the same rights as the README's docker run",
  (file) => {
    const wanted = rightsIn(readmeCommand("docker run"));
    expect(wanted).toHaveLength(8);
    expect(rightsIn(read(file))).toEqual(wanted);
  },
);

test("deploy/user-data.sh is a script that a shell can read", async () => {
  await expect(run("sh", ["-n", pathOf("deploy/user-data.sh")])).resolves.toBeDefined();
});

test("systemd gives the agent more time to stop than it takes to drain", () => {
  const unit = read("deploy/ecs-discovery-agent.service");
  const [, stop] = /docker stop --time (\d+)/.exec(unit) ?? [];
  const [, limit] = /^TimeoutStopSec=(\d+)$/m.exec(unit) ?? [];
  expect(Number(stop)).toBeGreaterThan(Number(commonFlags.drainTimeout.byDefault));
  expect(Number(limit)).toBeGreaterThan(Number(stop));
});
