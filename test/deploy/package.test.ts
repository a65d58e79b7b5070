import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { lambdaLab, SCHEDULED } from "../support/lambda-lab.ts";

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
  const isPart = (path: string) => /^dist\/agent\/[\w-]+-[A-Z0-9]{8}\.mjs(\.map)?$/.test(path);
  const paths = packed.files.map(({ path }) => path);
  expect(paths.filter(isPart)).not.toHaveLength(0);
  expect(paths.filter((path) => !isPart(path)).toSorted()).toEqual([
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
  const maps = packed.files.filter(({ path }) => path.endsWith(".map"));
  const sources = await Promise.all(
    maps.map(async ({ path }) => {
      const map = JSON.parse(await readFile(join(ROOT, path), "utf8")) as {
        readonly sources: readonly string[];
      };
      return map.sources;
    }),
  );
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
  const bundled = sources
    .flat()
    .flatMap((source) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(source)?.[1] ?? []);
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

describe("the sweep's function", () => {
  it("is one file that exports its handler, as sweep.yaml names it", async () => {
    const script = `import("${join(ROOT, "dist/sweep.mjs")}").then(({ handler }) => console.log(typeof handler))`;
    const { stdout } = await run(process.execPath, ["-e", script], { cwd: folder, env: {} });
    expect(stdout.trim()).toBe("function");
    expect(readFileSync(join(ROOT, "deploy/sweep.yaml"), "utf8")).toContain(
      "Handler: sweep.handler",
    );
  });

  it("sweeps, alone in a folder as AWS Lambda unpacks it, for a scheduled event", async () => {
    const taskRoot = join(folder, "task");
    await mkdir(taskRoot);
    await copyFile(join(ROOT, "dist/sweep.mjs"), join(taskRoot, "sweep.mjs"));
    await using one = await lambdaLab(pathToFileURL(join(taskRoot, "sweep.mjs")).href);
    const { report, log } = await one.invoke(SCHEDULED);
    expect(report).toMatchObject({ seen: 6, deleted: [{ reason: "task-missing" }], unsure: [] });
    expect(one.lab.zone.now()).toEqual(one.alive);
    expect(log.at(-1)).toMatchObject({ message: "swept", deleted: 1, kept: 5 });
  });

  it("says what is wrong with its variables in one sentence", async () => {
    await using one = await lambdaLab(pathToFileURL(join(ROOT, "dist/sweep.mjs")).href);
    const { error } = await one.invoke({}, { env: { HOSTED_ZONE_ID: "nonsense" } });
    expect(error).toMatch(
      /^HOSTED_ZONE_ID: expected a Route 53 hosted zone id .*, got "nonsense"$/,
    );
    expect(one.lab.ecs.requests).toEqual([]);
  });
});
