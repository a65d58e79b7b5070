import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { inheritedProfile } from "../../../agent/cluster/session.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "profile-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test.each([
  [
    "the original's default, where the configuration has it",
    "[profile sandbox]\nregion=x\n",
    {},
    "sandbox",
  ],
  ["none, where it has another", "[profile sandboxes]\n[default]\n", {}, undefined],
  ["none, where there are credentials", "[sandbox]\n", { AWS_ACCESS_KEY_ID: "x" }, undefined],
  ["none, where another is named", "[sandbox]\n", { AWS_PROFILE: "x" }, undefined],
])("the profile is %s", async (_, config, env, expected) => {
  const file = join(folder, "config");
  await writeFile(file, config);
  const where = { AWS_CONFIG_FILE: file, AWS_SHARED_CREDENTIALS_FILE: join(folder, "none") };
  expect(inheritedProfile({ ...where, ...env })).toBe(expected);
});
