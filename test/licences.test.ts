import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { bundledPackages, licencesText, type Metafile } from "../deploy/licences.ts";

const ROOT = fileURLToPath(new URL("../", import.meta.url));
let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "eda-test-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A tree with these packages, and the metafile of a bundle that holds them all. */
function treeOf(packages: readonly { readonly name: string; readonly license?: unknown }[]) {
  const root = mkdtempSync(join(folder, "tree-"));
  for (const one of packages) {
    const place = join(root, "node_modules", one.name);
    mkdirSync(place, { recursive: true });
    writeFileSync(join(place, "package.json"), JSON.stringify({ version: "1.0.0", ...one }));
    writeFileSync(join(place, "LICENSE.md"), `the words of ${one.name}`);
  }
  const inputs = Object.fromEntries(
    packages.map(({ name }) => [`node_modules/${name}/lib/index.js`, {}]),
  );
  return { root, metafile: { inputs: { ...inputs, "agent/main.ts": {} } } };
}

describe("the licences of a bundle", () => {
  test("are those of the packages in it, each once, with their words", () => {
    const { root, metafile } = treeOf([
      { name: "b", license: "ISC" },
      { name: "@a/a", license: "(MIT OR GPL-3.0)" },
    ]);
    const packages = bundledPackages(metafile, root);
    expect(packages).toEqual([
      { name: "@a/a", version: "1.0.0", licence: "(MIT OR GPL-3.0)", text: "the words of @a/a" },
      { name: "b", version: "1.0.0", licence: "ISC", text: "the words of b" },
    ]);
    expect(licencesText(packages)).toContain("b 1.0.0 (ISC)\n\nthe words of b\n");
  });

  test.each([
    ["none", undefined, "none"],
    ["one that asks for more", "GPL-3.0", "GPL-3.0"],
    ["one of which a part asks for more", "MIT AND AGPL-3.0", "MIT AND AGPL-3.0"],
    ["a file that nobody has read", "SEE LICENSE IN x", "SEE LICENSE IN x"],
  ])("that are %s stop the build, and the package is named", (_, license, got) => {
    const { root, metafile } = treeOf([
      { name: "good", license: "MIT" },
      { name: "bad", license },
    ]);
    expect(() => bundledPackages(metafile, root)).toThrow(
      new RegExp(`^bad@1.0.0: expected a licence of .*, got ${got}$`),
    );
  });
});

test("every package that the agent's bundle holds has a licence that allows it", () => {
  const file = join(folder, "meta.json");
  execFileSync(
    join(ROOT, "node_modules/esbuild/bin/esbuild"),
    [
      "agent/main.ts",
      "--bundle",
      "--platform=node",
      "--format=esm",
      "--log-level=error",
      `--metafile=${file}`,
      `--outfile=${join(folder, "agent.mjs")}`,
      // dockerode's SSH transport and BuildKit session are no part of the bundle.
      ...["ssh2", "@grpc/grpc-js", "@grpc/proto-loader", "protobufjs"].map(
        (name) => `--external:${name}`,
      ),
    ],
    { cwd: ROOT },
  );
  const packages = bundledPackages(JSON.parse(readFileSync(file, "utf8")) as Metafile, ROOT);
  expect(packages.map(({ name }) => name)).toEqual(
    expect.arrayContaining(["@aws-sdk/client-route-53", "dockerode", "winston", "zod"]),
  );
});
