import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, sep } from "node:path";
import { fileURLToPath } from "node:url";

/** Licences under which a package may be part of the bundle: they ask for their text to go with it, and no more. */
const ALLOWED: ReadonlySet<string> = new Set([
  "0BSD",
  "Apache-2.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "BlueOak-1.0.0",
  "ISC",
  "MIT",
  "Unlicense",
]);

/** The part of esbuild's metafile that names what went into a bundle. */
export interface Metafile {
  readonly inputs: Readonly<Record<string, unknown>>;
}

export interface BundledPackage {
  readonly name: string;
  readonly version: string;
  /** An SPDX expression, as its package.json says. */
  readonly licence: string;
  /** Of its licence and notice files; empty where the package holds none. */
  readonly text: string;
}

/**
 * The packages whose files are in the bundle, by name and version. Paths in the metafile are relative to `root`.
 * Throws, with every problem there is, when a package names no licence, or none that is allowed.
 */
export function bundledPackages(metafile: Metafile, root: string): readonly BundledPackage[] {
  const folders = new Set(
    Object.keys(metafile.inputs).flatMap((path) => packageFolder(path) ?? []),
  );
  const packages = new Map<string, BundledPackage>();
  const problems: string[] = [];
  for (const folder of [...folders].toSorted()) {
    const { name, version, license } = JSON.parse(
      readFileSync(join(root, folder, "package.json"), "utf8"),
    ) as { readonly name: string; readonly version: string; readonly license?: unknown };
    const text = licenceText(join(root, folder));
    const licence = typeof license === "string" ? license : "none";
    if (!isAllowed(licence)) {
      problems.push(
        `${name}@${version}: expected a licence of ${[...ALLOWED].join(", ")}, got ${licence}`,
      );
    }
    packages.set(`${name}@${version}`, { name, version, licence, text: text ?? "" });
  }
  if (problems.length > 0) throw new Error(problems.join("\n"));
  return [...packages.values()];
}

/** Of `a OR b` one must be allowed, of `a AND b` both. */
function isAllowed(expression: string): boolean {
  const plain = expression.replace(/[()]/g, " ");
  return plain
    .split(/ OR /)
    .some((choice) => choice.split(/ AND /).every((one) => ALLOWED.has(one.trim())));
}

/** `node_modules/a/b.js` is in `node_modules/a`; a file of our own, and what esbuild made up, is in none. */
function packageFolder(path: string): string | undefined {
  return /^(.*\bnode_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path.split(sep).join("/"))?.[1];
}

function licenceText(folder: string): string | undefined {
  const files = readdirSync(folder)
    .filter((file) => /^(licen[cs]e|copying|notice)([.-].*)?$/i.test(file))
    .toSorted();
  const texts = files.map((file) => readFileSync(join(folder, file), "utf8").trim());
  return texts.length === 0 ? undefined : texts.join("\n\n");
}

/** As a file beside the bundle; each text once, however many packages share it. */
export function licencesText(packages: readonly BundledPackage[]): string {
  const byText = new Map<string, BundledPackage[]>();
  for (const one of packages) {
    const key = one.text || `(its package holds no text; its package.json says ${one.licence})`;
    byText.set(key, [...(byText.get(key) ?? []), one]);
  }
  const sections = [...byText].map(([text, of]) => {
    const heads = of.map(({ name, version, licence }) => `${name} ${version} (${licence})`);
    return `${heads.join("\n")}\n\n${text}\n`;
  });
  const rule = `\n${"-".repeat(80)}\n\n`;
  return `ecs-discovery-agent contains the packages below, under their own licences.\n${rule}${sections.join(rule)}`;
}

/** Writes the licences of what is in the bundle, and returns how many packages that are. */
export function writeLicences(metafile: Metafile, file: string, root = process.cwd()): number {
  const packages = bundledPackages(metafile, root);
  writeFileSync(file, licencesText(packages));
  return packages.length;
}

const [, script, metafile, file = "dist/licences.txt"] = process.argv;
if (script === fileURLToPath(import.meta.url)) {
  if (metafile === undefined) throw new Error("usage: node deploy/licences.ts <metafile> [<file>]");
  const count = writeLicences(JSON.parse(readFileSync(metafile, "utf8")) as Metafile, file);
  process.stdout.write(`${file}: the licences of ${count} packages\n`);
}
