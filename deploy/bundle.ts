import { writeFile } from "node:fs/promises";
import { build } from "esbuild";
import { writeLicences } from "./licences.ts";
import { sbomOf } from "./sbom.ts";

/** dockerode's SSH transport and BuildKit session are never used here. */
const UNUSED = /^(ssh2|@grpc\/grpc-js|@grpc\/proto-loader|protobufjs)$/;

/** The program, and the sweep as a function for AWS Lambda, each with all that it needs in one file. */
await bundle("agent/main.ts", "agent");
await bundle("agent/sweep/lambda.ts", "sweep");

/** dist/<name>.mjs; beside it its source map, bill of materials and licences. */
async function bundle(entry: string, name: string): Promise<void> {
  const file = `dist/${name}`;
  const { metafile } = await build({
    entryPoints: [entry],
    outfile: `${file}.mjs`,
    bundle: true,
    platform: "node",
    target: "node24",
    format: "esm",
    minify: true,
    sourcemap: "linked",
    // Lines lead to the sources of this version; the sources need not travel along.
    sourcesContent: false,
    // The licences' own texts stand beside it.
    legalComments: "none",
    metafile: true,
    logLevel: "info",
    banner: {
      // What is CommonJS inside asks for these.
      js: [
        "import { createRequire } from 'node:module';",
        "import { dirname as dirnameOf } from 'node:path';",
        "import { fileURLToPath as pathOf } from 'node:url';",
        "const require = createRequire(import.meta.url);",
        "const __filename = pathOf(import.meta.url);",
        "const __dirname = dirnameOf(__filename);",
      ].join(" "),
    },
    plugins: [
      {
        name: "unused",
        setup(plugin) {
          plugin.onResolve({ filter: UNUSED }, ({ path }) => ({ path, namespace: "unused" }));
          plugin.onLoad({ filter: /.*/, namespace: "unused" }, () => ({
            contents: "module.exports = {};",
            loader: "js",
          }));
        },
      },
    ],
  });
  await writeFile(`${file}.cdx.json`, `${JSON.stringify(await sbomOf(metafile), null, 1)}\n`);
  writeLicences(metafile, `${file}.licences.txt`);
}
