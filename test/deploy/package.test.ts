import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "@jest/globals";

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
  readonly version: string;
  readonly dependencies?: unknown;
};

interface Packed {
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
}

let folder: string;
let packed: Packed;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "eda-test-package-"));
  // Silent: what the bundling before it prints would stand before the JSON.
  const { stdout } = await run(
    "npm",
    ["pack", "--json", "--silent", "--pack-destination", folder],
    {
      cwd: ROOT,
    },
  );
  [packed] = JSON.parse(stdout.slice(stdout.indexOf("[\n"))) as [Packed];
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

it("npm pack takes the bundle and its papers, nothing else", () => {
  expect(packed.files.map(({ path }) => path).toSorted()).toEqual([
    "LICENSE",
    "README.md",
    "dist/agent.cdx.json",
    "dist/agent.licences.txt",
    "dist/agent.mjs",
    "dist/agent.mjs.map",
    "package.json",
  ]);
});

it("npx runs the package in an empty folder, and installs nothing besides", async () => {
  const empty = join(folder, "empty");
  await mkdir(empty);
  const { stdout } = await run(
    "npx",
    ["--yes", "--offline", `../${packed.filename}`, "--version"],
    { cwd: empty, env: { ...process.env, npm_config_cache: join(folder, "cache") } },
  );
  expect(stdout.trim()).toBe(manifest.version);
  expect(manifest.dependencies).toBeUndefined();
});

it("the bill of materials names every package with code in the bundle, with version, licence and hash", async () => {
  const map = JSON.parse(await readFile(join(ROOT, "dist/agent.mjs.map"), "utf8")) as {
    readonly sources: readonly string[];
  };
  const bill = JSON.parse(await readFile(join(ROOT, "dist/agent.cdx.json"), "utf8")) as {
    readonly bomFormat: string;
    readonly metadata: { readonly component: { readonly version: string } };
    readonly components: readonly {
      readonly name: string;
      readonly version: string;
      readonly licenses: unknown;
      readonly hashes: unknown;
    }[];
  };
  const bundled = map.sources.flatMap(
    (source) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(source)?.[1] ?? [],
  );
  expect([...new Set(bill.components.map(({ name }) => name))].toSorted()).toEqual(
    [...new Set(bundled)].toSorted(),
  );
  expect(bundled).toEqual(expect.arrayContaining(["zod", "dockerode", "@aws-sdk/client-route-53"]));
  expect(bill).toMatchObject({
    bomFormat: "CycloneDX",
    metadata: { component: { version: manifest.version } },
  });
  for (const component of bill.components) {
    expect(component).toMatchObject({
      version: expect.stringMatching(/^\d/),
      licenses: [expect.anything()],
      hashes: [expect.objectContaining({ alg: "SHA-512" })],
    });
  }
});

it("the sweep's function is one file that exports its handler, as sweep.yaml names it", async () => {
  const script = `import("${join(ROOT, "dist/sweep.mjs")}").then(({ handler }) => console.log(typeof handler))`;
  const { stdout } = await run(process.execPath, ["-e", script], { cwd: folder, env: {} });
  expect(stdout.trim()).toBe("function");
  expect(readFileSync(join(ROOT, "deploy/sweep.yaml"), "utf8")).toContain("Handler: sweep.handler");
});
