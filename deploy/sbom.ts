import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Metafile } from "esbuild";

interface Component {
  readonly "bom-ref": string;
  readonly [field: string]: unknown;
}

/** As much of CycloneDX as is read here. */
interface Sbom {
  readonly bomFormat: string;
  readonly specVersion: string;
  readonly version: number;
  readonly metadata: { readonly component: Component };
  readonly components: readonly Component[];
  readonly dependencies: readonly {
    readonly ref: string;
    readonly dependsOn: readonly string[];
  }[];
}

/**
 * The bill of materials of a bundle, in CycloneDX: exactly the packages with code in it, each as npm knows it (version,
 * licence, hash). The same bundle gives the same text. Throws when npm does not know one of them.
 * npm's own choice will not do: for it all of these are tools of development, since the bundle needs none of them.
 */
export async function sbomOf(metafile: Metafile): Promise<Sbom> {
  const bundled = await packagesIn(metafile);
  const { stdout } = await promisify(execFile)(
    "npm",
    ["sbom", "--sbom-format=cyclonedx", "--package-lock-only"],
    { maxBuffer: 64 * 1024 * 1024 },
  );
  const { bomFormat, specVersion, version, metadata, components, dependencies } = JSON.parse(
    stdout,
  ) as Sbom;
  const { component } = metadata;
  const known = new Set(components.map((one) => one["bom-ref"]));
  const unknown = [...bundled].filter((ref) => !known.has(ref));
  if (unknown.length > 0) throw new Error(`expected npm to know ${unknown.join(", ")}: run npm ci`);
  const root = component["bom-ref"];
  return {
    bomFormat,
    specVersion,
    version,
    metadata: {
      component: { ...component, type: "application", name: root.replace(/@[^@]*$/, "") },
    },
    components: components
      .filter((one) => bundled.has(one["bom-ref"]))
      .map((one) => ({ ...one, scope: "required", properties: undefined })),
    dependencies: dependencies
      .filter(({ ref }) => ref === root || bundled.has(ref))
      .map(({ ref, dependsOn }) => ({
        ref,
        dependsOn: dependsOn.filter((one) => bundled.has(one)),
      })),
  };
}

/** As `name@version`. */
async function packagesIn({ outputs }: Metafile): Promise<ReadonlySet<string>> {
  const folders = new Set(
    Object.values(outputs)
      .flatMap(({ inputs }) => Object.keys(inputs))
      .flatMap((file) => {
        const [folder] = /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file) ?? [];
        return folder === undefined ? [] : [folder];
      }),
  );
  const names = [...folders].map(async (folder) => {
    const manifest = JSON.parse(await readFile(join(folder, "package.json"), "utf8")) as {
      readonly name: string;
      readonly version: string;
    };
    return `${manifest.name}@${manifest.version}`;
  });
  return new Set(await Promise.all(names));
}
